"""The highest value of a while, as a value that an algorithm's state can hold. Called by `algorithms.kpa`."""

import math
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Maximum:
    """The highest value recorded within a window, in buckets; Knative's scale-down delay.

    A value written in bucket `k` counts until a record arrives in bucket `k + capacity` or later: only a record moves
    the window, asking does not. So a time without decisions forgets nothing.
    """

    window: float
    """Seconds."""
    granularity: float = 2.0
    """Seconds in a bucket; Knative's delay has 2."""
    entries: tuple[tuple[int, int], ...] = ()
    """(bucket, value), oldest first; each is higher than all after it, so the first is the maximum."""

    @property
    def value(self) -> int | None:
        """The maximum; None before the first record."""
        return self.entries[0][1] if self.entries else None

    @property
    def capacity(self) -> int:
        """How many buckets the window has."""
        return math.ceil(self.window / self.granularity)

    def record(self, at: float, value: int) -> Self:
        """The window after a further value. Where the clock went back, what is held keeps its age."""
        bucket = math.floor(at / self.granularity)
        entries = self.entries
        if entries and bucket < entries[-1][0]:
            back = entries[-1][0] - bucket
            entries = tuple((other - back, held) for other, held in entries)
        kept = [(other, held) for other, held in entries if held > value and other > bucket - self.capacity]
        return replace(self, entries=(*kept, (bucket, value)))

    def resized(self, window: float) -> Self:
        """The same history, seen through another window."""
        return replace(self, window=window)
