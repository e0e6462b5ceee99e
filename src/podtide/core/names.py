"""AIBrix's logical metric names, and what engines call them. Sources ask which names to look for on a page.

The table holds the facts of AIBrix's `pkg/metrics/metrics.go` (vllm-project/aibrix, Apache-2.0), not its code: a
logical name, the engine, the name of the family on that engine's page.
"""

import difflib
import itertools
import re
from typing import Final

ENGINE_LABEL: Final = "model.aibrix.ai/engine"
"""The pod label that names the engine."""

DEFAULT_ENGINE: Final = "vllm"
"""The engine of a pod without that label."""

_PATHS: Final = {"trtllm": "/prometheus/metrics"}

_SAME_ON_VLLM: Final = (
    "num_requests_running",
    "num_requests_waiting",
    "num_requests_swapped",
    "engine_sleep_state",
    "http_requests_total",
    "num_preemptions_total",
    "e2e_request_latency_seconds",
    "request_queue_time_seconds",
    "request_inference_time_seconds",
    "prompt_tokens_total",
    "request_prompt_tokens",
    "generation_tokens_total",
    "request_generation_tokens",
    "request_max_num_generation_tokens",
    "iteration_tokens_total",
    "time_to_first_token_seconds",
    "time_per_output_token_seconds",
    "inter_token_latency_seconds",
    "request_decode_time_seconds",
    "request_prefill_time_seconds",
    "request_time_per_output_token_seconds",
    "gpu_cache_usage_perc",
    "cpu_cache_usage_perc",
    "kv_cache_usage_perc",
    "prefix_cache_queries_total",
    "prefix_cache_hits_total",
    "external_prefix_cache_queries_total",
    "external_prefix_cache_hits_total",
    "nixl_xfer_time_seconds",
    "nixl_post_time_seconds",
    "nixl_bytes_transferred",
    "nixl_num_descriptors",
    "avg_prompt_throughput_toks_per_s",
    "avg_generation_throughput_toks_per_s",
)
"""Logical names that vLLM serves with `vllm:` in front."""

_ENGINES: Final[dict[str, dict[str, str]]] = {
    "vllm": {
        **{name: f"vllm:{name}" for name in _SAME_ON_VLLM},
        "request_success_total": "vllm:num_requests_success_total",
        "http_request_duration_seconds": "http_request_duration_seconds",
        "http_request_duration_highr_seconds": "http_request_duration_highr_seconds",
        "nixl_num_failed_transfers_total": "vllm:nixl_num_failed_transfers",
        "nixl_num_failed_notifications_total": "vllm:nixl_num_failed_notifications",
    },
    "sglang": {
        "num_requests_running": "sglang:num_running_reqs",
        "num_requests_waiting": "sglang:num_queue_reqs",
        "num_requests_swapped": "sglang:num_retracted_reqs",
        "request_success_total": "sglang:num_requests_total",
        "num_prefill_prealloc_queue_reqs": "sglang:num_prefill_prealloc_queue_reqs",
        "num_decode_prealloc_queue_reqs": "sglang:num_decode_prealloc_queue_reqs",
        "e2e_request_latency_seconds": "sglang:e2e_request_latency_seconds",
        "per_stage_req_latency_seconds": "sglang:per_stage_req_latency_seconds",
        "time_to_first_token_seconds": "sglang:time_to_first_token_seconds",
        "time_per_output_token_seconds": "sglang:inter_token_latency_seconds",
        "inter_token_latency_seconds": "sglang:inter_token_latency_seconds",
        "gpu_cache_usage_perc": "sglang:token_usage",
        "kv_cache_usage_perc": "sglang:token_usage",
        "avg_generation_throughput_toks_per_s": "sglang:gen_throughput",
    },
    "trtllm": {
        "request_success_total": "trtllm_request_success_total",
        "e2e_request_latency_seconds": "trtllm_e2e_request_latency_seconds",
        "request_queue_time_seconds": "trtllm_request_queue_time_seconds",
        "time_to_first_token_seconds": "trtllm_time_to_first_token_seconds",
        "time_per_output_token_seconds": "trtllm_time_per_output_token_seconds",
        "inter_token_latency_seconds": "trtllm_time_per_output_token_seconds",
        "kv_cache_usage_perc": "trtllm_kv_cache_utilization",
        "kv_cache_hit_rate": "trtllm_kv_cache_hit_rate",
    },
    "xllm": {
        "gpu_cache_usage_perc": "kv_cache_utilization",
        "kv_cache_usage_perc": "kv_cache_utilization",
        "engine_utilization": "engine_utilization",
    },
}

# Names of one quantity in different versions of an engine. vLLM's V1 engine renamed the first, version 0.11 the second;
# the third is called so by AIBrix only, vLLM has always served the other name.
_RENAMES: Final = (
    ("vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"),
    ("vllm:time_per_output_token_seconds", "vllm:inter_token_latency_seconds"),
    ("vllm:num_requests_success_total", "vllm:request_success_total"),
)
_OTHER_NAME: Final = {one: other for pair in _RENAMES for one, other in (pair, pair[::-1])}

_SUFFIXES: Final = ("_bucket", "_sum", "_count")
"""Of the series of a histogram, whose family the tables name."""

_RATIO_NAMES: Final = (
    "gpu_cache_usage_perc",
    "cpu_cache_usage_perc",
    "kv_cache_usage_perc",
    "kv_cache_hit_rate",
    "engine_utilization",
    "gpu_busy_time_ratio",
)
_RATIOS: Final = frozenset(_RATIO_NAMES) | {
    raw for engine in _ENGINES.values() for name, raw in engine.items() if name in _RATIO_NAMES
}


def candidates(metric: str, engine: str = DEFAULT_ENGINE) -> tuple[str, ...]:
    """The names under which a page may hold this metric, best first: as given, the engine's, renamed.

    `candidates("num_requests_waiting", "sglang")` is `("num_requests_waiting", "sglang:num_queue_reqs")`. A histogram's
    series follow their family: `candidates("time_to_first_token_seconds_bucket")` ends in
    `"vllm:time_to_first_token_seconds_bucket"`.
    """
    family, suffix = _split(metric, engine)
    names = [metric]
    raw = _ENGINES.get(engine, {}).get(family)
    if raw is not None:
        names.append(raw + suffix)
    for name in (raw or family, family):
        other = _OTHER_NAME.get(name)
        if other is not None:
            names.append(other + suffix)
    return tuple(dict.fromkeys(names))


def _split(metric: str, engine: str) -> tuple[str, str]:
    """The family that the tables know, and what follows it."""
    known = _ENGINES.get(engine, {})
    for suffix in _SUFFIXES:
        family = metric.removesuffix(suffix)
        if family != metric and metric not in known and (family in known or family in _OTHER_NAME):
            return family, suffix
    return metric, ""


def page_path(engine: str) -> str:
    """Where an engine serves its page when nobody says otherwise."""
    return _PATHS.get(engine, "/metrics")


def is_ratio(metric: str) -> bool:
    """Whether a metric is a share of a whole, so that several series are averaged and not added up.

    True for AIBrix's logical ratios and for what the engines call them.
    """
    return metric in _RATIOS


_ON_PAGE = re.compile(
    rb'^[ \t]*(?:([a-zA-Z_:][a-zA-Z0-9_:]*)[{ \t]|\{[ \t]*"((?:[^"\\\n]|\\.)*)"[ \t]*[,}])', re.MULTILINE
)


def on_page(page: bytes | bytearray | memoryview) -> list[str]:
    """The names of the metrics on a page, each once, in its order; for messages, not for reading values."""
    found = (match[1] or match[2] for match in _ON_PAGE.finditer(page))
    return list(dict.fromkeys(name.decode("utf-8", "replace") for name in found))


_COMPARED: Final = 1000
"""Names that are compared with the missing one. One takes tens of microseconds, and a page can have any number."""
_COMPARED_LENGTH: Final = 64
"""Characters of a name that are compared: the cost grows with their square."""


def suggest(page: bytes | bytearray | memoryview, name: str, limit: int = 5) -> list[str]:
    """The names on a page that are most like `name`, best first: for the message that it is not there."""
    there = on_page(page)
    bare = _bare(name)
    by_bare: dict[str, list[str]] = {}
    for other in there:
        by_bare.setdefault(_bare(other), []).append(other)
    cut: dict[str, list[str]] = {}
    for other in itertools.islice(by_bare, _COMPARED):
        cut.setdefault(other[:_COMPARED_LENGTH], []).append(other)
    alike = difflib.get_close_matches(bare[:_COMPARED_LENGTH], cut, n=limit, cutoff=0.6)
    close = [other for key in alike for other in cut[key]]
    inside = [other for other in by_bare if bare and bare in other]
    likely = [full for key in dict.fromkeys([*close, *inside]) for full in by_bare[key]]
    return likely[:limit]


def _bare(name: str) -> str:
    """A name without its engine, in lower case: what a person remembers of it."""
    return name.rpartition(":")[2].lower()
