"""The time: the wall clock read once, monotonic time since. `control.app` makes the clock; others are handed it."""

import asyncio
import time
from collections.abc import Callable


class Clock:
    """Seconds since 1970 that never step back, whatever is done to the wall clock meanwhile."""

    __slots__ = ("_monotonic", "_offset")

    def __init__(
        self, *, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the wall clock, once. Tests on virtual time pass `monotonic=loop.time`."""
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def now(self) -> float:
        """The time in seconds since 1970."""
        return self._offset + self._monotonic()

    async def sleep(self, seconds: float, wake: asyncio.Event | None = None) -> float:
        """Sleep so long, or until `wake` is set; the seconds that were left then (0 after a full sleep).

        The event is left as it is: who waits on it clears it.
        """
        if seconds <= 0:
            await asyncio.sleep(0)
            return 0.0
        end = self._monotonic() + seconds
        if wake is None:
            await asyncio.sleep(seconds)
            return 0.0
        try:
            async with asyncio.timeout(seconds):
                await wake.wait()
        except TimeoutError:
            return 0.0
        return max(0.0, end - self._monotonic())
