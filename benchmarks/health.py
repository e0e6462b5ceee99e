"""How long `/livez` takes while the event loop is saturated: `python -m benchmarks.health [seconds]`.

The probes' thread shares the interpreter with a loop that never rests: it reads pages, one after the other. The prober
is a process of its own and opens a connection per probe, as the kubelet does.
"""

import asyncio
import http.client
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from podtide.core import exposition
from podtide.telemetry.health import Health, HealthServer
from podtide.telemetry.meters import Meters

BUDGET = 0.1
"""Seconds that the 99th of a hundred probes may take."""
PACE = 0.005
"""Seconds between probes."""
PAGE = "".join(f'requests_total{{path="/{number}",code="200"}} {number}\n' for number in range(2_000)).encode()


def main(seconds: float) -> Iterator[str]:
    """The lines of the report."""
    yield f"{'path':<9} {'loop':<10} {'probes':>6} {'p50':>9} {'p99':>9} {'worst':>9}"
    for path in ("/livez", "/readyz", "/metrics"):
        for busy in (False, True):
            took = sorted(asyncio.run(_measure(path, seconds, busy=busy)))
            p99 = took[int(0.99 * (len(took) - 1))]
            yield (
                f"{path:<9} {'saturated' if busy else 'idle':<10} {len(took):>6} "
                f"{statistics.median(took) * 1e3:>6.1f} ms {p99 * 1e3:>6.1f} ms {took[-1] * 1e3:>6.1f} ms"
                f"{'' if p99 <= BUDGET else f'  above the budget of {BUDGET * 1e3:.0f} ms'}"
            )


async def _measure(path: str, seconds: float, *, busy: bool) -> list[float]:
    health, turns = Health(), 0
    health.ready()
    server = HealthServer(health, Meters().registry, host="127.0.0.1", port=0)
    server.start()
    try:
        prober = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.health", "--probe", str(server.port), path, str(seconds),
            stdout=subprocess.PIPE,
        )  # fmt: skip
        asking = asyncio.create_task(prober.communicate())
        while not asking.done():
            if busy:
                exposition.read(PAGE, ("requests_total",))
                health.beat()
                turns += 1
            await asyncio.sleep(0 if busy else 0.05)
    finally:
        server.stop()
    assert not busy or turns > seconds * 10, "the loop was not saturated"
    return [float(line) for line in asking.result()[0].splitlines()]


def probe(port: int, path: str, seconds: float) -> None:
    """Ask again and again, and print how long each answer took."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        print(time.perf_counter() - began)
        assert answer.status == 200, answer.status
        time.sleep(PACE)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--probe"]:
        probe(int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
    else:
        for line in main(float(sys.argv[1]) if sys.argv[1:] else 5.0):
            print(line, flush=True)
