"""One metric of an autoscaler, whatever its source, put to the calculator. `algorithm` and conformance call it."""

import math
from collections.abc import Mapping

from podtide.core.algorithms import target
from podtide.core.algorithms.hpa import arithmetic, pods, replicas, totals
from podtide.core.algorithms.hpa.answer import Answer, Trouble, TroubleKind
from podtide.core.model import quantity
from podtide.core.model.signal import Signal
from podtide.core.model.spec import Custom, Hpa, MetricSpec, Resource, TargetType
from podtide.core.model.view import TargetView


def evaluate(rules: Hpa, metric: MetricSpec, signal: Signal, view: TargetView, now: float) -> Answer | Trouble:
    """The count the metric asks for at `now`, or why it cannot say."""
    if signal.failure is not None:
        return Trouble(TroubleKind.METRICS_UNAVAILABLE, signal.failure.detail or str(signal.failure))
    if metric.threshold.milli <= 0:
        return Trouble(TroubleKind.INVALID_TARGET, f"the target {metric.threshold.value} must be above zero")
    if metric.threshold.kind is TargetType.UTILIZATION and not isinstance(metric.source, Resource):
        return Trouble(TroubleKind.INVALID_TARGET, "only cpu and memory have a utilization")
    if target.is_per_pod(metric) and metric.threshold.kind is not TargetType.VALUE:
        return _per_pod(rules, metric, signal, view, now)
    return _whole(rules, metric, signal, view)


def _per_pod(rules: Hpa, metric: MetricSpec, signal: Signal, view: TargetView, now: float) -> Answer | Trouble:
    source, threshold, usage = metric.source, metric.threshold, _thousandths(signal.per_pod)
    readiness = None
    if isinstance(source, Resource) and source.name == "cpu":
        readiness = pods.Readiness(now, rules.cpu_initialization_period, rules.initial_readiness_delay, signal.spans)
    if isinstance(source, Resource) and threshold.kind is TargetType.UTILIZATION:
        return replicas.for_utilization(
            view.pods,
            usage,
            quantity.away_from_zero(threshold.milli, 1000),
            resource=source.name,
            container=source.container,
            current=view.replicas,
            tolerance=rules.tolerance,
            readiness=readiness,
        )
    return replicas.for_average(
        view.pods, usage, threshold.milli, current=view.replicas, tolerance=rules.tolerance, readiness=readiness
    )


def _whole(rules: Hpa, metric: MetricSpec, signal: Signal, view: TargetView) -> Answer | Trouble:
    usage, threshold = _total(metric, signal, view), metric.threshold
    if usage is None:
        return Trouble(TroubleKind.METRICS_UNAVAILABLE, "the source has given no value yet")
    if threshold.kind is TargetType.VALUE:
        return totals.for_value(
            usage, threshold.milli, current=view.replicas, listed=view.pods, tolerance=rules.tolerance
        )
    return totals.for_average(
        usage,
        threshold.milli,
        status=view.status_replicas,
        tolerance=rules.tolerance,
        is_sum=not isinstance(metric.source, Custom),
    )


def _total(metric: MetricSpec, signal: Signal, view: TargetView) -> int | None:
    """The value of the whole workload in thousandths.

    A per-pod source may have lost pods, so its total is the mean of those that answered times those that serve.
    """
    if not target.is_per_pod(metric):
        total = signal.total
        return quantity.from_float(total) if total is not None and math.isfinite(total) else None
    usage = _thousandths(signal.per_pod)
    if not usage:
        return None
    return quantity.saturate(arithmetic.quotient(sum(usage.values()) * pods.ready_pods(view.pods), len(usage)))


def _thousandths(values: Mapping[str, float]) -> dict[str, int]:
    # Sources hand on finite numbers only; should one not, its pod is missing rather than the autoscaler broken.
    return {uid: quantity.from_float(value) for uid, value in values.items() if math.isfinite(value)}
