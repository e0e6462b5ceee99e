"""The real controller in a hostile world: `python -m benchmarks.soak [--minutes 10] [--seed 1]`.

Two replicas of `podtide run` with leader election scale six workloads (KPA, HPA and APA, over HTTP and HTTPS) of an
embedded API server in a process of its own. Meanwhile the leader is killed while its patch is on the way, paused for
longer than its Lease, the API server goes away and comes back without its history, every watch is cut every second,
one request to the API in a hundred is refused, one pod in twenty fails, and now and then all of a workload's. What must
hold is judged from what the server and the pods saw; the exit code is 1 if something did not. In the last 60 % of the
time nobody is killed, so that growth would show.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import soak_growth
from benchmarks.soak_growth import Sample

LEASE = 4.0
AUTOSCALERS = 6


@dataclass(slots=True)
class Replica:
    """One `podtide run`."""

    name: str
    process: asyncio.subprocess.Process
    port: int
    log: Path
    began: float
    samples: list[Sample] = field(default_factory=list)
    is_paused: bool = False

    async def sample(self) -> None:
        """Note what it has, unless it cannot answer."""
        if self.is_paused or self.process.returncode is not None:
            return
        with contextlib.suppress(OSError):
            page = await asyncio.to_thread(self._page)
            found = {one.name: one.value for family in text_string_to_metric_families(page) for one in family.samples}
            pid = self.process.pid
            rss = _rss(pid)
            files = len(os.listdir(f"/proc/{pid}/fd"))
            numbers = (int(found["podtide_tasks"]), int(found["podtide_worker_crashes_total"]))
            self.samples.append(Sample(time.monotonic() - self.began, rss, files, *numbers))

    def _page(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=2) as answer:
            return str(answer.read().decode())

    async def probe(self) -> int:
        """The status of `/readyz`."""
        address = f"http://127.0.0.1:{self.port}/readyz"
        return int(await asyncio.to_thread(lambda: urllib.request.urlopen(address, timeout=5).status))


class Soak:
    """One run."""

    def __init__(self, directory: Path, seconds: float, seed: int) -> None:
        self._directory = directory
        self._kubeconfig = directory / "kubeconfig"
        self._seconds = seconds
        self._seed = seed
        self._rng = random.Random(seed)
        self._every = min(15.0, seconds / 4)
        self._replicas: dict[str, Replica] = {}
        self.ended: list[Replica] = []
        self.done: dict[str, int] = {"killed in mid-patch": 0, "paused beyond the Lease": 0, "server restarts": 0}
        self.violations: list[str] = []

    async def run(self) -> dict[str, Any]:
        """All of it; what the world reports."""
        command = [
            "-m",
            "benchmarks.soak_world",
            str(self._kubeconfig),
            str(self._seed),
            str(max(1.5, self._every / 3)),
        ]
        pipe = asyncio.subprocess.PIPE
        self._world = await asyncio.create_subprocess_exec(sys.executable, *command, stdin=pipe, stdout=pipe)
        assert self._world.stdout is not None
        await self._world.stdout.readline()
        try:
            for name in ("one", "two"):
                await self._start(name)
            await self._ask("wait")
            sampling = asyncio.create_task(self._sample())
            await self._ask("begin")
            await self._hurt()
            took = await self._ask("calm")
            sampling.cancel()
            found: dict[str, Any] = await self._ask("report")
            await self._end(found["pods"])
            found["settled"] = took
            found["violations"] += self.violations
            return found
        finally:
            await self._clean_up()

    async def _ask(self, command: str) -> Any:
        assert self._world.stdin is not None
        assert self._world.stdout is not None
        self._world.stdin.write(f"{command}\n".encode())
        return json.loads(await self._world.stdout.readline())

    async def _start(self, name: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        log = self._directory / f"{name}-{time.monotonic_ns()}.log"
        options = ["--kubeconfig", str(self._kubeconfig), "--lease-namespace", "default", "--metrics-host", "127.0.0.1"]
        options += ["--metrics-port", str(port), "--health-port", str(port)]
        options += ["--lease-duration", f"{LEASE:g}", "--renew-deadline", "2.5", "--retry-period", "0.4"]
        with log.open("w") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "podtide", "run", *options, stderr=stderr, env={**os.environ, "POD_NAME": name}
            )
        self._replicas[name] = Replica(name, process, port, log, time.monotonic())

    async def _hurt(self) -> None:
        """One disaster after the other, until the time is up."""
        began = time.monotonic()
        disasters: list[Callable[[], Awaitable[None]]] = [self._kill, self._pause, self._restart]
        number = 0
        while (passed := time.monotonic() - began) < self._seconds:
            await asyncio.sleep(self._every * self._rng.uniform(0.3, 0.7))
            disaster = disasters[number % len(disasters)]
            number += 1
            if disaster == self._kill and self._seconds > 60 and passed > 0.4 * self._seconds:
                continue
            await disaster()

    async def _kill(self) -> None:
        agent = str(await self._ask("hold"))
        for name, replica in self._replicas.items():
            if f"({name}-" in agent:
                replica.process.kill()
                await replica.process.wait()
                self.ended.append(replica)
                self.done["killed in mid-patch"] += 1
                await self._start(name)
                return

    async def _pause(self) -> None:
        holder = str(await self._ask("leader"))
        for name, replica in self._replicas.items():
            if holder.startswith(f"{name}-"):
                replica.is_paused = True
                replica.process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(LEASE + 2.0)
                replica.process.send_signal(signal.SIGCONT)
                replica.is_paused = False
                self.done["paused beyond the Lease"] += 1
                return

    async def _restart(self) -> None:
        await self._ask("restart")
        self.done["server restarts"] += 1

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            for replica in tuple(self._replicas.values()):
                await replica.sample()

    async def _end(self, pods: int) -> None:
        """Look at what is left of them, and tell them to end."""
        holder = str(await self._ask("leader"))
        for replica in self._replicas.values():
            await replica.sample()
            leads = holder.startswith(f"{replica.name}-")
            workers = soak_growth.TASKS + (AUTOSCALERS if leads else 0)
            self.violations += soak_growth.left(replica.name, replica.samples, pods if leads else 0, workers)
        for replica in self._replicas.values():
            if await replica.probe() != 200:
                self.violations.append(f"{replica.name} is not ready in the end")
            replica.process.terminate()
            if code := await asyncio.wait_for(replica.process.wait(), 15):
                self.violations.append(f"{replica.name} has ended with {code}")
        self.ended += self._replicas.values()
        for replica in self.ended:
            self.violations += _logged(replica)

    async def _clean_up(self) -> None:
        for process in [self._world, *(replica.process for replica in self._replicas.values())]:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


def _rss(pid: int) -> float:
    """Resident memory in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def _logged(replica: Replica) -> list[str]:
    text = replica.log.read_text()
    return [f"{replica.name} logs an error: {text[text.index('Traceback') :][:2000]}"] if "Traceback" in text else []


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="of trouble (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of loads and trouble (%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        soak = Soak(Path(directory), 60 * arguments.minutes, arguments.seed)
        found = asyncio.run(soak.run())
        print(", ".join(f"{count:,} {what}" for what, count in (soak.done | found["counted"]).items()))
        print(f"in the end every count was right within {found['settled']:.1f} s, with {found['pods']} pods")
        print(soak_growth.HEAD)
        print("\n".join(row for replica in soak.ended for row in soak_growth.rows(replica.name, replica.samples)))
    for violation in found["violations"]:
        print(f"VIOLATION: {violation}")
    print(f"{len(found['violations'])} violations")
    return 1 if found["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
