"""What is worth telling a person about a tick: pure comparisons of one tick's outcome with the last one told.

Events come only on change: a failure that lasts an hour is one event, not eighteen hundred.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from podtide.core.model.decision import Applied, Condition, Decision, Outcome

TOLD_WHEN_FALSE = frozenset({"AbleToScale", "ScalingActive", "MetricsAvailable", "ValidSpec"})
"""Conditions whose turning False is news, and whose recovery is too."""
TOLD_WHEN_TRUE = frozenset({"MultiPodAutoscalerConflict", "Fallback"})
TOLD_OTHERWISE = frozenset({"ScalingDisabled", "FailedUpdateScale"})
"""Reasons of such a condition that are no news: somebody has switched the workload off, or an event tells already."""
LEFT_TO_OTHERS = frozenset({"DryRun", "Paused", "MultiPodAutoscalerConflict"})
"""Conditions under which it is no news that somebody else scales: it has been told, or was asked for."""


@dataclass(frozen=True, slots=True)
class News:
    """One event to be."""

    kind: Literal["Normal", "Warning"]
    reason: str
    note: str
    action: str


@dataclass(frozen=True, slots=True)
class Told:
    """What the last tick that was told of looked like."""

    conditions: tuple[Condition, ...] = ()
    error: str = ""
    desired: int | None = None
    reason: str = ""
    bounds: tuple[int, int] | None = None
    replicas: tuple[int, ...] = ()
    """The counts the target may have now without anybody else's doing; empty while it is not known."""


def told(decision: Decision, applied: Applied) -> Told:
    """What to compare the next tick with."""
    bounds = (decision.bounds.minimum, decision.bounds.maximum)
    return Told(
        decision.conditions,
        _kind_of(applied.error),
        decision.desired,
        decision.reason,
        bounds,
        _ours(decision, applied),
    )


def _ours(decision: Decision, applied: Applied) -> tuple[int, ...]:
    if not decision.version:
        return ()
    if applied.outcome is Outcome.FAILED:
        # A patch without an answer may have been carried out all the same.
        return decision.current, decision.desired
    if applied.outcome is Outcome.REFUSED:
        # Somebody has changed the object since it was seen; whether it was the count, the next tick shows.
        return (decision.current,)
    return (applied.replicas,)


def remembered(status: Mapping[str, Any]) -> Told:
    """What was told of an object with this status, by an earlier process or another replica."""
    known = {"True": True, "False": False}
    return Told(
        tuple(
            Condition(
                one.get("type", ""), known.get(one.get("status", "")), one.get("reason", ""), one.get("message", "")
            )
            for one in status.get("conditions") or ()
        )
    )


def news(before: Told, decision: Decision, applied: Applied) -> Iterator[News]:
    """The events that a tick gives rise to."""
    is_outside = decision.version and before.replicas and decision.current not in before.replicas
    if is_outside and not any(
        condition.type in LEFT_TO_OTHERS and condition.status for condition in decision.conditions
    ):
        note = f"replicas {before.replicas[0]} → {decision.current}, set by somebody else; scaling goes on from there"
        yield News("Normal", "OutsideChange", note, "Observe")
    if applied.outcome is Outcome.PATCHED:
        yield News("Normal", "SuccessfulRescale", f"New size: {applied.replicas}; reason: {why(decision)}", "Rescale")
    elif applied.outcome is Outcome.FAILED and _kind_of(applied.error) != before.error:
        note = f"New size: {decision.desired}; reason: {why(decision)}; error: {applied.error}"
        yield News("Warning", "FailedRescale", note, "Rescale")
    was = {condition.type: condition for condition in _telling(before.conditions)}
    for condition in _telling(decision.conditions):
        yield from _turned(was.get(condition.type), condition)


def why(decision: Decision) -> str:
    """What set the count, in HPA's words and with the numbers of the metric that asked for most."""
    said = decision.message or decision.reason
    known = [proposal for proposal in decision.proposals if proposal.replicas is not None]
    if not known:
        return said
    winner = max(known, key=lambda proposal: proposal.replicas or 0)
    return f"{said} ({winner.message})" if winner.message else said


def gist(decision: Decision, applied: Applied) -> tuple[object, ...] | None:
    """What a tick said, in short: equal for two of which the second is no news. None where something was done.

    Numbers in messages are left out, and values count in steps of a twentieth of their target.
    """
    if applied.outcome in (Outcome.PATCHED, Outcome.FAILED, Outcome.REFUSED):
        return None
    return (
        decision.current,
        decision.desired,
        decision.ready,
        decision.action,
        decision.reason,
        decision.bounds,
        decision.schedule,
        applied.outcome,
        applied.error,
        tuple((condition.type, condition.status, condition.reason) for condition in decision.conditions),
        tuple((one.metric, one.panicking, one.reason, _step(one.value, one.target)) for one in decision.proposals),
    )


def _step(value: float | None, target: float | None) -> int | None:
    return None if value is None else round(20 * max(-1e6, min(1e6, value / target))) if target else 0


def changed(before: Told, decision: Decision, applied: Applied) -> bool:
    """Whether a log line is due: another wish, another reason, or something was done."""
    if applied.outcome in (Outcome.PATCHED, Outcome.FAILED, Outcome.REFUSED):
        return True
    return (before.desired, before.reason) != (decision.desired, decision.reason)


def _telling(conditions: tuple[Condition, ...]) -> Iterator[Condition]:
    """Those that say something of their own: while nothing can be computed, that is why a metric is missing, too."""
    is_blind = any(condition.type == "ScalingActive" and _is_bad(condition) for condition in conditions)
    return (condition for condition in conditions if not (is_blind and condition.type == "MetricsAvailable"))


def _turned(was: Condition | None, now: Condition) -> Iterator[News]:
    bad = _is_bad(now)
    if bad and (was is None or not _is_bad(was) or was.reason != now.reason):
        yield News("Warning", now.reason, now.message, now.type)
    elif not bad and was is not None and _is_bad(was):
        yield News("Normal", now.reason, now.message or f"{now.type} again", now.type)


def _is_bad(condition: Condition) -> bool:
    if condition.type in TOLD_WHEN_FALSE:
        return condition.status is False and condition.reason not in TOLD_OTHERWISE
    return condition.type in TOLD_WHEN_TRUE and condition.status is True


def _kind_of(error: str) -> str:
    """An error without its numbers, so that one that only counts on is not news."""
    return "".join(letter for letter in error if not letter.isdigit())
