"""The exponentially weighted average over a window: the newest bucket counts most. `Memory` holds these."""

import math
import operator

from podtide.core.windows.buckets import Buckets, Gaps

# The weights left of a window's last bucket, and the least smoothing, as Knative chose them.
_TAIL = 0.0001
_LEAST = 0.2


class Weighted(Buckets):
    """A bucket's weight is `c·(1 − c)^age`, with `c` so that little is left at the window's end."""

    __slots__ = ("_weights",)

    def __init__(self, window: float, granularity: float = 1.0, *, gaps: Gaps = "skip") -> None:
        self._weights: tuple[float, ...] = ()
        super().__init__(window, granularity, gaps=gaps)

    def average(self, now: float) -> float | None:
        """The weighted average; costs a step per bucket.

        In "zero" mode Knative's: silence decays it, nothing held is 0, and the weights' sum stays below 1, so that it
        starts low. In "skip" mode only buckets that hold something have a weight, and nothing held is None.
        """
        if self.is_empty(now):
            return 0.0 if self._gaps == "zero" else None
        newest_first = reversed(self._within(now))
        if self._gaps == "zero":
            values = [self._sums[bucket % self._capacity] for bucket in newest_first]
            return math.fsum(map(operator.mul, values, self._weights[self._silence(now) :]))
        held = [
            (value, self._last_age(bucket)) for bucket in newest_first if (value := self._value(bucket)) is not None
        ]
        weights = [self._weights[age] for _, age in held]
        # Shares of 1 rather than a division at the end: the products stay finite for the largest values.
        whole = sum(weights)
        return math.fsum(value * (weight / whole) for (value, _), weight in zip(held, weights, strict=True))

    def _last_age(self, bucket: int) -> int:
        return self._last - bucket if self._last is not None else 0

    def _set_window(self, window: float) -> None:
        super()._set_window(window)
        smoothing = max(1.0 - _TAIL ** (1.0 / self._capacity), _LEAST)
        self._weights = tuple(smoothing * (1.0 - smoothing) ** age for age in range(self._capacity))
