"""Load that comes all at once: `python -m benchmarks.load [SCENARIO…]`. How long queues get, and what starves.

late      10,000 pods answer a second late                         1,000 autoscalers, every 5 s
at-once   10,000 pods give their answers in one moment, every 2 s   1,000 autoscalers, every 5 s
created   1,000 autoscalers are created in one moment               1,000 pods, every 2 s
rolled    10,000 pods are replaced as fast as the server can        100 autoscalers, every 5 s
edited    200 specs a second are edited                             1,000 autoscalers, 1,000 pods, every 2 s

The controller is the real one with its defaults, the cluster a process of its own, and a third one asks the probes.
Queues are looked at every 20 ms. The exit code is 1 if an autoscaler waited for a decision for longer than `TICKS`
intervals, a queue grew beyond what it may hold, or a probe failed.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load_watch import Queues, Watched
from podtide.api import settings
from podtide.control.app import App, Job

TICKS = 4.0
"""Intervals within which every autoscaler must be decided, or decided again."""
WARM = 70.0
"""Seconds until every cache is filled, every connection open and the heap settled."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens, to how many."""

    name: str
    autoscalers: int
    pods: int
    interval: int
    seconds: float
    what: str
    empty: bool = False
    """Whether there is no autoscaler before."""


SCENARIOS = (
    Scenario("late", 1000, 10_000, 5, 30.0, "late"),
    Scenario("at-once", 1000, 10_000, 5, 30.0, "at once"),
    Scenario("created", 1000, 1000, 2, 40.0, "created", empty=True),
    Scenario("rolled", 100, 10_000, 5, 60.0, "rolled"),
    Scenario("edited", 1000, 1000, 2, 30.0, "edited"),
)


async def measure(kubeconfig: str, scenario: Scenario) -> dict[str, Any]:
    """Run the controller, ask for the load by a line on standard output, and say what became of it."""
    queues, meters = Queues(), Watched()
    chosen = settings.Settings(
        cluster=settings.Cluster(kubeconfig=kubeconfig),
        serving=settings.Serving(metrics_host="127.0.0.1", metrics_port=0, health_port=0),
    )
    app = App(Job(chosen, owns_process=True), meters=meters)
    running = asyncio.create_task(app.run())
    await asyncio.sleep(10.0 if scenario.empty else WARM)
    failures = meters.total("scrape_failures")
    probes = [await _prober(app.ports[-1], path, scenario.seconds) for path in ("/livez", "/readyz")]
    looking = asyncio.create_task(queues.watch())
    began, cpu = time.monotonic(), time.process_time()
    print(json.dumps(scenario.what), flush=True)
    await asyncio.sleep(scenario.seconds)
    end, cpu = time.monotonic(), time.process_time() - cpu
    looking.cancel()
    took = [sorted(float(line) for line in (await probe.communicate())[0].split()) for probe in probes]
    waits = list(meters.waits(began, end))
    app.stop()
    await running
    return {
        "decided": len(waits),
        "wait": max(waits, default=0.0) / scenario.interval,
        "queues": queues.most,
        "lag": queues.lag,
        "cpu": cpu / (end - began),
        "failed": meters.total("scrape_failures") - failures,
        "crashes": meters.total("worker_crashes"),
        "probes": [
            (len(each), each[int(0.99 * (len(each) - 1))], each[-1]) if each else (0, 0.0, 0.0) for each in took
        ],
        "probes failed": sum(probe.returncode != 0 for probe in probes),
    }


async def _prober(port: int, path: str, seconds: float) -> asyncio.subprocess.Process:
    command = ["-m", "benchmarks.health", "--probe", str(port), path, str(seconds - 1)]
    return await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)


def run(scenario: Scenario) -> dict[str, Any]:
    """One scenario in fresh processes."""
    with tempfile.TemporaryDirectory() as directory:
        kubeconfig = str(Path(directory) / "kubeconfig")
        numbers = [str(number) for number in (scenario.autoscalers, scenario.pods, scenario.interval)]
        command = [sys.executable, "-m", "benchmarks.load_world", *numbers, "empty" if scenario.empty else "full"]
        pipe = subprocess.PIPE
        measuring = [sys.executable, "-m", "benchmarks.load", "--measure", kubeconfig, scenario.name]
        with subprocess.Popen([*command, kubeconfig], stdin=pipe, stdout=pipe, text=True) as world:
            assert world.stdin is not None
            assert world.stdout is not None
            world.stdout.readline()
            with subprocess.Popen(measuring, stdout=pipe, text=True) as measured:
                assert measured.stdout is not None
                world.stdin.write(json.loads(measured.stdout.readline()) + "\n")
                world.stdin.flush()
                found: dict[str, Any] = json.loads(measured.stdout.readline())
            world.stdin.close()
    return found


def wrong(scenario: Scenario, found: dict[str, Any]) -> Iterator[str]:
    """What must not be."""
    if found["decided"] != scenario.autoscalers:
        yield f"{scenario.autoscalers - found['decided']} autoscalers were never decided"
    if found["wait"] > TICKS:
        yield f"an autoscaler waited for {found['wait']:.1f} intervals"
    if found["probes failed"] or found["crashes"]:
        yield f"{found['probes failed']} probes failed, {found['crashes']:g} workers crashed"
    pods, autoscalers = 2 * scenario.pods, scenario.autoscalers
    limits = {"scrapes waiting": pods, "scrapes under way": pods, "readings of one worker": 8, "events due": 1000}
    limits |= {"statuses due": autoscalers, "changes of autoscalers": autoscalers, "workers ending": autoscalers}
    for name, limit in {**limits, "tasks": 3 * autoscalers + 100}.items():
        if found["queues"][name] > limit:
            yield f"{name}: {found['queues'][name]}, more than {limit}"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", default=[one.name for one in SCENARIOS])
    parser.add_argument("--measure", metavar="KUBECONFIG", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    chosen = [one for one in SCENARIOS if one.name in arguments.scenarios]
    if arguments.measure:
        print(json.dumps(asyncio.run(measure(arguments.measure, chosen[0]))), flush=True)
        return 0
    failed = 0
    for scenario in chosen:
        found = run(scenario)
        (live, live99, livest), (ready, ready99, readiest) = found["probes"]
        print(f"{scenario.name}: {found['decided']} decided, none waited longer than {found['wait']:.2f} intervals")
        print(
            f"  CPU {found['cpu']:.0%}, {found['failed']:g} scrapes failed, loop late by {found['lag']:.3f} s at most"
        )
        print("  at most " + ", ".join(f"{length:,} {name}" for name, length in found["queues"].items()))
        print(f"  /livez {live} times, p99 {live99 * 1000:.0f} ms, worst {livest * 1000:.0f} ms;", end=" ")
        print(f"/readyz {ready} times, p99 {ready99 * 1000:.0f} ms, worst {readiest * 1000:.0f} ms", flush=True)
        for problem in wrong(scenario, found):
            failed = 1
            print(f"  WRONG: {problem}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
