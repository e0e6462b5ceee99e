"""From what is known to a count: every metric proposes, the highest wins, the limits follow. `decide` calls this."""

from podtide.core import pods
from podtide.core.algorithms import registry
from podtide.core.algorithms.base import Algorithm
from podtide.core.engine import around, foresee, formulas, signals, zero
from podtide.core.engine.verdict import Measured, Verdict
from podtide.core.limits import bounds as limits
from podtide.core.limits import combine, fallback, freshness, starting
from podtide.core.memory import Frozen, Memory
from podtide.core.model.decision import Note, Proposal
from podtide.core.model.history import History, Recommendation
from podtide.core.model.signal import Signal
from podtide.core.model.spec import Apa, AutoscalerSpec, Bounds, Formula, MetricSpec
from podtide.core.model.view import TargetView

BELOW = "All metrics below target"
NO_METRICS = Proposal("", None, "FailedGetMetrics", "the object names no metric")


def judge(
    memory: Memory, spec: AutoscalerSpec, view: TargetView, counts: pods.Counts, bounds: Bounds, now: float
) -> Verdict:
    """The count for a target that could be read, in the order of Kubernetes' own pass."""
    current = view.replicas
    if current == 0 and not zero.is_awake(memory, spec, bounds):
        return Verdict(0, "ScalingDisabled", zero.described(spec), is_off=True)
    # In Kubernetes a woken workload reaches its minimum only once a metric could be computed.
    if current > 0 or not spec.is_exact:
        moved, note = limits.outside(current, bounds)
        if note is not None:
            # At once: no metric, no stabilisation and no rate keeps a count outside the bounds.
            return Verdict(moved, note.reason, note.message, trail=(note,))
    measured = _measure(memory, spec, view, now)
    return _limit(memory, spec, counts, bounds, measured, current=current, now=now)


def _measure(memory: Memory, spec: AutoscalerSpec, view: TargetView, now: float) -> Measured:
    """Every metric's signal and proposal, and what they come to together."""
    algorithm = registry.for_spec(spec.algorithm)
    existing = {pod.uid for pod in view.pods}
    seen, evidence, proposals, failing = [], [], [], {}
    for metric in spec.metrics:
        kept = memory.of(metric, spec.metrics)
        signal = signals.signal(kept, metric, existing, now)
        seen.append(signal)
        if metric.is_input:
            continue
        proof = signals.evidence(memory, spec.algorithm, kept, metric, signal)
        proposal = _propose(algorithm, memory, metric, signal, view, now)
        if isinstance(metric.source, Formula):
            proposal = formulas.told(proposal, memory, spec, metric.source)
        if zero.is_awaited(metric, view.replicas) and (proposal.replicas is None or freshness.is_stale(proof)):
            failing[metric.id] = min(now, memory.failing.get(metric.id, now))
        evidence.append(proof)
        proposals.append(proposal)
    combined = combine.combine(proposals, view.replicas)
    outlooks = foresee.outlooks(memory, spec, view, now)
    return Measured(tuple(seen), tuple(evidence), tuple(proposals), combined, failing, outlooks)


def _propose(
    algorithm: Algorithm, memory: Memory, metric: MetricSpec, signal: Signal, view: TargetView, now: float
) -> Proposal:
    state, kind = memory.states.get(metric.id), algorithm.state_type
    if isinstance(state, Frozen) and kind is not None:
        state = state.thaw(kind)
    if kind is None or not isinstance(state, kind):
        state = None
    proposal = algorithm.propose(metric, signal, view, state, now)
    return zero.woken(proposal, metric, signal) if view.replicas == 0 else proposal


def _limit(
    memory: Memory,
    spec: AutoscalerSpec,
    counts: pods.Counts,
    bounds: Bounds,
    measured: Measured,
    *,
    current: int,
    now: float,
) -> Verdict:
    """What is left of the metrics' count after everything around the strategy."""
    combined, trail = measured.combined, _told(measured)
    asked = None if combined.replicas is None else max(0, combined.replicas)
    is_fallback = spec.fallback is not None and fallback.is_due(spec.fallback, measured.failing.values(), now=now)
    if spec.fallback is not None and is_fallback:
        asked, note = fallback.lift(asked, spec.fallback, current=current)
        trail += [note] if note else []
    if asked is None:
        first = combined.failed[0] if combined.failed else NO_METRICS
        message = f"invalid metrics ({len(combined.failed)} invalid out of {len(measured.proposals)}), "
        message += f"first error is: {first.message or first.reason}"
        return Verdict(current, first.reason, message, tuple(trail), measured, is_fallback=is_fallback)

    asked, note = foresee.lift(asked, measured.outlooks, spec, ready=counts.ready, current=current)
    changes, is_foreseen = [note] if note else [], note is not None
    held, note = freshness.hold(
        asked,
        measured.evidence,
        current=current,
        coming=counts.coming,
        min_coverage=spec.min_coverage,
        now=now,
        behind=0.0 if spec.is_exact else max(0.0, memory.clock - now),
    )
    changes += [note] if note else []
    if isinstance(spec.algorithm, Apa):
        rate = spec.algorithm.max_scale_up_rate
        held, note = starting.hold(held, current=current, coming=counts.coming, rate=rate)
        changes += [note] if note else []
    # A memory without recommendations begins with the current count, so a restart shrinks nothing for a whole window;
    # one that lacks the last ones of the process before, or those of a metric that was away, goes on with it.
    history = memory.history
    is_blind = asked < current and memory.was_blind(now, spec)
    if not history.recommendations or memory.has_missed(now, spec) or is_blind:
        found = Recommendation(now, current)
        history = History([*history.recommendations, found], history.grown, history.shrunk)
    limited = around.limit(spec, held, history, current=current, bounds=bounds, now=now)
    changes += limited.notes
    desired, note = limits.clamp(limited.replicas, bounds)
    changes += [note] if note else []
    return Verdict(
        desired,
        _reason(measured, changes, is_lifted=bool(trail) and trail[-1].stage == fallback.STAGE),
        _message(combined, asked=asked, desired=desired, current=current, is_foreseen=is_foreseen),
        (*trail, *changes),
        measured,
        limited,
        recommendation=asked,
        is_fallback=is_fallback,
        is_blind=is_blind,
    )


def _told(measured: Measured) -> list[Note]:
    """The metrics' own steps, and how they were combined."""
    trail = [note for proposal in measured.proposals for note in proposal.notes]
    combined = measured.combined
    if combined.winner is not None:
        reason = "MetricsMissing" if combined.is_blocked else combined.winner.reason
        trail.append(Note("combine", combined.winner.replicas, combined.replicas, reason, combined.winner.metric))
    return trail


def _reason(measured: Measured, changes: list[Note], *, is_lifted: bool) -> str:
    """The word of the last step that changed the number."""
    if changes:
        return changes[-1].reason
    winner = measured.combined.winner
    return "Fallback" if is_lifted or winner is None else winner.reason


def _message(combined: combine.Combined, *, asked: int, desired: int, current: int, is_foreseen: bool) -> str:
    """Why the count is to change, in HPA's words. They describe what was asked for, before the limits."""
    if asked > current and is_foreseen:
        return "a load is forecast that needs more"
    if asked > current:
        winner = combined.winner
        return f"{winner.metric} above target" if winner is not None else "the fallback is above the current count"
    if asked < current:
        return BELOW
    return "Current number of replicas below Spec.MinReplicas" if desired > current == 0 else ""
