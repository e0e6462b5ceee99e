"""`hpa_replicas`: Kubernetes' replica calculator, one metric at a time."""

from podtide.core.algorithms.hpa import pods, replicas, totals
from podtide.core.algorithms.hpa.answer import Answer, Trouble
from podtide.core.algorithms.hpa.evaluate import evaluate
from podtide.core.model import quantity
from podtide.core.model.reading import Failure, Reason
from podtide.core.model.signal import Signal
from podtide.core.model.spec import External, Hpa, MetricSpec, Select, Threshold, Tolerance
from podtide.core.model.view import TargetView
from tests.conform import hpa_pods
from tests.conform.outcome import Comparison, Outcome, Row

MOST = 2**31 - 1


def run(row: Row) -> Outcome:
    """Compare one row: the count, the reported values, the clause or the error, and how the pods were sorted."""
    comparison, expected = Comparison(row["id"]), row["expected"]
    got = answer(row)
    if expected.get("groups"):
        _compare_groups(comparison, row)
    if isinstance(got, Trouble):
        comparison.equal("replicas", expected["replicas"], None)
        comparison.equal("error", expected["error"], got.text)
        comparison.equal("error_kind", expected["error_kind"], str(got.kind))
        comparison.equal("branch", expected["branch"], "error")
        return comparison.outcome()
    comparison.equal("error", expected["error"], None)
    left_out = _left_out(comparison, row, got)
    found = {
        "replicas": got.replicas,
        "branch": got.rule.removeprefix("value_"),
        "utilization": got.utilization,
        "raw_average_milli": got.usage,
        "usage_milli": got.usage,
    }
    for name, value in found.items():
        if name in expected and name not in left_out:
            comparison.equal(name, expected[name], value)
    return comparison.outcome()


def answer(row: Row) -> Answer | Trouble:
    """Ask the core what the row asks upstream."""
    if row["metrics_error"]:
        return _failed(row)
    kind, target = row["kind"].removeprefix("container_"), next(iter(row["target"].values()))
    tolerance = Tolerance(up=row["tolerance_up"], down=row["tolerance_down"])
    current, listed = row["current_replicas"], hpa_pods.pods(row["pods"])
    if kind in ("resource_average_value", "pods_average_value"):
        return replicas.for_average(
            listed,
            hpa_pods.usage(row.get("metrics")),
            target,
            current=current,
            tolerance=tolerance,
            readiness=readiness(row),
        )
    if kind == "resource_utilization":
        return replicas.for_utilization(
            listed,
            hpa_pods.usage(row.get("metrics")),
            target,
            resource=row["resource"],
            container=row.get("container"),
            current=current,
            tolerance=tolerance,
            readiness=readiness(row),
        )
    if kind in ("object_value", "external_value"):
        usage = row["value_milli"] if kind == "object_value" else totals.added_up(row.get("values_milli") or [])
        return totals.for_value(usage, target, current=current, listed=listed, tolerance=tolerance)
    if kind in ("object_average_value", "external_average_value"):
        external = kind == "external_average_value"
        usage = totals.added_up_for_average(row.get("values_milli") or []) if external else row["value_milli"]
        return totals.for_average(usage, target, status=row["status_replicas"], tolerance=tolerance, is_sum=external)
    raise ValueError(f"unknown kind {row['kind']!r}")


def _failed(row: Row) -> Answer | Trouble:
    """What the core makes of a client's failure. How it is worded is the client's; that there is no count is ours."""
    failed = MetricSpec("m", External("m"), Select("m"), Threshold(1.0, 1000))
    signal = Signal(failed.id, None, failure=Failure(Reason.API, _fetch_error(row)))
    view = TargetView(row["now_s"], row["current_replicas"], row["status_replicas"], "1", hpa_pods.pods(row["pods"]))
    return evaluate(Hpa(guarded=False), failed, signal, view, row["now_s"])


def readiness(row: Row) -> pods.Readiness | None:
    """What decides about a young pod's value: asked for cpu only."""
    if row.get("resource") != "cpu":
        return None
    return pods.Readiness(
        now=row["now_s"],
        initialization_period=row["cpu_initialization_period_s"],
        readiness_delay=row["initial_readiness_delay_s"],
        spans=hpa_pods.spans(row.get("metrics")),
    )


def _left_out(comparison: Comparison, row: Row, got: Answer) -> set[str]:
    """The outputs that Go leaves to the CPU or wraps around; what we give there must still be the safe answer."""
    expected = row["expected"]
    left_out = set(expected.get("platform_dependent", ()))
    if expected.get("integer_overflow"):
        left_out |= {"replicas", "utilization", "branch"}
        comparison.leave_out("a 64-bit product wraps around upstream; ours saturates and asks for more")
    if "replicas" in left_out:
        comparison.equal("safe answer", True, _is_safe(row, got))
        left_out.add("branch")
    if "replicas" in left_out and not expected.get("integer_overflow"):
        comparison.leave_out("a count beyond 32 bits is the CPU's choice upstream; ours is the largest count")
    if "usage_milli" in left_out and not row["status_replicas"]:
        comparison.equal("safe answer", None, got.usage)
        comparison.leave_out("the share of no replicas is the CPU's choice upstream; ours is not reported")
    elif "usage_milli" in left_out:
        comparison.equal("safe answer", True, got.usage in (quantity.LARGEST, -quantity.LARGEST - 1))
        comparison.leave_out("a value beyond 64 bits is the CPU's choice upstream; ours is the end of the range")
    return left_out


def _is_safe(row: Row, got: Answer) -> bool:
    """Whether a count where upstream's is absurd goes the way its own ratio does, within 32 bits."""
    current: int = row["current_replicas"]
    up, down = float(row["tolerance_up"]), float(row["tolerance_down"])
    if got.ratio > 1.0 + up:
        return min(current + 1, MOST) <= got.replicas <= MOST
    if got.ratio < 1.0 - down:
        return -MOST - 1 <= got.replicas <= current
    return got.replicas == current


def _compare_groups(comparison: Comparison, row: Row) -> None:
    groups = pods.group(hpa_pods.pods(row["pods"]), hpa_pods.usage(row.get("metrics")), readiness(row))
    expected = row["expected"]["groups"]
    comparison.equal("groups ready", expected["ready"], groups.ready)
    for name in ("unready", "missing", "ignored"):
        comparison.equal(f"groups {name}", sorted(expected[name]), sorted(getattr(groups, name)))


def _fetch_error(row: Row) -> str:
    """How upstream words a metrics client's failure; the client is not the core's."""
    kind, error = row["kind"], row["metrics_error"]
    if "resource" in row:
        return f"unable to get metrics for resource {row['resource']}: {error}"
    if kind == "pods_average_value":
        return f"unable to get metric m: {error}"
    if kind.startswith("object"):
        return f"unable to get metric m: Service on ns svc/{error}"
    selector = "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{},}"
    return f"unable to get external metric ns/m/{selector}: {error}"
