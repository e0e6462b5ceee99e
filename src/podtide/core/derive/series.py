"""The past of the counters of one pod. `counters` holds one per pod."""

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from podtide.core.derive import growth
from podtide.core.model.reading import Sample

Key = tuple[str, frozenset[tuple[str, str]]]
"""The name and the labels of a series."""

_FINEST = 1000
"""Points kept per window. Scrapes that come faster replace the one before, so that no interval costs more memory."""


class Counter:
    """One series: a value for each of its pod's readings, NaN for a gap, and where it was reset."""

    __slots__ = ("bound", "drops", "gaps", "latest", "values")

    def __init__(self, labels: Mapping[str, str], missed: int) -> None:
        self.values = array("d", (math.nan,)) * missed
        self.gaps = missed
        self.latest = math.nan
        """The newest value that is one."""
        self.drops: list[tuple[float, float]] = []
        """When a reset was seen, and the value before it: few, so that growth need not look at every point."""
        self.bound = _bound(labels)
        """The upper bound of a histogram's bucket; None for a series that is none."""

    def append(self, at: float, value: float) -> None:
        """Add the value of the newest reading; what is not finite is a gap."""
        if not math.isfinite(value):
            self.values.append(math.nan)
            self.gaps += 1
            return
        if value < self.latest:
            self.drops.append((at, self.latest))
        self.values.append(value)
        self.latest = value

    def pop(self, at: float) -> None:
        """Take the newest reading, of the time `at`, back."""
        value = self.values.pop()
        if value != value:
            self.gaps -= 1
            return
        if self.drops and self.drops[-1][0] == at:
            self.drops.pop()
        self.latest = next((known for known in reversed(self.values) if known == known), math.nan)

    def forget(self, count: int, until: float) -> None:
        """Drop the oldest readings, all of them not later than `until`."""
        self.gaps -= sum(value != value for value in self.values[:count])
        del self.values[:count]
        self.drops = [drop for drop in self.drops if drop[0] > until]

    def seen(self, times: "array[float]", first: int, last: int) -> growth.Seen | None:
        """What the readings from `first` to before `last` say; None with fewer than two values among them."""
        values, count = self.values, last - first
        if self.gaps:
            places = [place for place in range(first, last) if values[place] == values[place]]
            count = len(places)
            if count > 1:
                first, last = places[0], places[-1] + 1
        if count < 2:
            return None
        first_at, last_at = times[first], times[last - 1]
        grown = values[last - 1] - values[first]
        if self.drops:
            grown += sum(before for at, before in self.drops if first_at < at <= last_at)
        return growth.Seen(count, first_at, last_at, values[first], grown)


class PodSeries:
    """Every series of one pod, read at the same instants; a reading that lacked a series is a gap in it."""

    __slots__ = ("_counters", "_times")

    def __init__(self) -> None:
        self._times = array("d")
        self._counters: dict[Key, Counter] = {}

    def absorb(self, samples: Sequence[Sample], at: float, window: float) -> None:
        """Add one reading. One that is not newer than the last is ignored; NaN and infinities are gaps."""
        times = self._times
        if times and at <= times[-1]:
            return
        if len(times) > 1 and at - times[-2] < window / _FINEST:
            replaced = times.pop()
            for counter in self._counters.values():
                counter.pop(replaced)
        self._forget(at - window)
        times.append(at)
        for sample in samples:
            key = (sample.name, frozenset(sample.labels.items()))
            known = self._counters.get(key)
            if known is None:
                known = self._counters[key] = Counter(sample.labels, len(times) - 1)
            # A series that stands twice on one page counts once, as in Prometheus.
            if len(known.values) < len(times):
                known.append(at, sample.value)
        for counter in self._counters.values():
            if len(counter.values) < len(times):
                counter.append(at, math.nan)

    def grown(self, start: float, end: float) -> Iterator[tuple[Counter, float]]:
        """Every series with at least two points in the window, and how much it grew. The start itself is outside."""
        times = self._times
        first, last = bisect_right(times, start), bisect_right(times, end)
        for counter in self._counters.values():
            seen = counter.seen(times, first, last)
            if seen is not None:
                yield counter, growth.extrapolated(seen, start=start, end=end)

    def _forget(self, until: float) -> None:
        stale = bisect_right(self._times, until)
        # Moving the rest to the front is paid once for several points.
        if stale < max(8, len(self._times) // 8):
            return
        del self._times[:stale]
        for key, counter in list(self._counters.items()):
            counter.forget(stale, until)
            if counter.gaps == len(counter.values):
                del self._counters[key]

    def snapshot(self) -> dict[str, Any]:
        """Plain data: times, and per series its name, labels and values, None for a gap."""
        return {
            "times": list(self._times),
            "series": [
                [name, dict(sorted(labels)), [value if value == value else None for value in counter.values]]
                for (name, labels), counter in self._counters.items()
            ],
        }

    @classmethod
    def restore(cls, saved: Mapping[str, Any]) -> Self:
        """The object that gave this snapshot. ValueError where it does not fit together."""
        pod = cls()
        pod._times.extend(saved["times"])
        for name, labels, values in saved["series"]:
            if len(values) != len(pod._times):
                raise ValueError(f"{name} has {len(values)} values at {len(pod._times)} times")
            counter = pod._counters[name, frozenset(labels.items())] = Counter(labels, 0)
            for at, value in zip(pod._times, values, strict=True):
                counter.append(at, math.nan if value is None else value)
        return pod


def _bound(labels: Mapping[str, str]) -> float | None:
    """The bound of a bucket. Prometheus leaves out series whose bound is no number; so a quantile does."""
    try:
        bound = float(labels["le"])
    except (KeyError, ValueError):
        return None
    return None if math.isnan(bound) else bound
