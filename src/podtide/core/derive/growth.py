"""How much a counter grew over a window: the arithmetic of PromQL's `increase` and `rate`."""

from collections.abc import Sequence
from itertools import pairwise

_TOO_FAR = 1.1
"""Prometheus' factor: a gap of more than this many average intervals at an end of the window is not bridged."""


def increase(times: Sequence[float], values: Sequence[float], *, start: float, end: float) -> float | None:
    """The growth between `start` and `end`, extrapolated to them as Prometheus does; None with fewer than two points.

    Times are seconds, ascending, within the window. A value below the one before it is a reset: the counter began again
    at zero in between.
    """
    if len(times) < 2:
        return None
    lost = sum(before for before, after in pairwise(values) if after < before)
    seen = Seen(len(times), times[0], times[-1], values[0], values[-1] - values[0] + lost)
    return extrapolated(seen, start=start, end=end)


class Seen:
    """What the points within a window say."""

    __slots__ = ("count", "first_at", "first_value", "grown", "last_at")

    def __init__(self, count: int, first_at: float, last_at: float, first_value: float, grown: float) -> None:
        self.count = count
        """Points; at least two."""
        self.first_at, self.last_at = first_at, last_at
        self.first_value = first_value
        self.grown = grown
        """From the first to the last, with what resets took away added again."""


def extrapolated(seen: Seen, *, start: float, end: float) -> float:
    """The growth over the whole window.

    Where the first or last point is so far from the window's end that points must be missing, or the series had not
    begun, only half an average interval is added there; and never so much at the start that the counter would have been
    below zero (as in Prometheus since 2.52; before, that limit could lengthen the bridge).
    """
    sampled = seen.last_at - seen.first_at
    interval = sampled / (seen.count - 1)
    at_start = _bridge(seen.first_at - start, interval)
    if seen.grown > 0 and seen.first_value >= 0:
        at_start = min(at_start, sampled * (seen.first_value / seen.grown))
    at_end = _bridge(end - seen.last_at, interval)
    return seen.grown * ((sampled + at_start + at_end) / sampled)


def _bridge(gap: float, interval: float) -> float:
    return gap if gap < interval * _TOO_FAR else interval / 2
