"""How `benchmarks.load` looks into a controller: when autoscalers are decided, and how long each queue is."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import Any

from podtide.control import app as wiring
from podtide.core.model.decision import Applied, Decision
from podtide.core.model.spec import Key
from podtide.telemetry.meters import Meters

LOOK = 0.02
"""Seconds between two looks."""


class Watched(Meters):
    """Notes when each autoscaler was decided."""

    def __init__(self) -> None:
        super().__init__()
        self.decisions_of: dict[Key, list[float]] = {}

    def decided(self, decision: Decision, applied: Applied) -> None:
        """One tick."""
        self.decisions_of.setdefault(decision.key, []).append(time.monotonic())
        super().decided(decision, applied)

    def total(self, name: str) -> float:
        """The sum of a counter's series."""
        found = (sample for family in self.registry.collect() for sample in family.samples)
        return sum(sample.value for sample in found if sample.name == f"podtide_{name}_total")

    def waits(self, begin: float, end: float) -> Iterator[float]:
        """How long each autoscaler waited for a decision at most."""
        for times in self.decisions_of.values():
            marks = [begin, *(at for at in times if begin < at < end), end]
            yield max(after - before for before, after in itertools.pairwise(marks))


class Queues:
    """The longest that each queue has been."""

    def __init__(self) -> None:
        self.most: dict[str, int] = {}
        self.lag = 0.0
        self.parts: dict[str, Any] = {}
        for name in ("Sources", "Reports", "Events", "Fleet", "CrdFeed"):
            setattr(wiring, name, self._kept(name, getattr(wiring, name)))

    def _kept(self, name: str, make: Any) -> Any:
        def made(*arguments: Any, **options: Any) -> Any:
            self.parts[name] = make(*arguments, **options)
            return self.parts[name]

        return made

    async def watch(self) -> None:
        """Look again and again."""
        while True:
            due = time.monotonic() + LOOK
            await asyncio.sleep(LOOK)
            self.lag = max(self.lag, time.monotonic() - due)
            for name, length in self.lengths():
                self.most[name] = max(length, self.most.get(name, 0))

    def lengths(self) -> Iterator[tuple[str, int]]:
        """Each queue now."""
        flow = self.parts["Sources"].engine._flow
        yield "scrapes waiting", len(flow.queue)
        yield "scrapes under way", len(flow.young) + len(flow.old)
        yield "changes of autoscalers", len(self.parts["CrdFeed"]._changed) + len(self.parts["CrdFeed"]._held)
        members = self.parts["Fleet"]._members.values()
        yield "readings of one worker", max((len(one.worker._readings) for one in members if one.worker), default=0)
        yield "workers ending", len(self.parts["Fleet"]._endings)
        yield "statuses due", len(self.parts["Reports"]._queued)
        yield "events due", self.parts["Events"]._queue.qsize()
        yield "tasks", len(asyncio.all_tasks())
