"""One tick's decision. Equal arguments give equal decisions, and nothing is changed by asking."""

from podtide.core import pods
from podtide.core.engine import conditions, foresee, zero
from podtide.core.engine.judge import judge
from podtide.core.engine.verdict import Verdict
from podtide.core.limits import rates, schedule
from podtide.core.memory import Memory
from podtide.core.model.decision import Action, Decision, Upkeep
from podtide.core.model.spec import AutoscalerSpec, Bounds, Mode
from podtide.core.model.view import TargetView


def decide(memory: Memory, spec: AutoscalerSpec, view: TargetView, now: float) -> Decision:
    """The count that the autoscaler wants at `now`, and every step that led to it.

    A target that could not be read keeps its count. The mode and other autoscalers of the target only set the action:
    the count is what it would be without them.
    """
    force = schedule.in_force(spec.bounds, spec.schedules, now)
    if view.failure is not None:
        current = memory.replicas or 0
        return Decision(
            key=spec.key,
            at=now,
            version="",
            current=current,
            desired=current,
            action=Action.KEEP,
            reason="FailedGetScale",
            message=view.failure,
            bounds=force.bounds,
            schedule=force.schedule,
            next_transition=force.until,
            conditions=conditions.unreadable(spec, view.failure),
        )
    has_lapsed = not memory.is_continued(now, spec)
    if has_lapsed:
        memory = memory.restarted(now)
    counts = pods.count(view, starting_limit=spec.starting_limit, now=now)
    verdict = judge(memory, spec, view, counts, force.bounds, now)
    measured = verdict.measured
    return Decision(
        key=spec.key,
        at=now,
        version=view.version,
        current=view.replicas,
        desired=verdict.desired,
        action=_action(spec, view, verdict.desired),
        reason=verdict.reason,
        message=verdict.message,
        bounds=force.bounds,
        schedule=force.schedule,
        next_transition=force.until,
        trail=verdict.trail,
        proposals=measured.proposals if measured else (),
        signals=measured.signals if measured else (),
        conditions=conditions.readable(memory, spec, view, verdict),
        ready=counts.ready,
        starting=counts.starting,
        outlooks=measured.outlooks if measured else (),
        horizon=foresee.horizon(spec, view),
        shadow=_shadow(memory, spec, view, now),
        upkeep=_upkeep(
            memory,
            spec,
            verdict,
            counts,
            force.bounds,
            has_lapsed=has_lapsed,
            has_missed=memory.has_missed(now, spec) or verdict.is_blind,
        ),
    )


def _shadow(memory: Memory, spec: AutoscalerSpec, view: TargetView, now: float) -> Decision | None:
    """What the other policy would do with this target now."""
    if spec.shadow is None:
        return None
    return decide(memory.shadow or memory.other(), spec.shadow, view, now)


def _action(spec: AutoscalerSpec, view: TargetView, desired: int) -> Action:
    if desired == view.replicas:
        return Action.KEEP
    return Action.SUPPRESS if view.rivals or spec.mode is not Mode.ACTIVE else Action.PATCH


def _upkeep(
    memory: Memory,
    spec: AutoscalerSpec,
    verdict: Verdict,
    counts: pods.Counts,
    bounds: Bounds,
    *,
    has_lapsed: bool,
    has_missed: bool,
) -> Upkeep:
    """What is to be remembered of it."""
    if verdict.measured is not None:
        failing = verdict.measured.failing
    else:
        # Without pods there is nothing to fail.
        failing = {} if verdict.is_off else dict(memory.failing)
    behavior = spec.behavior
    return Upkeep(
        recommendation=verdict.recommendation,
        outdated=verdict.limited.outdated if verdict.limited else 0.0,
        periods=(rates.longest(behavior.up), rates.longest(behavior.down)) if behavior else None,
        failing=failing,
        to_zero=zero.remembers(spec, bounds),
        is_off=verdict.is_off,
        is_crowded=_is_crowded(spec, verdict, counts),
        has_lapsed=has_lapsed,
        has_missed=has_missed,
    )


def _is_crowded(spec: AutoscalerSpec, verdict: Verdict, counts: pods.Counts) -> bool:
    wanted = counts.ready + counts.coming
    if counts.ready >= spec.min_coverage * wanted:
        return False
    return verdict.recommendation is None or verdict.recommendation >= counts.ready
