"""The `custom` source: custom.metrics.k8s.io, of all pods in one call or of one described object.

Version v1beta2 where it is served, else v1beta1, which tells the same in other words.
"""

from datetime import datetime
from urllib.parse import quote

import msgspec

from podtide.aio.mailbox import Mailbox
from podtide.api import measured, selectors
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.core.model.spec import AutoscalerSpec, Custom, MetricSpec, ObjectRef
from podtide.core.model.view import TargetView
from podtide.kube import errors
from podtide.kube.discovery import Discovery, UnknownKindError
from podtide.sources import metricsapi, podvalues, polling
from podtide.sources.metricsapi import MetricsApi, Query


class _Described(msgspec.Struct, frozen=True):
    kind: str = ""
    name: str = ""


class _Value(msgspec.Struct):
    value: str | int | float
    describedObject: _Described = _Described()
    timestamp: datetime | None = None
    windowSeconds: int | None = None
    window: int | None = None
    """What v1beta1 calls it."""


class _Values(msgspec.Struct):
    items: list[_Value] | None = None
    """Go writes null for an empty list."""


class Customs:
    """Subscribes to custom metrics."""

    def __init__(self, desk: polling.Desk, api: MetricsApi, discovery: Discovery) -> None:
        self._desk = desk
        self._api = api
        self._discovery = discovery

    def subscribe(self, spec: AutoscalerSpec, metric: MetricSpec, mailbox: Mailbox[Reading]) -> polling.Polling:
        """Begin to read this metric with the first update."""
        source = metric.source
        if not isinstance(source, Custom):
            raise TypeError(f"metric {metric.id} is no custom metric")

        async def read(view: TargetView, timeout: float) -> Reading:
            found = await self._values(spec, metric, source, timeout)
            at = self._desk.timer.now()
            if source.described is not None:
                return _of_object(metric, source.described, found, at)
            return _of_pods(spec, metric, source, view, found, at)

        return polling.Polling(self._desk, spec, metric, mailbox, read)

    async def _values(
        self, spec: AutoscalerSpec, metric: MetricSpec, source: Custom, timeout: float
    ) -> list[measured.Value] | Failure:
        group, namespace = metricsapi.CUSTOM, spec.key.namespace
        version = await self._api.version(group, timeout=timeout)
        if isinstance(version, Failure):
            return version
        where = await self._where(source.described, namespace)
        if isinstance(where, Failure):
            return where
        plural, name = where
        about = f"metric {source.metric} of {f'{plural} {name}' if source.described else 'pods'}"
        last = quote(source.metric, safe="")
        path = f"/apis/{group.name}/{version}/namespaces/{namespace}/{plural}/{quote(name, safe='*')}/{last}"
        if source.described is not None and _is_namespace(source.described):
            path = f"/apis/{group.name}/{version}/namespaces/{namespace}/metrics/{last}"
        query = Query(
            group,
            version,
            namespace,
            path,
            "get",
            f"{plural}/{source.metric}",
            about,
            metricsapi.parameters(metricLabelSelector=selectors.text(metric.select.matches)),
        )
        found = await self._api.get(query, _Values, timeout=timeout, fresh=metric.interval / 2)
        return found if isinstance(found, Failure) else [_value(item) for item in found.items or ()]

    async def _where(self, described: ObjectRef | None, namespace: str) -> tuple[str, str] | Failure:
        """The path's words for whom the metric describes; `*` is every pod of the namespace."""
        if described is None:
            return "pods", "*"
        if _is_namespace(described):
            return "namespaces", namespace
        try:
            resource = await self._discovery.resource(described.api_version, described.kind)
        except UnknownKindError as error:
            return Failure(Reason.NO_METRIC, f"{error}: correct describedObject.apiVersion and kind")
        except errors.KubeError as error:
            return Failure(Reason.API, f"describedObject could not be looked up: {error}")
        return resource.name, described.name


def _is_namespace(described: ObjectRef) -> bool:
    return described.kind == "Namespace" and described.api_version == "v1"


def _value(item: _Value) -> measured.Value:
    window = item.window if item.windowSeconds is None else item.windowSeconds
    return measured.Value(
        str(item.value),
        item.describedObject.name,
        metricsapi.seconds(item.timestamp),
        None if window is None else float(window),
    )


def _of_object(metric: MetricSpec, described: ObjectRef, found: list[measured.Value] | Failure, at: float) -> Reading:
    if not found:
        why = f"custom.metrics.k8s.io has no value of {metric.select.metric} of {described.kind} {described.name}"
        return Reading(metric.id, at, failure=Failure(Reason.NO_DATA, why))
    amounts = found if isinstance(found, Failure) else measured.of_workload(found)
    if isinstance(amounts, Failure):
        return Reading(metric.id, at, failure=amounts)
    if len(amounts) > 1:
        why = f"{len(amounts)} values of {described.kind} {described.name}; narrow them down with matchLabels"
        return Reading(metric.id, at, failure=Failure(Reason.NOT_A_NUMBER, why))
    return Reading(metric.id, at, total=amounts[0] / 1000)


def _of_pods(
    spec: AutoscalerSpec,
    metric: MetricSpec,
    source: Custom,
    view: TargetView,
    found: list[measured.Value] | Failure,
    at: float,
) -> Reading:
    if isinstance(found, Failure):
        return podvalues.nothing(spec, metric, view, at, found)
    pods = podvalues.wanted(spec, view)
    ours = measured.of_pods(item for item in found if item.pod in pods)
    if isinstance(ours, Failure):
        why = Failure(Reason.NO_DATA, f"custom.metrics.k8s.io has no {source.metric} of any pod of {spec.target}")
        return podvalues.nothing(spec, metric, view, at, why)
    silent = {
        name: Failure(Reason.NO_DATA, f"custom.metrics.k8s.io has no {source.metric} of pod {name}") for name in pods
    }
    return podvalues.reading(metric, view, pods, ours, at, silent=silent)
