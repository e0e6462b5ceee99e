"""Pages like those of a vLLM server, of a wanted size. `benchmarks.servers` serves them."""

METRIC = "vllm:num_requests_running"
BUCKET = "vllm:e2e_request_latency_seconds_bucket"

_GAUGES = ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "lora_requests_info")
_COUNTERS = ("prompt_tokens_total", "generation_tokens_total", "num_preemptions_total", "prefix_cache_queries_total")
_HISTOGRAMS = (
    "time_to_first_token_seconds",
    "time_per_output_token_seconds",
    "e2e_request_latency_seconds",
    "request_queue_time_seconds",
    "request_inference_time_seconds",
    "request_prefill_time_seconds",
    "request_decode_time_seconds",
    "request_prompt_tokens",
    "request_generation_tokens",
    "iteration_tokens_total",
)
_BOUNDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160)


def vllm(size: int, seed: int) -> bytes:
    """A page of about `size` bytes. Two seeds differ in every value, as two scrapes of a busy server do."""
    lines = ["# HELP python_gc_objects_collected_total Objects collected during gc"]
    lines += [f'python_gc_objects_collected_total{{generation="{at}"}} {seed * 31 + at}.0' for at in range(3)]
    lines += [f"process_resident_memory_bytes {5e9 + seed * 4096}", f"process_open_fds {80 + seed}.0"]
    text = "\n".join(lines) + "\n"
    engine = 0
    while len(text) < size:
        text += _engine(engine, seed)
        engine += 1
    return text[: text.rindex("\n", 0, size) + 1].encode()


def buckets(count: int, seed: int) -> bytes:
    """A page of nothing but one histogram's buckets, of as many engines as it takes."""
    lines = ["# TYPE vllm:e2e_request_latency_seconds histogram"]
    for at in range(count):
        engine, bound = divmod(at, len(_BOUNDS))
        lines.append(f'{BUCKET}{{engine="{engine}",le="{_BOUNDS[bound]}"}} {seed * 11 + bound}.0')
    return "\n".join([*lines, ""]).encode()


def _engine(engine: int, seed: int) -> str:
    labels = f'engine="{engine}",model_name="meta-llama/Llama-3.1-8B-Instruct"'
    lines = []
    # One wanted series per page: further engines fill it up with their counters and histograms.
    for name in _GAUGES if engine == 0 else ():
        lines += [f"# HELP vllm:{name} What it counts.", f"# TYPE vllm:{name} gauge"]
        lines.append(f"vllm:{name}{{{labels}}} {float((seed * 7 + len(name)) % 97)}")
    for name in _COUNTERS:
        lines += [f"# HELP vllm:{name} How many.", f"# TYPE vllm:{name} counter"]
        lines.append(f"vllm:{name}{{{labels}}} {123456.0 + seed * 37}")
    for name in _HISTOGRAMS:
        lines += [f"# HELP vllm:{name} Histogram of it.", f"# TYPE vllm:{name} histogram"]
        lines += [f'vllm:{name}_bucket{{{labels},le="{bound}"}} {seed * 11 + at}.0' for at, bound in enumerate(_BOUNDS)]
        lines.append(f'vllm:{name}_bucket{{{labels},le="+Inf"}} {seed * 11 + 20}.0')
        lines += [f"vllm:{name}_count{{{labels}}} {seed * 11 + 20}.0", f"vllm:{name}_sum{{{labels}}} {seed * 0.7}"]
    return "\n".join(lines) + "\n"
