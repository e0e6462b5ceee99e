"""What a run was worth: the SLO, the bill, and how restless it was. `cli` and the benchmarks print it."""

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from podtide.sim.runner import Run, Scaling

FLAP = 600.0
"""Seconds within which a scaling in the other direction is a flap."""
SLOT = 60.0
"""Seconds over which the pods needed are averaged, for the time under- and over-provisioned."""
AMPLE = 1.5
"""How many times the pods needed are called over-provisioned."""


@dataclass(frozen=True, slots=True)
class Score:
    """One policy's figures."""

    requests: float
    violations: float
    """Share of the requests that took longer than the bound, or were dropped; 0 to 1."""
    p50: float | None
    """Seconds; None where no single requests are simulated."""
    p95: float | None
    p99: float | None
    dropped: float
    pod_hours: float
    bound_pod_hours: float
    """What no schedule meeting the bound for every request goes below."""
    scalings: int
    flaps: int
    peak: int
    """The most replicas."""
    under: float
    """Seconds with fewer ready pods than the load keeps busy."""
    over: float
    """Seconds with more than `AMPLE` times as many."""

    @property
    def ratio(self) -> float:
        """Pod-hours over the bound."""
        return self.pod_hours / self.bound_pod_hours if self.bound_pod_hours else math.inf


def score(run: Run, *, slo: float, needs: Sequence[float], bound: float) -> Score:
    """The figures of a run. `needs` are the pods kept busy in each slot, `bound` the oracle's pod-seconds."""
    served, mark = run.served, run.mark
    ordered = served.known(mark.latencies)
    late = len(ordered) - bisect_right(ordered, slo) + served.dropped + served.excess - mark.dropped - mark.excess
    offered = (served.offered - mark.offered) or len(ordered) + served.dropped - mark.dropped
    scalings = [each for each in run.scalings if each.at >= mark.at]
    under, over = _provisioned(run, needs)
    return Score(
        requests=offered,
        violations=min(1.0, late / offered) if offered else 0.0,
        p50=quantile(ordered, 0.5),
        p95=quantile(ordered, 0.95),
        p99=quantile(ordered, 0.99),
        dropped=served.dropped + served.excess - mark.dropped - mark.excess,
        pod_hours=(run.pod_seconds - mark.pod_seconds) / 3600,
        bound_pod_hours=bound / 3600,
        scalings=len(scalings),
        flaps=flaps(scalings),
        peak=max([mark.replicas, *(each.after for each in scalings)]),
        under=under,
        over=over,
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value that so large a share is at or below; None of nothing."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def flaps(scalings: Sequence[Scaling]) -> int:
    """Scalings that took back the direction of the one before within `FLAP` seconds."""
    pairs = itertools.pairwise(scalings)
    return sum(
        (one.after > one.before) != (other.after > other.before) and other.at - one.at <= FLAP for one, other in pairs
    )


def _provisioned(run: Run, needs: Sequence[float]) -> tuple[float, float]:
    course, begin = run.course, run.world.begin
    under = over = 0.0
    before = begin
    for at, ready in zip(course.at, course.ready, strict=True):
        slot = int((before - begin) / SLOT)
        if slot < len(needs) and before >= run.mark.at:
            need = max(1, math.ceil(needs[slot]))
            under += (at - before) * (ready < needs[slot])
            over += (at - before) * (ready > AMPLE * need)
        before = at
    return under, over
