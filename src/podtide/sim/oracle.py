"""The least that a policy knowing the future would have needed: a proven bound, and a schedule that gets close to it.

The bound. Let n(t) be the pods that serve at t in any schedule that answers every request within L seconds of its
arrival, each pod doing at most c work per second. What arrives in [t, t+w) is done by t+w+L, so the mean m(t) = 1/h ∫ n
over [t, t+h), with h = w+L, is at least W(t, t+w) ÷ (c·h). A pod costs its serving time, and before it the start-up
time d in which it serves nobody, less where the beginning is nearer: C(n) = ∫ n + Σ φ(t) · (pods that begin at t) with
φ(t) = min(t, d). C is convex, and moving a schedule to earlier times makes it no dearer, so by Jensen's inequality
C(m) ≤ C(n). The least C over all m above a given curve is reached by filling each gap of its level sets that is shorter
than d, since a pod that is kept for a gap of g seconds costs g and one that is started anew costs d: that is the
curve's morphological closing. So C of the closing bounds every schedule from below, for every w, and the largest
counts. On a grid of δ seconds, with w and L rounded up to it, the same holds for the sums, as each instant lies in h/δ
windows; there a pod's begin is known to a step, so φ is taken a step earlier.

For a load without a queue, n(t) ≥ ceil(load ÷ capacity) is needed at every instant; the closing of that is exact.
"""

import itertools
import math
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from podtide.core.model.spec import Bounds

_GRID = 50_000
"""The most points in time that the bound is computed on."""
_LONGEST = 3600.0
"""Seconds of the longest window that is tried."""


@dataclass(frozen=True, slots=True)
class Load:
    """Work over time, from 0 on."""

    arrivals: "array[float]"
    """Seconds, in order."""
    work: "array[float]"
    duration: float
    """Seconds."""
    capacity: float
    """Work that a pod does in a second."""
    speed: float
    """Work of one request that a pod does in a second."""

    def since(self, begin: float) -> "Load":
        """What arrives from there on, from 0 on again."""
        if begin <= 0:
            return self
        first = bisect_left(self.arrivals, begin)
        arrivals = array("d", (at - begin for at in self.arrivals[first:]))
        return Load(arrivals, self.work[first:], self.duration - begin, self.capacity, self.speed)


def bound(load: Load, slo: float, *, startup: float, bounds: Bounds) -> float:
    """Pod-seconds that no schedule meeting the bound for every request can go below.

    Requests whose own work takes longer than `slo` seconds cannot meet it, and are left out. `startup` is the least
    that a pod takes to become ready, in seconds.
    """
    step = max(min(slo, 1.0), load.duration / _GRID)
    sums = _cumulated(load, step, longest=slo)
    # Whole steps only: what has to be done by an instant after the load's end may be done after it.
    points, slack = math.floor(load.duration / step + 1e-9), math.ceil(slo / step - 1e-9)
    best = bounds.minimum * load.duration
    width = 1
    while width * step <= _LONGEST and width + slack <= points:
        span = width + slack
        per = load.capacity * span * step
        curve = [max(float(bounds.minimum), (sums[at + width] - sums[at]) / per) for at in range(points - span + 1)]
        best = max(best, cost(curve, step, startup, early=step))
        width *= 2
    return best


def exact(needed: Sequence[int], step: float, *, startup: float, bounds: Bounds) -> float:
    """The least pod-seconds with at least so many serving pods in each step; those within the bounds, that is."""
    curve = [float(max(bounds.minimum, min(bounds.maximum, count))) for count in needed]
    return cost(curve, step, startup)


def cost(curve: Sequence[float], step: float, startup: float, *, early: float = 0.0) -> float:
    """The least of serving and start-up time, in pod-seconds, over all curves that are nowhere below this one.

    A pod may have begun up to `early` seconds before the step in which it is first needed: less than a step, 0 where
    steps are exact.
    """
    filled = closing(curve, math.ceil(startup / step - 1e-9))
    total, before = math.fsum(filled) * step, filled[0]
    for place, value in enumerate(filled):
        if value > before:
            total += (value - before) * min(place * step - early, startup)
        before = value
    return total - early * max(0.0, filled[0] - curve[0])


def closing(curve: Sequence[float], gap: int) -> list[float]:
    """The curve with every gap of its level sets filled that is shorter than `gap` steps.

    A gap at the beginning is filled alike, as its pods can be there from the start; one at the end is no gap.
    """
    # A gap as long as the curve fills all there is to fill.
    gap = min(gap, len(curve))
    if gap <= 1:
        return list(curve)
    ahead = _extreme(list(curve), gap, max)
    lead = [ahead[0]] * (gap - 1)
    return _extreme(lead + ahead, gap, min)[: len(curve)]


def _extreme(values: list[float], count: int, better: Callable[[float, float], float]) -> list[float]:
    """The extreme of each value and the `count` − 1 after it."""
    kept: deque[int] = deque()
    found = [0.0] * len(values)
    for at in range(len(values) - 1, -1, -1):
        while kept and better(values[at], values[kept[-1]]) == values[at]:
            kept.pop()
        kept.append(at)
        if kept[0] >= at + count:
            kept.popleft()
        found[at] = values[kept[0]]
    return found


def _cumulated(load: Load, step: float, *, longest: float) -> list[float]:
    slots = [0.0] * max(1, math.ceil(load.duration / step))
    last = len(slots) - 1
    for at, work in zip(load.arrivals, load.work, strict=True):
        if work <= longest * load.speed:
            slots[min(last, int(at / step))] += work
    return [0.0, *itertools.accumulate(slots)]


def needed(load: Load, step: float) -> list[float]:
    """Pods that the work arriving in each step keeps busy all the time."""
    sums = _cumulated(load, step, longest=math.inf)
    return [(after - before) / (load.capacity * step) for before, after in itertools.pairwise(sums)]


def schedule(
    needs: Sequence[float], step: float, *, reserve: float, startup: float, bounds: Bounds
) -> list[tuple[float, int]]:
    """Counts in order, (seconds, pods), `startup` seconds ahead: n + `reserve` × √n pods for a need of n.

    The square root is what a queue needs beyond its work for the same waiting at any size (Halfin and Whitt, 1981). A
    reserve below 0 takes pods away.
    """
    wanted = [
        float(max(bounds.minimum, min(bounds.maximum, math.ceil(need + reserve * math.sqrt(need) - 1e-9))))
        for need in needs
    ]
    ahead = math.ceil(startup / step - 1e-9)
    # A pod is there while it serves and while it starts: as long as it is needed within the start-up time.
    there = _extreme(closing(wanted, ahead), ahead + 1, max)
    changes = [(0.0, int(there[0]))]
    changes += [(at * step, int(now)) for at, (before, now) in enumerate(itertools.pairwise(there), 1) if now != before]
    return changes
