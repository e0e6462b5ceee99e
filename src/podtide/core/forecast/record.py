"""How good a forecast has been: what it said of moments that have come since. `foresight` keeps one per method."""

import math
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any

LEAST = 12
"""Forecasts that must have come to pass before any is believed."""
KEPT = 120
"""Forecasts that an error is computed of: the newest."""


class Record:
    """Forecasts made, and what became of them."""

    __slots__ = ("_came", "_due", "_naive", "_past", "_sorted", "_wrong")

    def __init__(self) -> None:
        self._due: deque[tuple[float, float, float]] = deque()
        """When, the forecast, and the load at the time it was made."""
        self._past: deque[tuple[float, float, float]] = deque(maxlen=KEPT)
        """The forecast, the load that a forecast of no change would have been, and the load that came."""
        # What is summed up at every tick is kept as it is summed up.
        self._came: deque[float] = deque(maxlen=KEPT)
        self._wrong: deque[float] = deque(maxlen=KEPT)
        self._naive: deque[float] = deque(maxlen=KEPT)
        self._sorted: list[float] | None = None
        """How much more came than was forecast, the least first; None until asked for."""

    def expect(self, at: float, forecast: float, naive: float) -> None:
        """A forecast of the load at `at`; `naive` is the load when it was made."""
        if len(self._due) < 4 * KEPT:
            self._due.append((at, forecast, naive))

    def came(self, at: float, value: float) -> None:
        """The load at `at`: judge what had been said of moments up to then."""
        while self._due and self._due[0][0] <= at:
            _, forecast, naive = self._due.popleft()
            self._judge(forecast, naive, value)

    def miss(self, until: float) -> None:
        """What came up to then is not known, so nothing can be said of what was forecast of it."""
        while self._due and self._due[0][0] < until:
            self._due.popleft()

    def _judge(self, forecast: float, naive: float, value: float) -> None:
        self._past.append((forecast, naive, value))
        self._came.append(abs(value))
        self._wrong.append(abs(value - forecast))
        self._naive.append(abs(value - naive))
        self._sorted = None

    @property
    def error(self) -> float | None:
        """The mean error as a share of the mean load; None before there are enough forecasts to tell."""
        return self._share(self._wrong)

    @property
    def naive_error(self) -> float | None:
        """The same of a forecast that nothing changes: one that is no better is none."""
        return self._share(self._naive)

    def band(self, forecast: float, shares: Sequence[float]) -> tuple[float, ...]:
        """Loads that such shares of the past forecasts' outcomes were at or below, relative to this forecast."""
        if not self._past:
            return tuple(forecast for _ in shares)
        if self._sorted is None:
            self._sorted = sorted(actual - said for said, _, actual in self._past)
        errors = self._sorted
        last = len(errors) - 1
        return tuple(max(0.0, forecast + errors[min(last, math.floor(share * len(errors)))]) for share in shares)

    def save(self) -> dict[str, Any]:
        """All of it as JSON-able data."""
        return {"due": [list(each) for each in self._due], "past": [list(each) for each in self._past]}

    def resume(self, data: Mapping[str, Any]) -> None:
        """Take over what was saved. ValueError for what is no record."""
        self._due = deque((float(at), float(said), float(naive)) for at, said, naive in data["due"])
        for said, naive, came in data["past"]:
            self._judge(float(said), float(naive), float(came))

    def _share(self, errors: Collection[float]) -> float | None:
        if len(errors) < LEAST:
            return None
        total, wrong = sum(self._came), sum(errors)
        if total <= 0:
            return 0.0 if wrong <= 0 else math.inf
        return wrong / total
