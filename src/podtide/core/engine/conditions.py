"""What a tick says about the autoscaler as conditions, in HPA's words where it has them. `decide` calls this, and
the worker once it has acted.

A condition that is left out says nothing new, and stays as it was; `Paused`, `DryRun` and `Fallback` are there only
while they hold. `Ready` is made of these by `api.status`, which knows how long they have held.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from podtide.core.engine import zero
from podtide.core.engine.verdict import Measured, Verdict
from podtide.core.limits import freshness
from podtide.core.memory import Memory
from podtide.core.model.decision import Applied, Condition, Decision, Outcome
from podtide.core.model.spec import AutoscalerSpec, Mode
from podtide.core.model.view import TargetView

# What most ticks say, made once.
WITHIN = Condition("ScalingLimited", False, "DesiredWithinRange", "the desired count is within the acceptable range")
READABLE = Condition("AbleToScale", True, "SucceededGetScale", "the target's current scale could be read")
FREE = Condition("AbleToScale", True, "ReadyForNewScale", "no recent recommendation holds the count back")
AVAILABLE = Condition("MetricsAvailable", True, "MetricsAvailable", "every metric has a value")
ALONE = Condition("MultiPodAutoscalerConflict", False, "NoConflict", "no other autoscaler has this target")


def unreadable(spec: AutoscalerSpec, failure: str) -> tuple[Condition, ...]:
    """The conditions while the target cannot be read."""
    # The failure begins with the reason, for those who read it alone.
    message = failure.removeprefix("FailedGetScale: ")
    return (Condition("AbleToScale", False, "FailedGetScale", message), *_mode(spec))


def told(decision: Decision, applied: Applied) -> Decision:
    """The decision as it is reported: HPA's `AbleToScale` is False, too, while the count cannot be changed.

    A scaling to zero is told of with the tick that made it: whoever takes over before the next must know whose it was.
    """
    if applied.outcome is Outcome.FAILED:
        message = f"the scale of the target could not be changed: {applied.error}"
        return _with(decision, Condition("AbleToScale", False, "FailedUpdateScale", message))
    reached = zero.is_reached(decision) if applied.outcome is Outcome.PATCHED else None
    return decision if reached is None else _with(decision, _zero(is_ours=reached))


def _with(decision: Decision, told: Condition) -> Decision:
    others = (condition for condition in decision.conditions if condition.type != told.type)
    return replace(decision, conditions=(told, *others))


def _zero(*, is_ours: bool) -> Condition:
    if is_ours:
        return Condition(
            "ScaledToZero", True, "ScaledToZero", "this autoscaler has scaled to zero, or found and kept it"
        )
    return Condition("ScaledToZero", False, "NotScaledToZero", "the last scaling by this autoscaler was not to zero")


def readable(memory: Memory, spec: AutoscalerSpec, view: TargetView, verdict: Verdict) -> tuple[Condition, ...]:
    """The conditions of a tick that had a target."""
    found = [_able(verdict)]
    if verdict.is_off:
        found.append(Condition("ScalingActive", False, "ScalingDisabled", verdict.message))
    if verdict.measured is not None:
        found += (_active(spec, verdict, verdict.measured), _available(spec, view, verdict.measured))
    if verdict.limited is not None:
        note = verdict.limited.limited
        if note is None:
            found.append(WITHIN)
        else:
            found.append(Condition("ScalingLimited", True, note.reason, note.message))
    if memory.scaled_to_zero is not None:
        found.append(_zero(is_ours=memory.scaled_to_zero))
    found.append(_conflict(view))
    if verdict.is_fallback and spec.fallback is not None:
        message = f"metrics are unavailable: at least {spec.fallback.replicas} replicas are kept"
        found.append(Condition("Fallback", True, "MetricsUnavailable", message))
    return (*found, *_mode(spec))


def _able(verdict: Verdict) -> Condition:
    if verdict.limited is None:
        return READABLE
    note = verdict.limited.stabilised
    return FREE if note is None else Condition("AbleToScale", True, note.reason, note.message)


def _active(spec: AutoscalerSpec, verdict: Verdict, measured: Measured) -> Condition:
    combined = measured.combined
    if combined.replicas is None or combined.winner is None:
        why = f"{combined.failed[0].metric}: {combined.failed[0].message}" if combined.failed else verdict.message
        reason = combined.failed[0].reason if combined.failed else verdict.reason
        return Condition("ScalingActive", False, reason, f"unable to compute the replica count: {why}")
    message = f"the replica count was computed from {combined.winner.metric}"
    if not verdict.desired and not zero.has_waker(spec):
        message += "; every metric needs pods, so nothing will wake the workload from zero"
    return Condition("ScalingActive", True, "ValidMetricFound", message)


def _available(spec: AutoscalerSpec, view: TargetView, measured: Measured) -> Condition:
    asking = (metric for metric in spec.metrics if not metric.is_input)
    for metric, proposal, proof in zip(asking, measured.proposals, measured.evidence, strict=True):
        signal = proof.signal
        if not zero.is_awaited(metric, view.replicas):
            continue
        if proposal.replicas is None:
            why = str(signal.failure) if signal.failure is not None else proposal.message
            return Condition("MetricsAvailable", False, proposal.reason, f"{proposal.metric}: {why}")
        if freshness.is_stale(proof):
            why = str(signal.failure) if signal.failure is not None else "no reading came"
            message = f"{proposal.metric}: the newest value is {signal.age:.0f} s old: {why}"
            return Condition("MetricsAvailable", False, "StaleMetrics", message)
        if signal.coverage < spec.min_coverage:
            message = f"{proposal.metric}: {signal.coverage:.0%} of {signal.expected} pods answered"
            return Condition("MetricsAvailable", False, "PartialMetrics", message)
    return AVAILABLE


def _conflict(view: TargetView) -> Condition:
    if not view.rivals:
        return _followed(view.younger) if view.younger else ALONE
    message = f"the target is scaled by {', '.join(view.rivals)}, which is older; nothing is changed here"
    return Condition("MultiPodAutoscalerConflict", True, "OlderAutoscaler", message)


def _followed(younger: Sequence[str]) -> Condition:
    """Both act, whatever we do here: a HorizontalPodAutoscaler knows nothing of others."""
    who = ", ".join(younger)
    message = f"the target is scaled by {who}, too, which is younger but gives way to nobody; delete one of the two"
    return Condition("MultiPodAutoscalerConflict", True, "YoungerAutoscaler", message)


def _mode(spec: AutoscalerSpec) -> Iterator[Condition]:
    if spec.mode is Mode.PAUSED:
        yield Condition("Paused", True, "Paused", "spec.mode is Paused: nothing is changed")
    elif spec.mode is Mode.DRY_RUN:
        yield Condition("DryRun", True, "DryRun", "spec.mode is DryRun: decisions are reported and not carried out")
