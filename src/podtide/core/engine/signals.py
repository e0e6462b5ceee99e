"""What the memory says of each metric at a moment: the signal for the algorithm, and the evidence for a shrink."""

import math
from collections.abc import Set

from podtide.core.limits.freshness import Evidence
from podtide.core.memory import Memory, MetricMemory
from podtide.core.model.reading import Failure, Reason
from podtide.core.model.signal import Signal
from podtide.core.model.spec import Algorithm, Hpa, MetricSpec, Resource

_UNREAD = Failure(Reason.NO_DATA, "it has not been read yet")


def signal(kept: MetricMemory | None, metric: MetricSpec, existing: Set[str], now: float) -> Signal:
    """One metric at `now`. Values of pods that are not among the existing ones are left out."""
    if kept is None:
        return Signal(metric.id, None, failure=_UNREAD)
    values = kept.values
    if not values.keys() <= existing:
        values = {uid: value for uid, value in values.items() if uid in existing}
    return Signal(
        metric=metric.id,
        at=kept.at,
        per_pod=values,
        spans=kept.spans,
        total=kept.total,
        windows={name: window.average(now) for name, window in kept.windows.items()},
        coverage=kept.coverage,
        expected=kept.expected,
        age=math.inf if kept.at is None else now - kept.at,
        failures=kept.failures,
        failure=kept.failure,
    )


def evidence(memory: Memory, rules: Algorithm, kept: MetricMemory | None, metric: MetricSpec, of: Signal) -> Evidence:
    """What a shrink on this metric would rest on."""
    if kept is None or kept.refilled is None:
        return Evidence(of, metric.interval, math.inf, is_windowed=True, changed=memory.changed)
    refilled = kept.refilled
    if memory.crowded is not None and kept.expected:
        # The windows hold what few pods could carry, which is not the load that all of them have.
        refilled = max(refilled, memory.crowded + kept.span)
    is_cpu = isinstance(metric.source, Resource) and metric.source.name == "cpu"
    return Evidence(
        of,
        metric.interval,
        refilled,
        bool(kept.windows),
        memory.changed,
        leaves_out_starting=is_cpu and isinstance(rules, Hpa) and rules.guarded,
    )
