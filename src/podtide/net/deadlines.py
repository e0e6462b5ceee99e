"""One timer of the loop for all deadlines. Called by `net.engine`."""

import asyncio
import math
from collections.abc import Callable

_TICK = 0.01
"""The finest step, in seconds: deadlines this close share a turn."""


class Deadlines:
    """Calls `sweep` when the earliest deadline has passed; it returns the next one, or infinity."""

    __slots__ = ("_alarm", "_loop", "_sweep", "earliest")

    def __init__(self, loop: asyncio.AbstractEventLoop, sweep: Callable[[float], float]) -> None:
        self._loop = loop
        self._sweep = sweep
        self._alarm: asyncio.TimerHandle | None = None
        self.earliest = math.inf
        """Deadlines from here on are looked after."""

    def cover(self, deadline: float) -> None:
        """Look after this deadline, too."""
        if deadline >= self.earliest:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        at = max(deadline, self._loop.time() + _TICK)
        self.earliest = deadline - _TICK
        self._alarm = self._loop.call_at(at, self._turn)

    def cancel(self) -> None:
        """Look after nothing any more."""
        if self._alarm is not None:
            self._alarm.cancel()

    def _turn(self) -> None:
        self._alarm = None
        self.earliest = math.inf
        following = self._sweep(self._loop.time())
        if following < math.inf:
            self.cover(following)
