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


_USUAL_LABELS, _USUAL_TEXT = 20, 500
"""Labels of a series, and characters in them, that weigh as much as a usual one: a kilobyte or two."""
BYTES = 5 * _USUAL_LABELS
"""Of a page, for each usual series: with fewer, labels and their text weigh no more, as a label has at least five."""


class Counter:
    """One series: a value for each of its pod's readings, NaN for a gap, and where it was reset."""

    __slots__ = ("bound", "drops", "gaps", "latest", "values", "weight")

    def __init__(self, labels: Mapping[str, str], missed: int) -> None:
        self.values = array("d", (math.nan,)) * missed
        self.gaps = missed
        self.latest = math.nan
        """The newest value that is one."""
        self.drops: array[float] | None = None
        """When a reset was seen, and the value before it, in turn: few, so that growth need not look at every point."""
        self.bound = _bound(labels)
        """The upper bound of a histogram's bucket; None for a series that is none."""
        self.weight = weight(labels)
        """Of how many usual series it takes the room."""

    def append(self, at: float, value: float) -> None:
        """Add the value of the newest reading; what is not finite is a gap."""
        if not math.isfinite(value):
            self.values.append(math.nan)
            self.gaps += 1
            return
        if value < self.latest:
            if self.drops is None:
                self.drops = array("d")
            self.drops.extend((at, self.latest))
        self.values.append(value)
        self.latest = value

    def pop(self, at: float) -> None:
        """Take the newest reading, of the time `at`, back."""
        value = self.values.pop()
        if value != value:
            self.gaps -= 1
            return
        if self.drops and self.drops[-2] == at:
            del self.drops[-2:]
        self.latest = next((known for known in reversed(self.values) if known == known), math.nan)

    def forget(self, count: int, until: float) -> None:
        """Drop the oldest readings, all of them not later than `until`."""
        self.gaps -= sum(value != value for value in self.values[:count])
        del self.values[:count]
        if self.drops:
            del self.drops[: 2 * bisect_right(self.drops[::2], until)]

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
            drops = zip(self.drops[::2], self.drops[1::2], strict=True)
            grown += sum(before for at, before in drops if first_at < at <= last_at)
        return growth.Seen(count, first_at, last_at, values[first], grown)


class PodSeries:
    """Every series of one pod, read at the same instants; a reading that lacked a series is a gap in it."""

    __slots__ = ("_counters", "_times", "_weight")

    def __init__(self) -> None:
        self._times = array("d")
        self._counters: dict[Key, Counter] = {}
        self._weight = 0

    def absorb(self, samples: Sequence[Sample], at: float, window: float, most: int) -> bool:
        """Add one reading. One that is not newer than the last is ignored; NaN and infinities are gaps.

        With it, no series may weigh more than `most` usual ones together: else False, and all is forgotten.
        """
        times = self._times
        if times and at <= times[-1]:
            return True
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
                self._weight += known.weight
            # A series that stands twice on one page counts once, as in Prometheus.
            if len(known.values) < len(times):
                known.append(at, sample.value)
        for counter in self._counters.values():
            if len(counter.values) < len(times):
                counter.append(at, math.nan)
        return self._weight <= most or self._makes_room(at - window, most)

    def _makes_room(self, until: float, most: int) -> bool:
        self._forget(until, at_once=True)
        if self._weight <= most:
            return True
        self._times, self._counters, self._weight = array("d"), {}, 0
        return False

    def grown(self, start: float, end: float) -> Iterator[tuple[Counter, float]]:
        """Every series with at least two points in the window, and how much it grew. The start itself is outside."""
        times = self._times
        first, last = bisect_right(times, start), bisect_right(times, end)
        for counter in self._counters.values():
            seen = counter.seen(times, first, last)
            if seen is not None:
                yield counter, growth.extrapolated(seen, start=start, end=end)

    def _forget(self, until: float, *, at_once: bool = False) -> None:
        stale = bisect_right(self._times, until)
        # Moving the rest to the front is paid once for several points.
        if stale < max(8, len(self._times) // 8) and not at_once:
            return
        del self._times[:stale]
        for key, counter in list(self._counters.items()):
            counter.forget(stale, until)
            if counter.gaps == len(counter.values):
                del self._counters[key]
                self._weight -= counter.weight

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
            pod._weight += counter.weight
            for at, value in zip(pod._times, values, strict=True):
                counter.append(at, math.nan if value is None else value)
        return pod


def weight(labels: Mapping[str, str]) -> int:
    """Of how many usual series these labels take the room."""
    text = sum(len(key) + len(value) for key, value in labels.items())
    return 1 + len(labels) // _USUAL_LABELS + text // _USUAL_TEXT


def _bound(labels: Mapping[str, str]) -> float | None:
    """The bound of a bucket. Prometheus leaves out series whose bound is no number; so a quantile does."""
    try:
        bound = float(labels["le"])
    except (KeyError, ValueError):
        return None
    return None if math.isnan(bound) else bound
