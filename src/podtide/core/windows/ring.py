"""The linear average over a window, in constant time whatever the window's length. `Memory` holds these."""

from collections.abc import Mapping
from typing import Any

from podtide.core.windows import exact
from podtide.core.windows.buckets import Buckets, Gaps, finite


class Ring(Buckets):
    """Every bucket of the window counts alike.

    In "skip" mode the sum is exact, so it depends on what the window holds and not on what has passed through it. In
    "zero" mode it is a running float sum, because Knative's is: now and then an average lies so close to half a
    millionth that the residue decides how it is rounded.
    """

    __slots__ = ("_exact", "_filled", "_running")

    def __init__(self, window: float, granularity: float = 1.0, *, gaps: Gaps = "skip") -> None:
        self._exact = 0
        self._filled = 0
        self._running = 0.0
        super().__init__(window, granularity, gaps=gaps)

    def average(self, now: float) -> float | None:
        """The average, to six decimals. Nothing to average is 0 in "zero" mode, as with Knative, and else None.

        Costs one step per bucket of silence since the last record, and nothing per bucket of the window.
        """
        if self._last is None or self._seconds(silence := self._silence(now)) >= self._window:
            return 0.0 if self._gaps == "zero" else None
        oldest = self._last - self._capacity + 1
        gone = range(oldest, oldest + silence)
        if self._gaps == "zero":
            return self._upstream(gone, self._last)
        total, filled = self._exact, self._filled
        for bucket in gone:
            if (value := self._value(bucket)) is not None:
                total -= exact.steps(value)
                filled -= 1
        return exact.rounded(exact.mean(total, filled)) if filled else None

    def snapshot(self) -> dict[str, Any]:
        """Everything that a later answer depends on, as JSON-able data."""
        return super().snapshot() | ({"running": self._running} if self._gaps == "zero" else {})

    def _upstream(self, gone: range, last: int) -> float:
        """Knative's average: over the buckets from the first record to the last one.

        Silence since the last record is neither counted as zeros nor divided by.
        """
        total = self._running
        for bucket in gone:
            total -= self._sums[bucket % self._capacity]
        # After a resize during a silence there is no first record before one that opens a bucket: then all may count.
        written = self._capacity if self._first is None else last - self._first + 1
        return exact.rounded_upstream(finite(total) / min(written, self._capacity - len(gone)))

    def _add(self, bucket: int, value: float) -> None:
        if self._gaps == "zero":
            super()._add(bucket, value)
            self._running = finite(self._running + value)
            return
        self._take_out(bucket)
        super()._add(bucket, value)
        self._put_in(bucket)

    def _clear(self, bucket: int) -> None:
        if not self._counts[bucket % self._capacity]:
            return
        if self._gaps == "zero":
            self._running -= self._sums[bucket % self._capacity]
        else:
            self._take_out(bucket)
        super()._clear(bucket)

    def _resume(self, data: Mapping[str, Any]) -> None:
        super()._resume(data)
        if self._gaps == "zero":
            self._running = finite(float(data["running"]))

    def _load(self, held: Mapping[int, tuple[float, int]]) -> None:
        super()._load(held)
        for bucket in sorted(held, reverse=True):  # newest first, as Knative adds up after a resize
            if self._gaps == "zero":
                self._running = finite(self._running + self._sums[bucket % self._capacity])
            else:
                self._put_in(bucket)

    def _forget(self) -> None:
        super()._forget()
        self._exact = 0
        self._filled = 0
        self._running = 0.0

    def _take_out(self, bucket: int) -> None:
        if (value := self._value(bucket)) is not None:
            self._exact -= exact.steps(value)
            self._filled -= 1

    def _put_in(self, bucket: int) -> None:
        if (value := self._value(bucket)) is not None:
            self._exact += exact.steps(value)
            self._filled += 1
