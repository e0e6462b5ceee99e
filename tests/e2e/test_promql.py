"""The engine's rates and quantiles against those of a real Prometheus that holds the same readings.

Prometheus is filled with `promtool`, so nothing waits for scrapes, and asked through the `prometheus` source.
"""

import asyncio
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from podtide.core import engine
from podtide.core.memory import Memory
from podtide.core.model.reading import Reading, Sample
from podtide.core.model.spec import Apa, Derive, Increase, Quantile, Rate
from tests.core import ticks
from tests.sources import test_prometheus_real as real

PROMTOOL = shutil.which("promtool")
WINDOW = 60.0
NEAR = 1e-7
"""Of today's time a double holds a quarter of a microsecond, Prometheus whole milliseconds: that is the difference."""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        real.PROGRAM is None or PROMTOOL is None,
        reason="prometheus and promtool are not installed; on Debian: apt-get install prometheus",
    ),
]

BOUNDS = ("0.1", "0.5", "1.0", "+Inf")


@dataclass(frozen=True)
class Point:
    """One series of one pod in one reading."""

    at: float
    pod: str
    labels: tuple[tuple[str, str], ...]
    value: float


def readings(rng: random.Random, end: float) -> list[list[Point]]:
    """Ten minutes of three pods: one steady, one that restarts and misses scrapes, one that begins late."""
    counts = {pod: [1000.0 * rng.random() + 500.0] * len(BOUNDS) for pod in ("steady", "restarts", "late")}
    counts["late"] = [0.0] * len(BOUNDS)
    rounds = []
    times = [round(end - 7.3 * number - 0.4 * rng.random(), 3) for number in range(80)][::-1]
    for number, at in enumerate(times):
        if number == len(times) - 5:
            counts["restarts"] = [0.0] * len(BOUNDS)
        points = []
        for pod, values in counts.items():
            if pod == "late" and number < len(times) - 4:
                continue
            new = sorted(rng.randrange(20) for _ in BOUNDS)
            if pod == "late" and number == len(times) - 4:
                # At zero, as servers begin; before 2.52 Prometheus looked too far back from a first value above it.
                new = [0] * len(BOUNDS)
            counts[pod] = [value + grown for value, grown in zip(values, new, strict=True)]
            if pod == "restarts" and number % 4 == 1:
                continue
            points += [
                Point(at, pod, (("le", bound),), value) for bound, value in zip(BOUNDS, counts[pod], strict=True)
            ]
        rounds.append(points)
    return rounds


def page(rounds: list[list[Point]]) -> Iterator[str]:
    """All readings as one OpenMetrics page with time stamps, as `promtool` takes them."""
    yield "# TYPE latency histogram\n"
    for points in rounds:
        for point in points:
            labels = ",".join(f'{key}="{value}"' for key, value in point.labels)
            yield f'latency_bucket{{pod="{point.pod}",{labels}}} {point.value} {point.at:.3f}\n'
    yield "# EOF\n"


def ours(rounds: list[list[Point]], derive: Derive) -> Memory:
    """What the engine knows after the same readings."""
    metric = ticks.metric(derive=derive, interval=7.5)
    spec = ticks.spec(Apa(window=WINDOW), metric)
    memory = Memory(rounds[0][0].at)
    for points in rounds:
        series: dict[str, list[Sample]] = {}
        for point in points:
            series.setdefault(point.pod, []).append(Sample("latency_bucket", dict(point.labels), point.value))
        frozen = {pod: tuple(samples) for pod, samples in series.items()}
        absent = {"steady", "restarts", "late"} - frozen.keys()
        engine.absorb(
            memory,
            spec,
            Reading(metric.id, points[0].at, series=frozen, expected=3, failures=dict.fromkeys(absent, ticks.DOWN)),
        )
    return memory


async def test_rates_and_quantiles_are_those_of_a_real_prometheus(tmp_path: Path) -> None:
    rounds = readings(random.Random(5), end=time.time() - 3 * 3600)
    (tmp_path / "page.om").write_text("".join(page(rounds)))
    assert PROMTOOL is not None
    filling = await asyncio.create_subprocess_exec(
        PROMTOOL,
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        str(tmp_path / "page.om"),
        str(tmp_path / "data"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await filling.communicate()
    assert filling.returncode == 0, told.decode()
    at = f"[{WINDOW:g}s] @ {rounds[-1][0].at:.3f}"
    async with real.running(tmp_path) as server, real.sources() as made:

        async def answer(query: str) -> float | None:
            return (await real.read(made, server, query)).total

        for derive, function in ((Rate(), "rate"), (Increase(), "increase")):
            kept = ours(rounds, derive).metrics[ticks.metric().id]
            for pod in ("steady", "restarts", "late"):
                theirs = await answer(f'sum({function}(latency_bucket{{pod="{pod}"}}{at}))')
                assert kept.values[pod] == pytest.approx(theirs, rel=NEAR), (pod, function)
        for share in (0.0, 0.25, 0.5, 0.9, 0.99, 1.0):
            theirs = await answer(f"histogram_quantile({share}, sum by (le) (rate(latency_bucket{at})))")
            assert ours(rounds, Quantile(share)).metrics[ticks.metric().id].total == pytest.approx(theirs, rel=NEAR), (
                share
            )
