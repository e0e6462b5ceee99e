"""From zero and to zero: who may wake a workload that has no pods, and on what. `judge` and `settle` ask."""

from podtide.core.memory import Memory
from podtide.core.model.decision import Decision, Note, Proposal
from podtide.core.model.signal import Signal
from podtide.core.model.spec import AutoscalerSpec, Bounds, Custom, Endpoint, External, Formula, Hpa, MetricSpec, Query

STAGE = "zero"


def is_waker(metric: MetricSpec) -> bool:
    """Whether the metric has a value while there are no pods."""
    source = metric.source
    if isinstance(source, Formula):
        return not source.needs_pods
    return isinstance(source, Endpoint | External | Query) or (
        isinstance(source, Custom) and source.described is not None
    )


def is_awaited(metric: MetricSpec, replicas: int) -> bool:
    """Whether the metric should have a value: what pods tell is not missing while there are to be none."""
    return replicas > 0 or is_waker(metric)


def has_waker(spec: AutoscalerSpec) -> bool:
    """Whether any metric could wake the workload."""
    return any(is_waker(metric) for metric in spec.metrics if not metric.is_input)


def is_awake(memory: Memory, spec: AutoscalerSpec, bounds: Bounds) -> bool:
    """Whether metrics are looked at although there are no replicas.

    A zero that somebody else asked for is respected where it can be told from our own: with a minimum above zero, and
    with HPA always. After a restart without a status HPA cannot tell; then a workload that may be zero may be woken.
    """
    if bounds.minimum > 0:
        return memory.scaled_to_zero is True and not _is_gated(spec)
    if not has_waker(spec):
        return False
    if isinstance(spec.algorithm, Hpa):
        unknown = memory.scaled_to_zero is None and not memory.has_run
        return (memory.scaled_to_zero is True or unknown) and not _is_gated(spec)
    return True


def _is_gated(spec: AutoscalerSpec) -> bool:
    return isinstance(spec.algorithm, Hpa) and not spec.algorithm.scale_to_zero


def remembers(spec: AutoscalerSpec, bounds: Bounds) -> bool | None:
    """Whether a scaling to zero now would be one to come back from; None where it is not remembered at all.

    Also where no metric could wake the workload: a schedule, or an edit, may raise the minimum above zero.
    """
    return None if _is_gated(spec) else bounds.minimum == 0


def is_reached(decision: Decision) -> bool | None:
    """What is remembered once the decision has been carried out."""
    to_zero = decision.upkeep.to_zero if decision.upkeep is not None else None
    return to_zero and decision.desired == 0 < decision.current


def is_kept(decision: Decision) -> bool:
    """Whether a workload at zero stays there by an autoscaler that may have it so."""
    upkeep = decision.upkeep
    return upkeep is not None and upkeep.to_zero is True and decision.current == decision.desired == 0


def woken(proposal: Proposal, metric: MetricSpec, signal: Signal) -> Proposal:
    """The proposal for a workload without pods: one at least above the activation value, none at or below it."""
    if proposal.replicas is None or signal.total is None or not is_waker(metric):
        return proposal
    if signal.total > metric.activation:
        replicas, reason = max(1, proposal.replicas), "Activated"
    else:
        replicas, reason = 0, "NotActivated"
    if replicas == proposal.replicas:
        return proposal
    message = f"{signal.total:g}, activation value {metric.activation:g}"
    note = Note(STAGE, proposal.replicas, replicas, reason, message)
    return proposal._replace(replicas=replicas, notes=(*proposal.notes, note))


def described(spec: AutoscalerSpec) -> str:
    """Why a workload at zero stays there."""
    if has_waker(spec):
        return "scaling is disabled since the replica count of the target is zero"
    return (
        "scaling is disabled since the replica count of the target is zero, and every metric needs pods: "
        "add a source of type external, prometheus or endpoint to wake it"
    )
