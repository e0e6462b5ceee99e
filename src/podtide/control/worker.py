"""One autoscaler's loop: look, absorb, decide, apply, settle, report. Made, supervised and ended by `control.fleet`."""

import asyncio
import time
from collections.abc import Callable

from podtide.aio.clock import Clock
from podtide.aio.mailbox import Mailbox
from podtide.control.following import Following
from podtide.control.report import Reporter
from podtide.core import engine
from podtide.core.engine import conditions
from podtide.core.memory import Memory
from podtide.core.model.decision import Applied, Outcome
from podtide.core.model.reading import Reading
from podtide.core.model.spec import AutoscalerSpec, Formula
from podtide.core.model.view import TargetView
from podtide.sources.registry import Sources
from podtide.targets.base import Target
from podtide.telemetry.meters import Meters
from podtide.telemetry.record import Tape

SLACK = 0.2
"""Share of an interval by which a tick may come early or late to fall in with a reading."""


class Worker:
    """Only a worker touches its `Memory`, so there are no locks."""

    def __init__(
        self,
        spec: AutoscalerSpec,
        memory: Memory,
        target: Target,
        sources: Sources,
        reporter: Reporter,
        *,
        may_write: Callable[[], bool],
        clock: Clock,
        meters: Meters,
        tape: Tape | None = None,
        ticked_at: float | None = None,
    ) -> None:
        """`may_write` is asked right before a patch: whether this replica still owns the autoscaler.

        What is seen and decided goes onto `tape`. `ticked_at` is when the worker before an edit began its last tick.
        """
        self.spec = spec
        self.memory = memory
        self._target = target
        self._sources = sources
        self._reporter = reporter
        self._may_write = may_write
        self._clock = clock
        self._meters = meters
        self._tape = tape
        self.ticked_at = ticked_at
        self._readings: Mailbox[Reading] = Mailbox()
        self.following = Following()
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End after the present tick."""
        self._stop.set()
        self._readings.wake.set()

    async def run(self) -> None:
        """Tick until stopped."""
        self.following.begin(
            self._sources.subscribe(self.spec, metric, self._readings)
            for metric in self.spec.metrics
            if not isinstance(metric.source, Formula)
        )
        try:
            if self._tape is not None:
                self._tape.begin(self.memory, self._clock.now())
            await self._first_look()
            due = self._clock.now()
            while not self._stop.is_set():
                self._meters.tick_lag.observe(max(0.0, self._clock.now() - due))
                await self.tick(self._clock.now())
                due = await self._next()
        finally:
            self.following.end()

    async def _first_look(self) -> None:
        """Say which pods to read, and give them an interval: a first decision without any reading would be no news.

        After an edit that is what is left of the interval, or edits in a row would keep the autoscaler from deciding.
        """
        now = self._clock.now()
        await self._look(now)
        begun = now if self.ticked_at is None else self.ticked_at
        await self._clock.sleep(begun + self.spec.interval - now, self._readings.wake)

    async def _look(self, now: float) -> TargetView:
        """See the target as it is, and say which pods to read from now on."""
        view = await self._target.view(now)
        self.following.update(view)
        return view

    async def tick(self, now: float) -> None:
        """One decision, from what has been read until now."""
        began = time.perf_counter()
        self.ticked_at = now
        view = await self._target.view(now)
        self.following.update(view)
        readings = self._readings.drain()
        for reading in readings:
            engine.absorb(self.memory, self.spec, reading)
        decision = engine.decide(self.memory, self.spec, view, now)
        try:
            applied = await self._target.apply(decision, may_write=self._may_write)
        except asyncio.CancelledError:
            # It may have been carried out all the same, which an heir of this memory must know.
            engine.settle(self.memory, decision, Applied(Outcome.FAILED, decision.current), now)
            raise
        engine.settle(self.memory, decision, applied, now)
        if self._tape is not None:
            self._tape.tick(now, view, readings, decision, applied, self.memory)
        self._reporter.publish(conditions.told(decision, applied), applied)
        self._meters.tick_seconds.observe(time.perf_counter() - began)

    async def _next(self) -> float:
        """Sleep for about an interval and return when that ended: with the first reading that comes near its end.

        So ticks fall in with the scrapes, and a load step costs one scrape interval and no second one. The wait is a
        little longer than the interval, since a reading that comes a millisecond later than its predecessor would
        otherwise just miss its tick, and lie until the next one.
        """
        interval = self.spec.interval
        latest = self._clock.now() + (1 + SLACK) * interval
        await self._clock.sleep((1 - SLACK) * interval, self._stop)
        if not self._stop.is_set():
            # The next round must ask the pods there are now. With those of the last tick, a pod that has become ready
            # since would carry load that nobody counts, and one that is gone would count as silent.
            await self._look(self._clock.now())
        # What came before is taken with the rest: it must not set the pace.
        self._readings.wake.clear()
        if not self._stop.is_set():
            await self._clock.sleep(2 * SLACK * interval, self._readings.wake)
        return min(latest, self._clock.now())
