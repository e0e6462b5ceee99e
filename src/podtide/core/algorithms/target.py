"""What a target means: the load that one pod should carry, and the load that is held against it. For KPA and APA."""

from podtide.core.algorithms import ratio
from podtide.core.algorithms.carriers import Carriers
from podtide.core.model.spec import Custom, Formula, MetricSpec, PodPage, Quantile, Resource, TargetType
from podtide.core.model.view import PodView, TargetView


def is_per_pod(metric: MetricSpec) -> bool:
    """Whether the source has a value for each pod. A quantile is one number over the buckets of all pods."""
    source = metric.source
    if isinstance(metric.derive, Quantile):
        return False
    return isinstance(source, PodPage | Resource) or (isinstance(source, Custom) and source.described is None)


def failure_reason(metric: MetricSpec) -> str:
    """HPA's word for a metric that cannot be computed."""
    source = metric.source
    if isinstance(source, Resource):
        return "FailedGetContainerResourceMetric" if source.container else "FailedGetResourceMetric"
    if is_per_pod(metric) or isinstance(source, PodPage):
        return "FailedGetPodsMetric"
    if isinstance(source, Formula):
        return "FailedComputeFormula"
    return "FailedGetObjectMetric" if isinstance(source, Custom) else "FailedGetExternalMetric"


def per_pod(metric: MetricSpec, view: TargetView) -> float | None:
    """The load one pod should carry, in the metric's base unit. None where pods do not say what they request."""
    threshold = metric.threshold
    if threshold.kind is not TargetType.UTILIZATION or not isinstance(metric.source, Resource):
        return threshold.value
    requests = [request for pod in view.pods if pod.is_ready and (request := _request(pod, metric.source)) is not None]
    return sum(requests) / len(requests) * threshold.value / 100.0 if requests else None


def load(metric: MetricSpec, average: float, carriers: Carriers, *, window: float, now: float) -> float:
    """The load to hold against `per_pod`: the window's average, or for a value of the whole its multiple.

    With a target for the whole, one pod's share of the target is `target ÷ pods`; that is the same as the value times
    the pods over the target.
    """
    if metric.threshold.kind is not TargetType.VALUE:
        return average
    return average * max(1.0, carriers.mean(now, window))


def shown(metric: MetricSpec, average: float, *, pods: int, share: float) -> float:
    """What is held against the target, in the target's unit, for people: per pod where the target is."""
    if metric.threshold.kind is TargetType.VALUE:
        return average
    mean = average / max(1, pods)
    if metric.threshold.kind is TargetType.UTILIZATION:
        return ratio.over(mean, share) * metric.threshold.value
    return mean


def _request(pod: PodView, resource: Resource) -> float | None:
    """What a pod, or its one container, requests in base units; None where nothing does, or it is 0."""
    running = [*pod.containers, *(container for container in pod.init_containers if container.restartable)]
    if resource.container is not None:
        running = [container for container in running if container.name == resource.container]
    elif resource.name in pod.pod_requests:
        return pod.pod_requests[resource.name] / 1000.0 or None
    return sum(container.requests.get(resource.name, 0) for container in running) / 1000.0 or None
