"""The buckets behind a window's average: which are held, what each holds, and what time does to them.

Called by `ring` and `weighted`, which differ in how they average. Rules of the "zero" mode: Knative's
https://github.com/knative/serving/blob/main/pkg/autoscaler/aggregation/bucketing.go
"""

import math
import sys
from array import array
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, Self

Gaps = Literal["zero", "skip"]
"""What a bucket without a record means.

`zero` is Knative's: values in one bucket add up, and a hole between two records is a load of zero. `skip` is for
scraped values: a bucket holds the mean of its values, and a hole (a lost scrape, an interval above the granularity)
says nothing.
"""

VERSION: Final = 1
"""The snapshots' format."""

_LARGEST: Final = sys.float_info.max


def finite(total: float) -> float:
    """A sum, held at the largest float where it would be an infinity, which could never be taken out again."""
    return max(-_LARGEST, min(total, _LARGEST))


class Buckets:
    """A ring of buckets, each `granularity` seconds long, over the last `window` seconds."""

    __slots__ = ("_capacity", "_counts", "_first", "_gaps", "_granularity", "_last", "_sums", "_window")

    def __init__(self, window: float, granularity: float = 1.0, *, gaps: Gaps = "skip") -> None:
        if not (window > 0 and granularity > 0 and math.isfinite(window / granularity)):
            raise ValueError(f"window {window} s, granularity {granularity} s: both must be above zero and finite")
        if gaps not in ("zero", "skip"):
            raise ValueError(f'gaps {gaps!r}: must be "zero" or "skip"')
        self._gaps: Gaps = gaps
        self._granularity = granularity
        self._set_window(window)
        self._first: int | None = None
        self._last: int | None = None

    @property
    def window(self) -> float:
        """Seconds."""
        return self._window

    @property
    def granularity(self) -> float:
        """Seconds in a bucket."""
        return self._granularity

    def record(self, at: float, value: float) -> None:
        """Put a value into the bucket of `at`. What is not a finite number is no measurement, and is left out."""
        if not math.isfinite(value):
            return
        bucket = self._bucket(at)
        opens = bucket != self._last
        if self._last is None or self._seconds(bucket - self._last) >= self._window:
            self._forget()
            self._first = self._last = bucket
        elif self._seconds(self._last - bucket) >= self._window:
            if self._gaps == "zero":
                return
            # No reading is late by a whole window: the clock went back (a failover to a machine whose clock differs).
            # The history keeps its ages; starting anew would forget the load, ignoring the record would blind us.
            self._shift(bucket - self._last)
        elif bucket > self._last:
            for passed in range(self._last + 1, bucket + 1):
                self._clear(passed)
            self._last = bucket
        if opens and (self._first is None or bucket < self._first):
            self._first = bucket
        self._add(bucket, value)

    def is_empty(self, now: float) -> bool:
        """Whether there is nothing to average. In "zero" mode Knative's edge: one window's age is not yet empty."""
        if self._last is None:
            return True
        if self._gaps == "zero":
            return self._seconds(self._bucket(now) - self._last) > self._window
        return self.since(now) is None

    def since(self, now: float) -> float | None:
        """The start of the oldest bucket within the window that holds a record: how far back the average looks."""
        for bucket in self._within(now):
            if self._counts[bucket % self._capacity]:
                return bucket * self._granularity
        return None

    def resize(self, window: float, now: float) -> None:
        """Change the window, keeping what fits."""
        if window == self._window:
            return
        held, capacity, last = dict(self._held()), self._capacity, self._last
        is_fresh = last is not None and self._seconds(self._bucket(now) - last) <= self._window
        self._set_window(window)
        if last is None:
            return
        if is_fresh:
            self._load({bucket: content for bucket, content in held.items() if bucket > last - self._capacity})
            # Knative's: after a resize the time before the first record counts as zeros.
            self._first = last - (capacity - 1) if self._gaps == "zero" else min(held, default=last)
        else:
            self._first = None

    def snapshot(self) -> dict[str, Any]:
        """Everything that a later answer depends on, as JSON-able data: only buckets with records, by their age."""
        last = self._last
        return {
            "v": VERSION,
            "window": self._window,
            "granularity": self._granularity,
            "gaps": self._gaps,
            "first": self._first,
            "last": last,
            "buckets": [[last - bucket, *content] for bucket, content in self._held()] if last is not None else [],
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> Self:
        """The window that gave this snapshot. ValueError for data of another version or without sense."""
        if data.get("v") != VERSION:
            raise ValueError(f"window snapshot of version {data.get('v')!r}; this release reads version {VERSION}")
        try:
            window = cls(float(data["window"]), float(data["granularity"]), gaps=data["gaps"])
            window._resume(data)
        except (KeyError, TypeError) as error:
            raise ValueError(f"window snapshot is damaged: {error!r}") from error
        return window

    # --- what the kinds build on --------------------------------------------------------------------------------------

    def _value(self, bucket: int) -> float | None:
        """What a bucket says; None where that is nothing. Only for buckets that are held."""
        slot = bucket % self._capacity
        count = self._counts[slot]
        if self._gaps == "zero":
            return self._sums[slot]
        return self._sums[slot] / count if count else None

    def _within(self, now: float) -> range:
        """The held buckets of the window that ends now, oldest first; a look back sees all that is held."""
        if self._last is None:
            return range(0)
        newest = max(self._bucket(now), self._last)
        return range(newest - self._capacity + 1, self._last + 1)

    def _silence(self, now: float) -> int:
        """Buckets between the last record and now; 0 for a look back. Only when there is a last record."""
        return max(0, self._bucket(now) - self._last) if self._last is not None else 0

    def _seconds(self, buckets: int) -> float:
        return buckets * self._granularity

    def _bucket(self, at: float) -> int:
        return math.floor(at / self._granularity)

    # --- changes; a kind that keeps a sum overrides these -------------------------------------------------------------

    def _add(self, bucket: int, value: float) -> None:
        slot = bucket % self._capacity
        self._sums[slot] = finite(self._sums[slot] + value)
        self._counts[slot] += 1

    def _clear(self, bucket: int) -> None:
        slot = bucket % self._capacity
        self._sums[slot] = 0.0
        self._counts[slot] = 0

    def _load(self, held: Mapping[int, tuple[float, int]]) -> None:
        """Fill buckets that are all clear."""
        for bucket, (total, count) in held.items():
            slot = bucket % self._capacity
            self._sums[slot] = total
            self._counts[slot] = count

    def _forget(self) -> None:
        self._sums = array("d", bytes(8 * self._capacity))
        self._counts = array("q", bytes(8 * self._capacity))

    def _resume(self, data: Mapping[str, Any]) -> None:
        """Take over a snapshot's contents."""
        if data["last"] is None:
            return
        self._last = last = int(data["last"])
        self._first = None if data["first"] is None else int(data["first"])
        held: dict[int, tuple[float, int]] = {}
        for age, total, count in data["buckets"]:
            if not 0 <= age < self._capacity or count < 1 or not math.isfinite(total):
                raise ValueError(f"window snapshot: no such bucket: {[age, total, count]}")
            held[last - age] = (float(total), int(count))
        self._load(held)

    def _set_window(self, window: float) -> None:
        self._window = window
        self._capacity = math.ceil(window / self._granularity)
        self._forget()

    def _shift(self, by: int) -> None:
        held, last, first = dict(self._held()), self._last, self._first
        self._forget()
        self._load({bucket + by: content for bucket, content in held.items()})
        self._last = None if last is None else last + by
        self._first = None if first is None else first + by

    def _held(self) -> Iterator[tuple[int, tuple[float, int]]]:
        """The buckets with records, oldest first."""
        if self._last is None:
            return
        for bucket in range(self._last - self._capacity + 1, self._last + 1):
            slot = bucket % self._capacity
            if self._counts[slot]:
                yield bucket, (self._sums[slot], self._counts[slot])
