"""What is to be done when: thousands of appointments on one timer. The pool and its readers keep theirs here."""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable

LOG = logging.getLogger(__name__)

Action = Callable[[], None]

_AT_ONCE = 128
"""Actions between two turns of the loop; each takes a few microseconds."""
_SLACK = 0.005
"""Seconds that an action may be early, so that neighbours share a turn."""


class Appointment:
    """Something that will be done, unless it is cancelled."""

    __slots__ = ("action", "when")

    def __init__(self, when: float, action: Action) -> None:
        self.when = when
        self.action: Action | None = action

    def cancel(self) -> None:
        """Do not do it."""
        self.action = None


class Agenda:
    """A heap of appointments and one timer of the loop, set for the earliest."""

    __slots__ = ("_alarm", "_closed", "_heap", "_loop", "_numbers", "turned_at")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._heap: list[tuple[float, int, Appointment]] = []
        self._numbers = itertools.count()
        self._alarm: asyncio.TimerHandle | asyncio.Handle | None = None
        self._closed = False
        self.turned_at = 0.0
        """The time of the turn whose actions run now, for them to use: reading the clock costs as much as an action."""

    def now(self) -> float:
        """The loop's time in seconds. Belongs to the loop that first asks."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop.time()

    def at(self, when: float, action: Action) -> Appointment:
        """Do something at this time of the loop."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        appointment = Appointment(when, action)
        heapq.heappush(self._heap, (when, next(self._numbers), appointment))
        if self._heap[0][2] is appointment:
            self._set()
        return appointment

    def close(self) -> None:
        """Do nothing any more."""
        self._closed = True
        self._heap.clear()
        if self._alarm is not None:
            self._alarm.cancel()

    def _set(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._heap and not self._closed and self._loop is not None:
            self._alarm = self._loop.call_at(self._heap[0][0], self._turn)

    def _turn(self) -> None:
        self.turned_at = self.now()
        limit = self.turned_at + _SLACK
        for _ in range(_AT_ONCE):
            if not self._heap or self._heap[0][0] > limit:
                break
            action = heapq.heappop(self._heap)[2].action
            if action is not None:
                try:
                    action()
                except Exception:  # one appointment's crash must not cost the others theirs
                    LOG.exception("an appointment crashed")
        # Whatever is left and due is done in the loop's next turn: `call_at` in the past fires there.
        self._set()
