"""Many autoscalers over many pods: what one controller process costs, and whether it keeps its pace.

    python -m benchmarks.fleet                       # 100 and 1,000 autoscalers, 1,000 and 10,000 pods
    python -m benchmarks.fleet 1000x10000            # one of them
    python -m benchmarks.fleet 1000x10000 --profile  # and where the time goes

The cluster is a process of its own (`benchmarks.fleet_world`); the controller is the real one, with its defaults.
CPU is the controller's alone, in per cent of one core.
"""

import argparse
import asyncio
import cProfile
import gc
import json
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from podtide.api import settings
from podtide.control.app import App, Job
from podtide.telemetry.meters import Meters

_FAILURES = "podtide_scrape_failures_total"
_WARM_UP = 75.0
"""Seconds until every cache is filled, every connection open, the first decisions made and the heap settled."""


def main() -> None:
    """Measure each size in fresh processes and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", default=["100x1000", "1000x1000", "100x10000", "1000x10000"])
    parser.add_argument("--seconds", type=float, default=30.0, help="measured, after a warm-up (%(default)s)")
    parser.add_argument("--interval", type=int, default=2, help="seconds between scrapes and decisions (%(default)s)")
    parser.add_argument(
        "--share", type=float, default=0.01, help="workloads whose load changes every 10 s (%(default)s)"
    )
    parser.add_argument("--profile", action="store_true", help="print where the controller's time goes")
    parser.add_argument("--measure", metavar="KUBECONFIG", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(asyncio.run(measure(arguments.measure, arguments))))
        return
    print(f"KPA every {arguments.interval} s; {arguments.share:.1%} of the workloads change load every 10 s")
    for size in arguments.sizes:
        autoscalers, pods = map(int, size.split("x"))
        print(_line(autoscalers, pods, _run(autoscalers, pods, arguments)), flush=True)


def _run(autoscalers: int, pods: int, arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        kubeconfig = Path(directory) / "kubeconfig"
        numbers = (autoscalers, pods, arguments.interval, arguments.share)
        command = [sys.executable, "-m", "benchmarks.fleet_world", *map(str, numbers), str(kubeconfig)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as world:
            assert world.stdout is not None
            world.stdout.readline()
            measuring = [sys.executable, "-m", "benchmarks.fleet", "--measure", str(kubeconfig)]
            measuring += ["--seconds", str(arguments.seconds), *(["--profile"] if arguments.profile else [])]
            ended = subprocess.run(measuring, stdout=subprocess.PIPE, text=True, check=True)
            world.communicate()
        found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return found


def _line(autoscalers: int, pods: int, found: dict[str, Any]) -> str:
    writes = ", ".join(f"{count:.1f} {kind}" for kind, count in sorted(found["writes"].items())) or "none"
    return (
        f"{autoscalers:5} autoscalers, {pods:6} pods: CPU {found['cpu']:6.1%}, memory {found['rss']:4.0f} MB "
        f"(idle {found['idle']:.0f} MB), {found['ticks']:6.1f} ticks/s of {found['tick_ms']:.2f} ms, "
        f"{found['scrapes']:6.0f} scrapes/s and {found['failures']:.0f} failed, "
        f"tick lag p50 {found['lag'][0]:g} p99 {found['lag'][1]:g} s, "
        f"loop lag p99 {found['loop'][1]:g} s, longest collection {found['pause'] * 1000:.0f} ms; writes/s: {writes}"
    )


async def measure(kubeconfig: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the controller against a world that is there, and say what it cost."""
    chosen = settings.Settings(
        cluster=settings.Cluster(kubeconfig=kubeconfig),
        serving=settings.Serving(metrics_host="127.0.0.1", metrics_port=0, health_port=0),
    )
    idle = _rss()
    app = App(Job(chosen, owns_process=True))
    running = asyncio.create_task(app.run())
    await asyncio.sleep(_WARM_UP)
    profile = cProfile.Profile() if arguments.profile else None
    pauses = Pauses()
    before, cpu, began = Snapshot(app.meters), time.process_time(), time.monotonic()
    if profile:
        profile.enable()
    await asyncio.sleep(arguments.seconds)
    if profile:
        profile.disable()
    took, cpu, after = time.monotonic() - began, time.process_time() - cpu, Snapshot(app.meters)
    longest = pauses.longest
    found = {
        "pause": longest,
        "cpu": cpu / took,
        "rss": _rss(),
        "idle": idle,
        "ticks": (
            after.total("podtide_tick_duration_seconds_count") - before.total("podtide_tick_duration_seconds_count")
        )
        / took,
        "tick_ms": 1000 * after.mean(before, "podtide_tick_duration_seconds"),
        "scrapes": (
            after.total("podtide_scrape_duration_seconds_count") - before.total("podtide_scrape_duration_seconds_count")
        )
        / took,
        "failures": (after.total(_FAILURES) - before.total(_FAILURES)) / took,
        "lag": after.quantiles(before, "podtide_tick_lag_seconds"),
        "loop": after.quantiles(before, "podtide_loop_lag_seconds"),
        "writes": after.writes(before, took),
    }
    app.stop()
    await running
    if profile:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(45)
    return found


class Pauses:
    """How long the garbage collector stops everything."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._began = 0.0
        gc.callbacks.append(self._told)

    def _told(self, phase: str, info: dict[str, int]) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._began = now
        else:
            self.longest = max(self.longest, now - self._began)


class Snapshot:
    """The controller's own metrics at one moment."""

    def __init__(self, meters: Meters) -> None:
        self.samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in meters.registry.collect()
            for sample in family.samples
        }

    def total(self, name: str) -> float:
        """The sum of a name's series."""
        return sum(value for (found, _), value in self.samples.items() if found == name)

    def mean(self, before: "Snapshot", name: str) -> float:
        """The mean of a histogram since `before`."""
        count = self.total(f"{name}_count") - before.total(f"{name}_count")
        return (self.total(f"{name}_sum") - before.total(f"{name}_sum")) / count if count else 0.0

    def quantiles(self, before: "Snapshot", name: str) -> tuple[float, float]:
        """The upper bounds of the buckets that hold the median and the 99th percentile since `before`."""
        counts = {
            float(dict(labels)["le"]): value - before.samples.get((found, labels), 0.0)
            for (found, labels), value in self.samples.items()
            if found == f"{name}_bucket"
        }
        whole = max(counts.values(), default=0.0)
        median, high = (min(edge for edge, count in counts.items() if count >= share * whole) for share in (0.5, 0.99))
        return median, high

    def writes(self, before: "Snapshot", seconds: float) -> dict[str, float]:
        """Requests a second that changed something, by resource."""
        found: dict[str, float] = {}
        for (name, labels), value in self.samples.items():
            told = dict(labels)
            if name == "podtide_api_requests_total" and told["verb"] not in ("GET", "WATCH"):
                grown = value - before.samples.get((name, labels), 0.0)
                if grown:
                    key = f"{told['verb']} {told['resource'].partition('.')[0]} {told['code']}"
                    found[key] = found.get(key, 0.0) + grown / seconds
        return found


def _rss() -> float:
    """Resident memory in MB."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 1e6


if __name__ == "__main__":
    main()
