"""A metric that one request answers, asked once per interval: what sources outside the pods subscribe with."""

import logging
import math
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from podtide.aio.clock import Clock
from podtide.aio.mailbox import Mailbox
from podtide.aio.tasks import Crew
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.core.model.spec import AutoscalerSpec, MetricSpec
from podtide.core.model.view import TargetView
from podtide.sources import followed, missing
from podtide.sources.agenda import Agenda, Appointment

LOG = logging.getLogger(__name__)

SPREAD = 0.25
"""The share of an interval over which subscriptions take their turns: one server may answer for many of them."""

Read = Callable[[TargetView, float], Awaitable[Reading]]
"""Make a reading of the target, as it was last seen, within so many seconds."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What polling subscriptions share."""

    agenda: Agenda
    crew: Crew
    timer: Clock
    timeout: float
    """Seconds for one reading where the source says nothing."""
    turns: missing.Turns = field(default_factory=missing.Turns)


class Polling:
    """Reads at once when it first knows the target, then once per interval."""

    def __init__(
        self,
        desk: Desk,
        spec: AutoscalerSpec,
        metric: MetricSpec,
        mailbox: Mailbox[Reading],
        read: Read,
        *,
        timeout: float | None = None,
        ended: Callable[[], None] | None = None,
    ) -> None:
        """`timeout` is the source's own, in seconds; `ended` is called when the subscription is closed."""
        self._desk = desk
        self._name = f"{spec.key} {metric.id}"
        self._metric = metric
        self._mailbox = mailbox
        self._read = read
        self._ended = ended
        self._timeout = min(timeout or desk.timeout, followed.longest(metric.interval))
        self._place = zlib.crc32(self._name.encode()) / 2**32
        self._view: TargetView | None = None
        self._turn: Appointment | None = None
        self._is_closed = False
        self._is_reading = False

    def update(self, view: TargetView) -> None:
        """Read for this target from now on."""
        if self._is_closed or view.failure is not None:
            return
        self._view = view
        if self._turn is None:
            self._begin()

    def close(self) -> None:
        """Read nothing any more."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._turn is not None:
            self._turn.cancel()
        if self._ended is not None:
            self._ended()

    def _begin(self) -> None:
        interval, now = self._metric.interval, self._desk.agenda.now()
        offset = self._place * SPREAD * interval
        # The first turn is out of step; the one that follows must not come right after it.
        following = interval * (math.floor((now - offset) / interval + 0.5) + 1) + offset
        self._turn = self._desk.agenda.at(following, self._begin)
        if not self._is_reading and self._view is not None:
            self._is_reading = True
            self._desk.crew.start(self._take(self._view), f"reading of {self._name}")

    async def _take(self, view: TargetView) -> None:
        try:
            reading = await self._read(view, self._timeout)
        except Exception:  # a bug in one source must leave a trace and cost one reading, not all that follow
            LOG.exception("%s: the reading crashed", self._name)
            failure = Failure(Reason.API, "the source crashed; the controller's log says how")
            reading = Reading(self._metric.id, self._desk.timer.now(), failure=failure)
        finally:
            self._is_reading = False
        if not self._is_closed:
            self._mailbox.put(reading)
