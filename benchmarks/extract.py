"""Reading one page: microseconds and megabytes per second, beside other ways to do it, in one run.

    python -m benchmarks.extract [--seconds 0.3]

Pages are like a busy vLLM server's; eight of them, different in every value, are read in turn, so that nothing is
gained from a page that did not change. The last page is wanted whole: ten thousand buckets. Least of five rounds.
"""

import argparse
import re
import timeit
from collections.abc import Callable, Sequence

from prometheus_client import parser

from benchmarks import pages
from podtide.core import exposition

SIZES = (20_000, 90_000, 400_000)
WANTED = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:prompt_tokens_total",
)

Read = Callable[[bytes], object]


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=0.3, help="how long one round lasts")
    given = arguments.parse_args()
    print(f"{'page':>8}  {'wanted':>6}  {'way':<40}{'µs':>10}{'MB/s':>9}")
    for size in SIZES:
        turns = [pages.vllm(size, seed) for seed in range(8)]
        for wanted in (WANTED[:1], WANTED):
            _compare(turns, wanted, given.seconds)
    _compare([pages.buckets(10_000, seed) for seed in range(2)], [pages.BUCKET], given.seconds)


def _compare(turns: Sequence[bytes], wanted: Sequence[str], seconds: float) -> None:
    expected = _values(turns[0], wanted)
    for way, read in _ways(wanted).items():
        assert read(turns[0]) == expected, way
        cost = _seconds(read, turns, seconds)
        rate = len(turns[0]) / cost / 1e6
        print(f"{len(turns[0]):>8,}  {len(wanted):>6}  {way:<40}{cost * 1e6:>10,.1f}{rate:>9,.0f}")


def _seconds(read: Read, turns: Sequence[bytes], length: float) -> float:
    def all_turns() -> None:
        for page in turns:
            read(page)

    once = timeit.timeit(all_turns, number=1)
    number = max(1, int(length / once))
    return min(timeit.repeat(all_turns, number=number, repeat=5)) / number / len(turns)


def _values(page: bytes, wanted: Sequence[str]) -> dict[str, list[float]]:
    found = exposition.read(page, wanted)
    return {name: [sample.value for sample in samples] for name, samples in found.items()}


def _ways(wanted: Sequence[str]) -> dict[str, Read]:
    reader = exposition.Reader(wanted)

    def ours(page: bytes) -> dict[str, list[float]]:
        return {name: [sample.value for sample in samples] for name, samples in reader.read(page).items()}

    def copied(page: bytes) -> dict[str, list[float]]:
        return {name: [sample.value for sample in samples] for name, samples in reader.read(memoryview(page)).items()}

    return {
        "podtide, in place": ours,
        "podtide, from a memoryview (copied)": copied,
        "podtide, a new reader for every page": lambda page: _values(page, wanted),
        "split lines, startswith, no labels": _split(wanted),
        "re alternation over the page, no labels": _alternation(wanted),
        "prometheus_client": _full(wanted),
    }


def _split(wanted: Sequence[str]) -> Read:
    heads = tuple(form.encode() for name in wanted for form in (name + "{", name + " "))

    def read(page: bytes) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for line in page.split(b"\n"):
            if line.startswith(heads):
                name = re.split(rb"[{ ]", line, maxsplit=1)[0].decode()
                found.setdefault(name, []).append(float(line.rpartition(b" ")[2]))
        return {name: found[name] for name in wanted if name in found}

    return read


def _alternation(wanted: Sequence[str]) -> Read:
    names = "|".join(map(re.escape, wanted)).encode()
    pattern = re.compile(rb"^(" + names + rb")(?:\{[^\n]*\})? ([^ \n]+)$", re.MULTILINE)

    def read(page: bytes) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for name, value in pattern.findall(page):
            found.setdefault(name.decode(), []).append(float(value))
        return {name: found[name] for name in wanted if name in found}

    return read


def _full(wanted: Sequence[str]) -> Read:
    def read(page: bytes) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for family in parser.text_string_to_metric_families(page.decode()):
            for sample in family.samples:
                found.setdefault(sample.name, []).append(float(sample.value))
        return {name: found[name] for name in wanted if name in found}

    return read


if __name__ == "__main__":
    main()
