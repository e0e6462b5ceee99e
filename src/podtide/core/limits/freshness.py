"""A shrink needs fresh values, from enough pods, over full windows. Growing does not. The engine applies it.

Does nothing to a count that stays or grows, nor where every value is new and complete; so upstream's vectors, whose
values always are, decide as they do upstream.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from podtide.core.model.decision import Note
from podtide.core.model.signal import Signal

STAGE = "freshness"


def max_age(interval: float) -> float:
    """Seconds after which a value is stale: two missed readings are bad luck, and a quick interval gets 15 s more."""
    return max(3.0 * interval, interval + 15.0)


class Evidence(NamedTuple):
    """What a shrink would rest on, of one metric."""

    signal: Signal
    interval: float
    """Seconds between two readings."""
    refilled: float
    """When the windows are full again, in seconds."""
    is_windowed: bool
    """Whether the algorithm sees the workload's total, in which silent pods are taken for average ones.

    Where it sees the pods one by one, as HPA does, it guesses for the silent ones itself.
    """
    changed: float | None = None
    """When the count last changed, in seconds."""
    leaves_out_starting: bool = False
    """Whether the algorithm sees the pods one by one, and sets those that are not ready aside: HPA with cpu."""


def is_stale(evidence: Evidence, behind: float = 0.0) -> bool:
    """Whether the newest value is too old to shrink on. A value from the future is as wrong as one from the past.

    `behind` is by how many seconds the clock has been put back: that makes no value younger.
    """
    age = evidence.signal.age
    return not max(abs(age), age + behind) <= max_age(evidence.interval)


def _is_of_before(evidence: Evidence) -> bool:
    """Whether the values were read before the count last changed.

    A mean over pods that is held against the count of now must not be used twice: each time it would shrink by the
    same share again. A total over a window is not affected.
    """
    at, changed = evidence.signal.at, evidence.changed
    return at is not None and changed is not None and at <= changed


def hold(
    replicas: int,
    evidence: Iterable[Evidence],
    *,
    current: int,
    coming: int = 0,
    min_coverage: float,
    now: float,
    behind: float = 0.0,
) -> tuple[int, Note | None]:
    """The count, or the current one where a shrink would rest on values that are stale, partial or too few.

    `coming` is how many of the current pods are on their way, `behind` as for `is_stale`.
    """
    if replicas >= current:
        return replicas, None
    least = replicas
    for each in evidence:
        signal = each.signal
        if is_stale(each, behind):
            age = f"{signal.age:.0f} s old" if math.isfinite(signal.age) else "not there yet"
            message = f"{signal.metric}: the newest value is {age}; to shrink it may be {max_age(each.interval):.0f} s"
            return current, Note(STAGE, replicas, current, "StaleMetrics", message)
        if now < each.refilled:
            message = f"{signal.metric}: {each.refilled - now:.0f} s more until the windows are full"
            return current, Note(STAGE, replicas, current, "RefillingWindows", message)
        if not each.is_windowed and _is_of_before(each):
            message = f"{signal.metric}: the values are of before the count changed"
            return current, Note(STAGE, replicas, current, "ValuesOfBefore", message)
        if each.is_windowed:
            if signal.coverage < min_coverage:
                message = f"{signal.metric}: {signal.coverage:.0%} of the pods answered, {min_coverage:.0%} must"
                return current, Note(STAGE, replicas, current, "PartialMetrics", message)
            least = max(least, at_target(replicas, signal, coming=coming))
        elif each.leaves_out_starting:
            least = max(least, replicas + coming)
    if least > replicas:
        held = min(least, current)
        message = "pods that did not answer, or are on their way, count as if at target"
        return held, Note(STAGE, replicas, held, "MissingPodsAtTarget", message)
    return replicas, None


def at_target(replicas: int, signal: Signal, *, coming: int = 0) -> int:
    """The count if each unknown pod keeps one pod busy.

    Silent pods were taken for average ones in `replicas`. Those on their way were not: when most pods are replaced at
    once, the few that are up can be all busy, and their load still asks for fewer pods than there are to be. A value
    that no pod was asked for is known in full.
    """
    if not signal.expected:
        return replicas
    if signal.coverage >= 1.0:
        return replicas + coming
    # A share is not exact in binary, and its last bit must not ask for a pod.
    return math.ceil(replicas * signal.coverage + signal.expected * (1.0 - signal.coverage) - 1e-6) + coming
