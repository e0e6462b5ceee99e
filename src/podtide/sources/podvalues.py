"""Values by pod name, as the metrics APIs tell them, become a reading by pod uid. `resource` and `custom` call it."""

from collections.abc import Mapping

from podtide.api.measured import Measured
from podtide.core import pods as counting
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.core.model.spec import AutoscalerSpec, Hpa, MetricSpec
from podtide.core.model.view import PodView, TargetView

_NONE: Mapping[str, Failure] = {}


def wanted(spec: AutoscalerSpec, view: TargetView) -> dict[str, PodView]:
    """The pods whose values count, by name.

    HPA sorts pods itself and wants to know of unready ones, too. The other strategies take a mean times the ready pods,
    which must be a mean over ready pods.
    """
    is_hpa = isinstance(spec.algorithm, Hpa)
    running = (pod for pod in view.pods if not pod.deleting and pod.phase not in counting.FINISHED)
    return {pod.name: pod for pod in running if is_hpa or pod.is_ready}


def reading(
    metric: MetricSpec,
    view: TargetView,
    pods: Mapping[str, PodView],
    found: Measured,
    at: float,
    *,
    silent: Mapping[str, Failure],
) -> Reading:
    """The reading; `silent` says why a pod that is not among the found ones has no value."""
    values = {pods[name].uid: amount / 1000 for name, amount in found.values.items() if name in pods}
    spans = {pods[name].uid: span for name, span in found.spans.items() if name in pods}
    ready = {pod.uid for pod in view.pods if pod.is_ready}
    missing = {pod.uid: name for name, pod in pods.items() if pod.uid in ready and pod.uid not in values}
    return Reading(
        metric.id,
        at,
        values=values,
        spans=spans,
        expected=len(ready | values.keys()),
        failures={uid: found.failures.get(name) or silent[name] for uid, name in missing.items()},
    )


def nothing(
    spec: AutoscalerSpec,
    metric: MetricSpec,
    view: TargetView,
    at: float,
    why: Failure,
    failures: Mapping[str, Failure] = _NONE,
) -> Reading:
    """A reading without any value."""
    pods = wanted(spec, view)
    expected = sum(pod.is_ready for pod in pods.values())
    if not pods:
        why = Failure(Reason.NO_PODS, f"{spec.target} has no pods")
    by_uid = {pods[name].uid: failure for name, failure in failures.items()}
    return Reading(metric.id, at, expected=expected, failures=by_uid, failure=why)
