"""What pods request of a resource, in thousandths. Utilization is measured against it."""

from collections.abc import Mapping, Sequence

from podtide.core.algorithms.hpa.answer import Trouble, TroubleKind
from podtide.core.model.view import ContainerView, PodView


def of_pods(pods: Sequence[PodView], resource: str, container: str | None) -> dict[str, int] | Trouble:
    """Pod uid → its request, of the one container if one is named. One gap makes the metric unusable as a whole."""
    requests: dict[str, int] = {}
    for pod in pods:
        if container is not None:
            amount = _of_container(pod, resource, container)
        elif pod.pod_requests and any(_is_for_pods(name) for name in pod.pod_requests):
            amount = _of_pod_level(pod, resource)
        else:
            amount = _of_every_container(pod, resource)
        if isinstance(amount, Trouble):
            return amount
        requests[pod.uid] = amount
    return requests


def _of_every_container(pod: PodView, resource: str) -> int | Trouble:
    total = 0
    for container in pod.containers:
        if resource not in container.requests:
            return _missing(pod, resource, container.name)
        total += container.requests[resource]
    for container in pod.init_containers:
        if container.restartable:
            if resource not in container.requests:
                return _missing(pod, resource, container.name)
            total += container.requests[resource]
    return total


def _of_container(pod: PodView, resource: str, name: str) -> int | Trouble:
    for container in (*pod.containers, *_sidecars(pod)):
        if container.name == name:
            if resource not in container.requests:
                return _missing(pod, resource, name)
            return container.requests[resource]
    return Trouble(TroubleKind.CONTAINER_NOT_FOUND, f"container {name} not found in Pod {pod.name}")


def _of_pod_level(pod: PodView, resource: str) -> int | Trouble:
    """What the scheduler sets aside for a pod that states requests of its own."""
    sets = [pod.overhead, pod.pod_requests if _is_for_pods(resource) else {}]
    sets += [container.requests for container in (*pod.containers, *pod.init_containers)]
    if not any(resource in requests for requests in sets):
        return Trouble(TroubleKind.MISSING_POD_REQUEST, f"missing pod-level request for {resource} in Pod {pod.name}")
    if _is_for_pods(resource) and resource in pod.pod_requests:
        amount = pod.pod_requests[resource]
    else:
        running = sum(_amount(container.requests, resource) for container in (*pod.containers, *_sidecars(pod)))
        amount = max(running, _while_initialising(pod, resource))
    return amount + _amount(pod.overhead, resource)


def _while_initialising(pod: PodView, resource: str) -> int:
    """The most that is asked for at once before the containers start: each step beside the sidecars before it."""
    most = sidecars = 0
    for container in pod.init_containers:
        amount = _amount(container.requests, resource)
        most = max(most, sidecars + amount)
        if container.restartable:
            sidecars += amount
    return most


def _sidecars(pod: PodView) -> list[ContainerView]:
    return [container for container in pod.init_containers if container.restartable]


def _amount(requests: Mapping[str, int], resource: str) -> int:
    return requests.get(resource, 0)


def _is_for_pods(resource: str) -> bool:
    """Whether a pod as a whole may request it; others, such as ephemeral-storage, are ignored at that level."""
    return resource in ("cpu", "memory") or resource.startswith("hugepages-")


def _missing(pod: PodView, resource: str, container: str) -> Trouble:
    text = f"missing request for {resource} in container {container} of Pod {pod.name}"
    return Trouble(TroubleKind.MISSING_REQUEST, text)
