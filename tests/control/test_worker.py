"""When a worker ticks: with the readings, however they jitter."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from podtide.aio.clock import Clock
from podtide.aio.mailbox import Mailbox
from podtide.control.worker import Worker
from podtide.core import engine
from podtide.core.memory import Memory
from podtide.core.model.decision import Applied, Decision, Outcome
from podtide.core.model.reading import Reading
from podtide.core.model.spec import AutoscalerSpec
from podtide.core.model.view import PodView, TargetView
from podtide.telemetry.meters import Meters
from tests.sources import specs

INTERVAL = 15.0
POD = PodView(name="web-1", uid="u1", ip="10.0.0.1", phase="Running", ready="True")


@dataclass
class Source:
    """Puts a reading into the mailbox at every interval, a little early or late."""

    jitter: Callable[[int], float]
    clock: Clock
    mailbox: Mailbox[Reading] | None = None
    task: "asyncio.Task[None] | None" = None
    seen: list[tuple[float, int]] = field(default_factory=list)
    """When it was told of how many pods."""

    def subscribe(self, spec: AutoscalerSpec, metric: Any, mailbox: Mailbox[Reading]) -> "Source":
        self.mailbox = mailbox
        self.task = asyncio.get_running_loop().create_task(self._read(metric.id, mailbox))
        return self

    async def _read(self, metric: str, mailbox: Mailbox[Reading]) -> None:
        loop = asyncio.get_running_loop()
        for number in range(1, 100):
            await asyncio.sleep(max(0.0, number * INTERVAL + self.jitter(number) - loop.time()))
            mailbox.put(Reading(metric, self.clock.now(), values={"u1": 5.0}, expected=1))

    def update(self, view: TargetView) -> None:
        self.seen.append((asyncio.get_running_loop().time(), len(view.pods)))

    def close(self) -> None:
        if self.task is not None:
            self.task.cancel()


@dataclass
class Target:
    """Never changes; keeps what was decided."""

    decisions: list[Decision] = field(default_factory=list)
    pods: tuple[PodView, ...] = (POD,)

    async def view(self, now: float) -> TargetView:
        return TargetView(at=now, replicas=1, status_replicas=1, version="1", pods=self.pods)

    async def apply(self, decision: Decision, *, may_write: Callable[[], bool] = bool) -> Applied:
        self.decisions.append(decision)
        return Applied(Outcome.UNCHANGED, decision.current)

    def publish(self, decision: Decision, applied: Applied) -> None:
        """Nobody is told."""


@pytest.mark.looptime
@pytest.mark.parametrize(
    "jitter",
    [
        pytest.param(lambda number: 0.0, id="none"),
        pytest.param(lambda number: 0.005 * (number % 2), id="every second one a little late"),
        pytest.param(lambda number: 0.001 * number, id="later every time"),
        pytest.param(lambda number: 2.5 * (number % 3 == 0), id="a slow pod in every third round"),
    ],
)
async def test_ticks_meet_their_readings(looptime: Any, jitter: Callable[[int], float]) -> None:
    loop = asyncio.get_running_loop()
    clock = Clock(wall=lambda: 1e9, monotonic=loop.time)
    source, target = Source(jitter, clock), Target()
    worker = made(source, target, clock)
    task = loop.create_task(worker.run())
    await asyncio.sleep(60 * INTERVAL)
    worker.stop()
    await task
    ages = [decision.signals[0].age for decision in target.decisions[1:]]
    assert max(ages) < 0.21 * INTERVAL
    assert 55 <= len(ages) <= 62


@pytest.mark.looptime
async def test_the_pods_to_ask_are_looked_up_before_the_next_round(looptime: Any) -> None:
    """One that has become ready since the last tick would carry load that nobody counts."""
    loop = asyncio.get_running_loop()
    clock = Clock(wall=lambda: 1e9, monotonic=loop.time)
    source, target = Source(lambda number: 0.0, clock), Target()
    worker = made(source, target, clock)
    task = loop.create_task(worker.run())
    await asyncio.sleep(4.5 * INTERVAL)
    target.pods = (POD, replace(POD, name="web-2", uid="u2"))
    await asyncio.sleep(0.49 * INTERVAL)
    worker.stop()
    await task
    assert source.seen[-1][1] == 2


@pytest.mark.looptime
async def test_a_scaling_to_zero_that_is_broken_off_may_have_been_carried_out(
    looptime: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when an edit ends a worker whose patch has had no answer for long: the next one goes on with its memory."""

    class Stuck(Target):
        async def apply(self, decision: Decision, *, may_write: Callable[[], bool] = bool) -> Applied:
            await asyncio.Event().wait()
            raise AssertionError

    loop = asyncio.get_running_loop()
    clock = Clock(wall=lambda: 1e9, monotonic=loop.time)
    worker = made(Source(lambda number: 0.0, clock), Stuck(), clock)
    decide = engine.decide
    monkeypatch.setattr(engine, "decide", lambda *known: replace(decide(*known), desired=0))
    task = loop.create_task(worker.run())
    await asyncio.sleep(1.5 * INTERVAL)
    assert worker.memory.left is None
    task.cancel()
    await asyncio.wait({task})
    assert worker.memory.left == worker.ticked_at == 1e9 + INTERVAL


def made(source: Source, target: Target, clock: Clock) -> Worker:
    """A worker between these two."""
    return Worker(
        specs.autoscaler(specs.metric(interval=INTERVAL)),
        Memory(since=clock.now()),
        target,
        source,  # type: ignore[arg-type]  # only its `subscribe` is used
        target,  # type: ignore[arg-type]  # only its `publish` is used
        may_write=lambda: True,
        clock=clock,
        meters=Meters(),
    )
