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


class PodSeries:
    """Every series of one pod, read at the same instants; a reading that lacked a series is a gap in it."""

    __slots__ = ("_times", "_values")

    def __init__(self) -> None:
        self._times = array("d")
        self._values: dict[Key, array[float]] = {}

    def absorb(self, samples: Sequence[Sample], at: float, window: float) -> None:
        """Add one reading. One that is not newer than the last is ignored; NaN and infinities are gaps."""
        times = self._times
        if times and at <= times[-1]:
            return
        if len(times) > 1 and at - times[-2] < window / _FINEST:
            times.pop()
            for known in self._values.values():
                known.pop()
        self._forget(at - window)
        times.append(at)
        for sample in samples:
            key = (sample.name, frozenset(sample.labels.items()))
            values = self._values.get(key)
            if values is None:
                values = self._values[key] = array("d", (math.nan,)) * (len(times) - 1)
            # A series that stands twice on one page counts once, as in Prometheus.
            if len(values) < len(times):
                values.append(sample.value if math.isfinite(sample.value) else math.nan)
        for known in self._values.values():
            if len(known) < len(times):
                known.append(math.nan)

    def grown(self, start: float, end: float) -> Iterator[tuple[Key, float]]:
        """Every series with at least two points in the window, and how much it grew. The start itself is outside."""
        first, last = bisect_right(self._times, start), bisect_right(self._times, end)
        times = self._times[first:last]
        for key, values in self._values.items():
            inside = values[first:last]
            points = [(at, value) for at, value in zip(times, inside, strict=True) if value == value]
            growth_ = growth.increase([at for at, _ in points], [value for _, value in points], start=start, end=end)
            if growth_ is not None:
                yield key, growth_

    def _forget(self, until: float) -> None:
        stale = bisect_right(self._times, until)
        # Moving the rest to the front is paid once for several points.
        if stale < max(8, len(self._times) // 8):
            return
        del self._times[:stale]
        for key in list(self._values):
            values = self._values[key]
            del values[:stale]
            if all(value != value for value in values):
                del self._values[key]

    def snapshot(self) -> dict[str, Any]:
        """Plain data: times, and per series its name, labels and values, None for a gap."""
        return {
            "times": list(self._times),
            "series": [
                [name, dict(sorted(labels)), [value if value == value else None for value in values]]
                for (name, labels), values in self._values.items()
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
            pod._values[name, frozenset(labels.items())] = array(
                "d", (math.nan if value is None else value for value in values)
            )
        return pod
