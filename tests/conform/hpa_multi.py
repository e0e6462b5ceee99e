"""`hpa_multi`: several metrics on one HPA: the combination rule, partial failure, metric statuses."""

from podtide.core.algorithms.hpa.algorithm import HorizontalPods
from podtide.core.algorithms.hpa.answer import Answer, Trouble
from podtide.core.algorithms.hpa.evaluate import evaluate
from podtide.core.limits.combine import Combined, combine
from podtide.core.model.spec import Hpa
from podtide.core.model.view import TargetView
from tests.conform import hpa_metrics, hpa_pods
from tests.conform.outcome import Comparison, Outcome, Row


def run(row: Row) -> Outcome:
    """Compare one row: the count and its winner, the errors, the condition, and each metric's reported values."""
    comparison, expected = Comparison(row["id"]), row["expected"]
    rules = Hpa(
        tolerance=hpa_metrics.tolerance(row["behavior"], row["tolerance"]),
        cpu_initialization_period=row["cpu_initialization_period_s"],
        initial_readiness_delay=row["initial_readiness_delay_s"],
        guarded=False,
    )
    comparison.equal("tolerance_up", expected["tolerance_up"], rules.tolerance.up)
    comparison.equal("tolerance_down", expected["tolerance_down"], rules.tolerance.down)
    view = TargetView(row["now_s"], row["spec_replicas"], row["status_replicas"], "1", hpa_pods.pods(row["pods"]))
    specs = [hpa_metrics.spec(place, metric) for place, metric in enumerate(row["metrics"])]
    signals = [
        hpa_metrics.signal(spec, metric, data, row["now_s"])
        for spec, metric, data in zip(specs, row["metrics"], row["metric_data"], strict=True)
    ]
    answers = [evaluate(rules, spec, signal, view, row["now_s"]) for spec, signal in zip(specs, signals, strict=True)]
    for place, (metric, answer) in enumerate(zip(row["metrics"], answers, strict=True)):
        wanted = hpa_metrics.status_in_thousandths(expected["metric_statuses"][place])
        got = hpa_metrics.status(metric, answer) if isinstance(answer, Answer) else None
        comparison.equal(f"status {place}", wanted, got)
    algorithm = HorizontalPods(rules)
    proposals = [
        algorithm.propose(spec, signal, view, None, row["now_s"]) for spec, signal in zip(specs, signals, strict=True)
    ]
    _compare(comparison, row, answers, combine(proposals, row["spec_replicas"]))
    return comparison.outcome()


def _compare(comparison: Comparison, row: Row, answers: list[Answer | Trouble], combined: Combined) -> None:
    expected, metrics = row["expected"], row["metrics"]
    comparison.equal("replicas", expected["replicas"], -1 if combined.replicas is None else combined.replicas)
    comparison.equal("fatal", expected["fatal"], combined.replicas is None)
    troubles = [
        (metric, answer) for metric, answer in zip(metrics, answers, strict=True) if isinstance(answer, Trouble)
    ]
    error: str | None = None
    message = ""
    reason = "ValidMetricFound"
    if troubles:
        message, first = hpa_metrics.errors(*troubles[0])
        error = f"invalid metrics ({len(troubles)} invalid out of {len(metrics)}), first error is: {first}"
    comparison.equal("error", expected["error"], error)
    if combined.replicas is None:
        comparison.equal("metric", expected["metric"], "")
        message = f"the HPA was unable to compute the replica count: {message}"
        reason = combined.failed[0].reason
    else:
        assert combined.winner is not None
        title = hpa_metrics.title(metrics[int(combined.winner.metric.split(":")[0])])
        comparison.equal("metric", expected["metric"], title)
        message = f"the HPA was able to successfully calculate a replica count from {title}"
    condition = {
        "type": "ScalingActive",
        "status": "False" if combined.replicas is None else "True",
        "reason": reason,
        "message": message,
    }
    comparison.equal("condition", expected["condition"], condition)
