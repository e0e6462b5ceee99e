"""How much a counter grew over a window: the arithmetic of PromQL's `increase` and `rate`."""

from collections.abc import Sequence

_TOO_FAR = 1.1
"""Prometheus' factor: a gap of more than this many average intervals at an end of the window is not bridged."""


def increase(times: Sequence[float], values: Sequence[float], *, start: float, end: float) -> float | None:
    """The growth between `start` and `end`, extrapolated to them as Prometheus does; None with fewer than two points.

    Times are seconds, ascending, within the window. A value below the one before it is a reset: the counter began again
    at zero in between. Where the first or last point is so far from the window's end that points must be missing, or
    the series had not begun, only half an average interval is added there; and never so much at the start that the
    counter would have been below zero (as in Prometheus since 2.52; before, that limit could lengthen the bridge).
    """
    if len(times) < 2:
        return None
    grown = values[-1] - values[0]
    before = values[0]
    for value in values:
        if value < before:
            grown += before
        before = value
    sampled = times[-1] - times[0]
    interval = sampled / (len(times) - 1)
    at_start = _bridge(times[0] - start, interval)
    if grown > 0 and values[0] >= 0:
        at_start = min(at_start, sampled * (values[0] / grown))
    at_end = _bridge(end - times[-1], interval)
    return grown * ((sampled + at_start + at_end) / sampled)


def _bridge(gap: float, interval: float) -> float:
    return gap if gap < interval * _TOO_FAR else interval / 2
