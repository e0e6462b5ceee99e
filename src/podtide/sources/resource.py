"""The `resource` source: cpu and memory of metrics.k8s.io. One list per namespace serves all autoscalers in it."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from podtide.aio.mailbox import Mailbox
from podtide.api import amounts, measured
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.core.model.spec import AutoscalerSpec, MetricSpec, Resource
from podtide.core.model.view import PodView, TargetView
from podtide.sources import metricsapi, podvalues, polling
from podtide.sources.metricsapi import MetricsApi, Query

TOO_OLD = 300.0
"""Seconds after which a usage says nothing of now. metrics-server forgets a node that it cannot read within a minute or
so; this only catches one that does not, with room for clocks that differ."""
_WINDOW = 30.0
"""Seconds of a window that cannot be read: Kubernetes' usual one."""


class _Container(msgspec.Struct):
    name: str
    usage: dict[str, str] | None = None


class _Meta(msgspec.Struct):
    name: str


class _PodMetrics(msgspec.Struct):
    metadata: _Meta
    timestamp: datetime | None = None
    window: str = ""
    containers: list[_Container] | None = None


class _PodMetricsList(msgspec.Struct):
    items: list[_PodMetrics] | None = None
    """Go writes null for an empty list."""


class Resources:
    """Subscribes to the usage of pods."""

    def __init__(self, desk: polling.Desk, api: MetricsApi) -> None:
        self._desk = desk
        self._api = api

    def subscribe(self, spec: AutoscalerSpec, metric: MetricSpec, mailbox: Mailbox[Reading]) -> polling.Polling:
        """Begin to read the usage of this autoscaler's pods with the first update."""
        source = metric.source
        if not isinstance(source, Resource):
            raise TypeError(f"metric {metric.id} is no resource")

        async def read(view: TargetView, timeout: float) -> Reading:
            found = await self._usages(spec.key.namespace, timeout, fresh=metric.interval / 2)
            at = self._desk.timer.now()
            if isinstance(found, Failure):
                return podvalues.nothing(spec, metric, view, at, found)
            return reading(spec, metric, source, view, found, at)

        return polling.Polling(self._desk, spec, metric, mailbox, read)

    async def _usages(self, namespace: str, timeout: float, *, fresh: float) -> list[measured.PodUsage] | Failure:
        version = await self._api.version(metricsapi.RESOURCE, timeout=timeout)
        if isinstance(version, Failure):
            return version
        path = f"/apis/{metricsapi.RESOURCE.name}/{version}/namespaces/{namespace}/pods"
        query = Query(metricsapi.RESOURCE, version, namespace, path, "list", "pods", "usage of pods")
        found = await self._api.get(query, _PodMetricsList, timeout=timeout, fresh=fresh)
        return found if isinstance(found, Failure) else [_usage(item) for item in found.items or ()]


def reading(
    spec: AutoscalerSpec,
    metric: MetricSpec,
    source: Resource,
    view: TargetView,
    usages: list[measured.PodUsage],
    at: float,
) -> Reading:
    """The usage of the target's pods, out of that of the namespace's."""
    pods = podvalues.wanted(spec, view)
    failures: dict[str, Failure] = {}
    items = list(_of(pods, usages, failures, at))
    found = measured.usage(items, source.name, source.container)
    if isinstance(found, Failure):
        why = Failure(Reason.NO_DATA, f"metrics.k8s.io has no usage of any pod of {spec.target} yet")
        return podvalues.nothing(spec, metric, view, at, why, failures)
    silent = {name: _silent(pod, source) for name, pod in pods.items()}
    return podvalues.reading(metric, view, pods, found, at, silent=silent | failures)


def _usage(item: _PodMetrics) -> measured.PodUsage:
    try:
        window = amounts.duration(item.window)
    except amounts.AmountError:
        window = _WINDOW
    containers = [(container.name, container.usage or {}) for container in item.containers or ()]
    return measured.PodUsage(item.metadata.name, metricsapi.seconds(item.timestamp), window, containers)


def _of(
    pods: dict[str, PodView], usages: list[measured.PodUsage], failures: dict[str, Failure], now: float
) -> Iterator[measured.PodUsage]:
    """The usages of these pods; why the others do not count goes into `failures`."""
    for usage in usages:
        pod = pods.get(usage.pod)
        if pod is None:
            continue
        if pod.created is not None and usage.at < pod.created:
            # A StatefulSet's pods keep their names; the usage is the last pod's of this name.
            failures[usage.pod] = Failure(Reason.NO_DATA, f"the usage of {pod.name} is that of the pod before it")
        elif now - usage.at > TOO_OLD:
            age = f"{now - usage.at:.0f} s"
            failures[usage.pod] = Failure(
                Reason.NO_DATA, f"the usage of {pod.name} is {age} old: see metrics-server's log"
            )
        else:
            yield usage


def _silent(pod: PodView, source: Resource) -> Failure:
    """Why there is no value of a pod that the answer does not have, or not in full."""
    names = [container.name for container in (*pod.containers, *pod.init_containers)]
    if source.container is not None and names and source.container not in names:
        there = ", ".join(names)
        return Failure(Reason.NO_DATA, f'pod {pod.name} has no container "{source.container}"; it has {there}')
    part = f"container {source.container} of " if source.container else ""
    return Failure(
        Reason.NO_DATA, f"metrics.k8s.io has no {source.name} of {part}pod {pod.name} yet; a new pod takes a minute"
    )
