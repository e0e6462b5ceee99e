"""A decision, small enough for `status.lastDecision`: what `podtide explain` shows long after the tick is over.

The form carries a version: during a rollout a reader meets older and newer writers, and says so when it does not know
their form.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from podtide.api import figures, times
from podtide.core.model.decision import Applied, Decision, Note, Outlook, Proposal
from podtide.core.model.signal import Signal
from podtide.core.model.spec import AutoscalerSpec, MetricSpec

VERSION = 1
_LONGEST = 400
"""Characters of any one message."""


def summarise(decision: Decision, applied: Applied | None = None, spec: AutoscalerSpec | None = None) -> dict[str, Any]:
    """The decision and what became of it. With the spec, values are in their metric's unit."""
    metrics = {metric.id: metric for metric in spec.metrics} if spec else {}
    return {
        "version": VERSION,
        "at": times.stamp(decision.at),
        "current": decision.current,
        "desired": decision.desired,
        "action": decision.action.value,
        **({"outcome": applied.outcome.value} if applied else {}),
        **({"error": applied.error[:_LONGEST]} if applied and applied.error else {}),
        "reason": decision.reason,
        "message": decision.message[:_LONGEST],
        "minReplicas": decision.bounds.minimum,
        "maxReplicas": decision.bounds.maximum,
        **({"schedule": decision.schedule} if decision.schedule else {}),
        "ready": decision.ready,
        "starting": decision.starting,
        "metrics": [_metric(proposal, metrics.get(proposal.metric)) for proposal in decision.proposals],
        "steps": [_step(note) for note in decision.trail],
        **({"forecast": [_ahead(outlook) for outlook in decision.outlooks]} if decision.outlooks else {}),
        **({"shadow": _other(decision.shadow)} if decision.shadow else {}),
        "missing": [item for signal in decision.signals for item in _missing(signal)],
    }


def _metric(proposal: Proposal, metric: MetricSpec | None) -> dict[str, Any]:
    return {
        "name": proposal.metric,
        "current": figures.value(proposal.value, metric),
        "target": figures.value(proposal.target, metric),
        # In per mill of the target: what `status.changed` tells a trickle from a change by.
        **({} if not _share(proposal) else {"permille": _share(proposal)}),
        **({} if proposal.replicas is None else {"replicas": proposal.replicas}),
        "reason": proposal.reason,
        **({"message": proposal.message[:_LONGEST]} if proposal.message else {}),
        **({"panic": True} if proposal.panicking else {}),
        **({} if proposal.excess_burst_capacity is None else {"excessBurst": round(proposal.excess_burst_capacity)}),
    }


def _ahead(outlook: Outlook) -> dict[str, Any]:
    return {
        "metric": outlook.metric,
        "reason": outlook.reason,
        "message": outlook.message[:_LONGEST],
        **({} if outlook.replicas is None else {"replicas": outlook.replicas}),
        **({} if outlook.error is None else {"errorPercent": round(min(1e4, outlook.error) * 100)}),
    }


def _other(decision: Decision) -> dict[str, Any]:
    """What the shadow would do."""
    return {"desired": decision.desired, "reason": decision.reason, "message": decision.message[:_LONGEST]}


def _share(proposal: Proposal) -> int:
    if proposal.value is None or not proposal.target:
        return 0
    return round(min(1e6, max(-1e6, proposal.value / proposal.target)) * 1000)


def _step(note: Note) -> dict[str, Any]:
    return {
        "stage": note.stage,
        **({} if note.before is None else {"before": note.before}),
        **({} if note.after is None else {"after": note.after}),
        "reason": note.reason,
        **({"message": note.message[:_LONGEST]} if note.message else {}),
    }


def _missing(signal: Signal) -> Iterator[dict[str, Any]]:
    """One entry per reason, not per pod: a thousand pods behind one firewall have one trouble."""
    counts = Counter(failure.reason for failure in signal.failures.values())
    details = {failure.reason: failure.detail for failure in signal.failures.values()}
    if signal.failure is not None and signal.failure.reason not in counts:
        yield _trouble(signal, signal.failure.reason, signal.failure.detail, 0)
    for reason, count in sorted(counts.items()):
        yield _trouble(signal, reason, details[reason], count)


def _trouble(signal: Signal, reason: str, detail: str, pods: int) -> dict[str, Any]:
    return {
        "metric": signal.metric,
        "reason": str(reason),
        **({"detail": detail[:_LONGEST]} if detail else {}),
        **({"pods": pods} if pods else {}),
    }


def is_known(summary: Mapping[str, Any]) -> bool:
    """Whether this version can read the summary."""
    return summary.get("version") == VERSION
