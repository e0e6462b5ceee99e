"""The usual course of a day or a week: one mean per stretch of it, learned as it passes. `foresight` calls it."""

import math
from collections.abc import Mapping
from typing import Any

STRETCH = 300.0
"""Seconds that one mean is of."""
_WEIGHT = 0.5
"""Of the newest cycle, from the second one on: last week says more than the week before."""
_MOST = 2.0
"""How many times its usual load a season may be scaled to today's level, and the inverse."""


class Season:
    """A profile; nothing is known of a stretch that has not passed once."""

    __slots__ = ("_period", "_usual")

    def __init__(self, period: float) -> None:
        """`period` is in seconds, a multiple of `STRETCH`."""
        self._period = period
        self._usual: dict[int, float] = {}

    def learn(self, at: float, value: float) -> None:
        """The mean load of the stretch that `at` lies in."""
        phase = self._phase(at)
        before = self._usual.get(phase)
        self._usual[phase] = value if before is None else before + _WEIGHT * (value - before)

    def usual(self, at: float) -> float | None:
        """The load that is usual at an instant, between the middles of two stretches; None if one is unknown."""
        place = at / STRETCH - 0.5
        first = math.floor(place)
        one, other = self._usual.get(self._wrap(first)), self._usual.get(self._wrap(first + 1))
        if one is None or other is None:
            return None
        return one + (place - first) * (other - one)

    def predict(self, at: float, *, now: float, level: float) -> float | None:
        """The usual load at `at`, as much higher or lower as today's `level` is than what is usual `now`."""
        then, today = self.usual(at), self.usual(now)
        if then is None or today is None:
            return None
        if today <= 0 or level <= 0:
            return then
        return then * max(1.0 / _MOST, min(_MOST, level / today))

    def save(self) -> dict[str, Any]:
        """All of it as JSON-able data."""
        return {str(phase): value for phase, value in self._usual.items()}

    def resume(self, data: Mapping[str, Any]) -> None:
        """Take over what was saved. ValueError for what is no profile."""
        self._usual = {int(phase): float(value) for phase, value in data.items()}

    def _phase(self, at: float) -> int:
        return self._wrap(math.floor(at / STRETCH))

    def _wrap(self, stretch: int) -> int:
        return stretch % round(self._period / STRETCH)
