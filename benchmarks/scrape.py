"""What a scrape costs, counted in CPU seconds of this process.

    python -m benchmarks.scrape --targets FILE --metric NAME --rounds N [--insecure]

scrapes every URL of the file (one per line) N times the way the controller does, and prints one line of JSON.

    python -m benchmarks.scrape --compare [--pods N] [--rounds N]

measures other clients and this one in interleaved rounds against servers of its own, and prints tables.
"""

import argparse
import asyncio
import gc
import json
import resource
import ssl
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.production import Production
from podtide.net.page import Ask


def read_targets(text: str, context: ssl.SSLContext) -> list[Ask]:
    """One ask per line; empty lines and lines that begin with # do not count."""
    asks = []
    for line in text.splitlines():
        url = line.strip()
        if not url or url.startswith("#"):
            continue
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.hostname is None:
            raise SystemExit(f"{url!r} is no URL; write for example http://127.0.1.1:8000/metrics")
        path = (parts.path or "/metrics") + (f"?{parts.query}" if parts.query else "")
        secure = parts.scheme == "https"
        asks.append(Ask(parts.hostname, parts.port or (443 if secure else 80), path, context if secure else None))
    return asks


async def measure(targets: Sequence[Ask], metric: str, rounds: int) -> dict[str, float]:
    """Scrape all targets `rounds` times; the first round opens the connections and counts as the others do."""
    production = Production(targets, metric)
    gc.collect()
    gc.freeze()
    wall, cpu = time.perf_counter(), cpu_seconds()
    for _ in range(rounds):
        await production.round()
    cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
    for failure in list(dict.fromkeys(map(str, production.failures.values())))[:3]:
        print(f"failed: {failure}", file=sys.stderr)
    await production.aclose()
    seconds = sorted(production.seconds)
    return {
        "targets": len(targets),
        "rounds": rounds,
        "ok": production.ok,
        "failed": production.failed,
        "wall_s": round(wall, 4),
        "cpu_s": round(cpu, 4),
        "max_rss_mb": round(peak_memory() / 1024, 1),
        "p50_ms": round(_quantile(seconds, 0.5) * 1000, 3),
        "p99_ms": round(_quantile(seconds, 0.99) * 1000, 3),
    }


def cpu_seconds() -> float:
    """User and system time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_memory() -> int:
    """The most memory this process has had resident, in KB.

    Not `ru_maxrss`: that one begins with what the parent had.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def raise_descriptor_limit() -> None:
    """As many descriptors as the system grants: every pod keeps one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=Path, help="file with one URL per line")
    parser.add_argument("--metric", help="the metric to read")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--insecure", action="store_true", help="accept any certificate")
    parser.add_argument("--compare", action="store_true", help="compare clients instead")
    parser.add_argument("--pods", type=int, default=1000, help="for --compare")
    options = parser.parse_args(arguments)
    raise_descriptor_limit()
    if options.compare:
        from benchmarks import compare  # here, so that the other clients take no memory where ours is measured

        compare.main(options.pods, options.rounds)
        return
    if options.targets is None or options.metric is None:
        parser.error("--targets and --metric are needed, or --compare")
    context = ssl.create_default_context()
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    targets = read_targets(options.targets.read_text(), context)
    print(json.dumps(asyncio.run(measure(targets, options.metric, options.rounds))))


if __name__ == "__main__":
    main()
