"""A quantile of a classic histogram: the arithmetic of PromQL's `histogram_quantile`."""

import math
from collections.abc import Iterable


def quantile(q: float, buckets: Iterable[tuple[float, float]]) -> float:
    """The value below which the share `q` of the observations lies, of (upper bound, cumulative count) pairs.

    Within a bucket the observations are taken to be spread evenly, and the lowest bucket to begin at zero unless its
    bound is not above zero. In the highest bucket the answer is its lower bound. NaN where there is none: without a
    bucket for +Inf, with fewer than two buckets, without observations.
    """
    if math.isnan(q):
        return math.nan
    if not 0 <= q <= 1:
        return math.copysign(math.inf, q)
    bounds, counts = _cumulative(buckets)
    if len(bounds) < 2 or bounds[-1] != math.inf or not counts[-1] > 0:
        return math.nan
    rank = q * counts[-1]
    place = next((index for index, count in enumerate(counts[:-1]) if count >= rank), len(counts) - 1)
    if place == len(counts) - 1:
        return bounds[-2]
    if place == 0 and bounds[0] <= 0:
        return bounds[0]
    lower, below = (bounds[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    inside = counts[place] - below
    # An empty bucket is only found for q = 0 with nothing below; Prometheus divides zero by zero there.
    return lower + (bounds[place] - lower) * ((rank - below) / inside) if inside else math.nan


def _cumulative(buckets: Iterable[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Bounds ascending, each once, with counts that never fall: pods are not scraped at one instant."""
    merged: dict[float, float] = {}
    for bound, count in buckets:
        merged[bound] = merged.get(bound, 0.0) + count
    bounds = sorted(merged)
    counts: list[float] = []
    for bound in bounds:
        counts.append(max(merged[bound], counts[-1]) if counts else merged[bound])
    return bounds, counts
