"""AIBrix's logical names and what engines call them."""

import difflib
from collections.abc import Iterable

import pytest

from podtide.core import names


@pytest.mark.parametrize(
    ("metric", "engine", "expected"),
    [
        pytest.param("my_queue", "vllm", ("my_queue",), id="a literal name"),
        pytest.param("num_requests_waiting", "vllm", ("num_requests_waiting", "vllm:num_requests_waiting"), id="vllm"),
        pytest.param("num_requests_waiting", "sglang", ("num_requests_waiting", "sglang:num_queue_reqs"), id="sglang"),
        pytest.param("num_requests_waiting", "unheard-of", ("num_requests_waiting",), id="unknown engine"),
        pytest.param("num_requests_running", "trtllm", ("num_requests_running",), id="an engine without it"),
        pytest.param(
            "kv_cache_usage_perc", "trtllm", ("kv_cache_usage_perc", "trtllm_kv_cache_utilization"), id="trtllm"
        ),
        pytest.param("engine_utilization", "xllm", ("engine_utilization",), id="the engine calls it so"),
        pytest.param(
            "gpu_cache_usage_perc",
            "vllm",
            ("gpu_cache_usage_perc", "vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"),
            id="renamed",
        ),
        pytest.param(
            "vllm:gpu_cache_usage_perc",
            "vllm",
            ("vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"),
            id="renamed, given as the engine's name",
        ),
        pytest.param(
            "vllm:kv_cache_usage_perc",
            "sglang",
            ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
            id="renamed back, on a pod that carries another engine's label",
        ),
        pytest.param(
            "request_success_total",
            "vllm",
            ("request_success_total", "vllm:num_requests_success_total", "vllm:request_success_total"),
            id="AIBrix's name is not vLLM's",
        ),
        pytest.param(
            "time_to_first_token_seconds_sum",
            "sglang",
            ("time_to_first_token_seconds_sum", "sglang:time_to_first_token_seconds_sum"),
            id="a series of a histogram",
        ),
        pytest.param("p95_ttft_5m", "vllm", ("p95_ttft_5m",), id="a query of AIBrix's own is no series"),
    ],
)
def test_candidates(metric: str, engine: str, expected: tuple[str, ...]) -> None:
    assert names.candidates(metric, engine) == expected


def test_the_engine_is_vllm_unless_a_pod_says_otherwise() -> None:
    assert names.candidates("num_requests_running") == names.candidates("num_requests_running", names.DEFAULT_ENGINE)
    assert names.ENGINE_LABEL == "model.aibrix.ai/engine"


def test_only_trtllm_serves_its_page_elsewhere() -> None:
    assert names.page_path("trtllm") == "/prometheus/metrics"
    assert {names.page_path(engine) for engine in ("vllm", "sglang", "xllm", "")} == {"/metrics"}


@pytest.mark.parametrize("metric", ["gpu_cache_usage_perc", "kv_cache_usage_perc", "engine_utilization"])
def test_ratios_are_known_under_every_name(metric: str) -> None:
    for engine in ("vllm", "sglang", "trtllm", "xllm"):
        assert all(names.is_ratio(name) for name in names.candidates(metric, engine))


@pytest.mark.parametrize("metric", ["num_requests_running", "my_queue_perc", "vllm:num_requests_waiting", ""])
def test_a_count_is_no_ratio(metric: str) -> None:
    assert not names.is_ratio(metric)


_PAGE = b"""# HELP vllm:num_requests_waiting Number of requests waiting.
vllm:num_requests_waiting{model_name="a"} 1
vllm:num_requests_running{model_name="num_requests_swapped"} 1
vllm:request_success_total 3
  process_cpu_seconds_total 3
{"dotted.name",a="b"} 3
"""


def test_names_on_a_page() -> None:
    assert names.on_page(_PAGE) == [
        "vllm:num_requests_waiting",
        "vllm:num_requests_running",
        "vllm:request_success_total",
        "process_cpu_seconds_total",
        "dotted.name",
    ]
    assert names.on_page(memoryview(_PAGE)) == names.on_page(_PAGE)


@pytest.mark.parametrize(
    ("wanted", "best"),
    [
        pytest.param("vllm:num_request_waiting", "vllm:num_requests_waiting", id="a slip"),
        pytest.param("num_requests_runing", "vllm:num_requests_running", id="a slip, and the engine is missing"),
        pytest.param("NUM_REQUESTS_WAITING", "vllm:num_requests_waiting", id="capitals"),
        pytest.param("request_success", "vllm:request_success_total", id="a part"),
        pytest.param("cpu_seconds", "process_cpu_seconds_total", id="an inner part"),
    ],
)
def test_the_nearest_name_comes_first(wanted: str, best: str) -> None:
    assert names.suggest(_PAGE, wanted)[0] == best


def test_nothing_near_nothing_suggested() -> None:
    assert names.suggest(_PAGE, "temperature") == []
    assert names.suggest(b"", "up") == []
    assert names.suggest(_PAGE, "") == []
    assert len(names.suggest(b"".join(b"queue_%d 1\n" % index for index in range(50)), "queue")) == 5


def test_a_page_of_ever_so_many_names_is_not_compared_with_each(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def close(word: str, possibilities: Iterable[str], n: int, cutoff: float) -> list[str]:
        compared.extend([word, *possibilities])
        return []

    monkeypatch.setattr(difflib, "get_close_matches", close)
    page = b"".join(b"%s_%d 1\n" % (b"a" * 200, index) for index in range(50_000)) + b"my_queue_length 1\n"

    assert names.suggest(page, "queue" + "_length") == ["my_queue_length"]
    names.suggest(page, "b" * 500)

    assert len(compared) <= 2002
    assert max(map(len, compared)) <= 64


def test_a_long_name_is_found_by_its_beginning() -> None:
    name = "a_very_long_name_" * 6
    assert names.suggest(f"{name}total 1\nother 2\n".encode(), name + "totals") == [name + "total"]
