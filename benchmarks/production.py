"""The controller's own way to a pod's number, round after round without the pauses. Called by `benchmarks.scrape`.

Pool, engine, reader and selection are those of the controller. Only the clock is not: whatever the pool appoints within
a round is done as soon as the round before is over.
"""

import asyncio
import heapq
import itertools
import random
from array import array
from collections.abc import Sequence

from podtide.core import names, select
from podtide.core.model.reading import Failure
from podtide.core.model.spec import Select
from podtide.net.engine import Engine
from podtide.net.page import Ask
from podtide.sources import verdict
from podtide.sources.agenda import Action, Agenda, Appointment
from podtide.sources.pool import Pool

_INTERVAL = 60.0
"""Seconds of the pool's time between two rounds."""
_TIMEOUT = 45.0
"""As long as the interval allows. A round is queued as a whole, and the timeout covers the wait for a place: with 10 s,
thousands of cold TLS handshakes on a busy machine were counted as failures (`no turn to ask`)."""


class Hurried(Agenda):
    """An agenda whose time stands still, except when it is told to skip what it does not wait for."""

    __slots__ = ("_at", "_order", "_todo")

    def __init__(self) -> None:
        super().__init__()
        self._at = 0.0
        self._todo: list[tuple[float, int, Appointment]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._at

    def at(self, when: float, action: Action) -> Appointment:
        appointment = Appointment(when, action)
        heapq.heappush(self._todo, (when, next(self._order), appointment))
        return appointment

    def skip(self, until: float) -> None:
        """Do everything that is appointed before `until`, which is the time afterwards."""
        while self._todo and self._todo[0][0] < until:
            when, _, appointment = heapq.heappop(self._todo)
            self._at = max(self._at, when)
            if appointment.action is not None:
                appointment.action()
        self._at = until


class Production:
    """All targets, one metric: at the pool's own pace with an agenda, or else round after round."""

    interval = _INTERVAL
    timeout = _TIMEOUT

    def __init__(self, targets: Sequence[Ask], metric: str, agenda: Agenda | None = None) -> None:
        self.engine = Engine()
        self.seconds = array("d")
        """How long each exchange took."""
        self.ok = self.failed = 0
        self.values: dict[str, float] = {}
        self.failures: dict[str, Failure] = {}
        self._wanted = names.candidates(metric)
        self._select = Select(metric)
        self._hurried = Hurried()
        self._pool = Pool(self.engine, agenda or self._hurried, rng=random.Random(0), retries=0, observe=self._observe)
        self._left = 0
        self._enough = 0
        self._over: asyncio.Future[None] | None = None
        self._targets = targets
        if agenda is not None:
            self.interval, self.timeout = 5.0, 2.0
        for at, ask in enumerate(targets):
            self._pool.follow(ask, self, str(at), self._wanted, soon=False)

    def take(self, key: str, answer: verdict.Series | Failure, text: verdict.Text, content_type: str) -> None:
        """One pod's answer, judged as the controller's own followers do."""
        value = (
            answer if isinstance(answer, Failure) else select.value(select.first(answer, self._wanted), self._select)
        )
        if isinstance(value, Failure):
            self.failed += 1
            self.failures[key] = value
        else:
            self.ok += 1
            self.values[key] = value
        self._left -= 1
        if self._left == self._enough and self._over is not None:
            self._over.set_result(None)

    def _observe(self, ask: Ask, seconds: float, failure: Failure | None) -> None:
        if failure is None:
            self.seconds.append(seconds)

    async def round(self, without: int = 0) -> None:
        """Scrape every target once, and return when all but `without` have answered."""
        self._left = len(self._targets)
        self._enough = without
        self._over = asyncio.get_running_loop().create_future()
        self._hurried.skip(self._hurried.now() + _INTERVAL)
        await self._over

    async def aclose(self) -> None:
        """Close the engine."""
        await self.engine.aclose()
