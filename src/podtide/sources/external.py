"""The `external` source without an endpoint: external.metrics.k8s.io. The values that match are added up."""

from datetime import datetime
from urllib.parse import quote

import msgspec

from podtide.aio.mailbox import Mailbox
from podtide.api import measured
from podtide.core.algorithms.hpa import totals
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.core.model.spec import AutoscalerSpec, External, MetricSpec
from podtide.core.model.view import TargetView
from podtide.sources import metricsapi, polling
from podtide.sources.metricsapi import MetricsApi, Query


class _Value(msgspec.Struct):
    value: str | int | float
    metricName: str = ""
    timestamp: datetime | None = None
    window: int | None = None


class _Values(msgspec.Struct):
    items: list[_Value] | None = None
    """Go writes null for an empty list."""


class Externals:
    """Subscribes to external metrics."""

    def __init__(self, desk: polling.Desk, api: MetricsApi) -> None:
        self._desk = desk
        self._api = api

    def subscribe(self, spec: AutoscalerSpec, metric: MetricSpec, mailbox: Mailbox[Reading]) -> polling.Polling:
        """Begin to read this metric with the first update."""
        source = metric.source
        if not isinstance(source, External):
            raise TypeError(f"metric {metric.id} is no external metric")

        async def read(_: TargetView, timeout: float) -> Reading:
            found = await self._total(spec.key.namespace, source, timeout, fresh=metric.interval / 2)
            at = self._desk.timer.now()
            if isinstance(found, Failure):
                return Reading(metric.id, at, failure=found)
            return Reading(metric.id, at, total=found / 1000)

        return polling.Polling(self._desk, spec, metric, mailbox, read)

    async def _total(self, namespace: str, source: External, timeout: float, *, fresh: float) -> int | Failure:
        group = metricsapi.EXTERNAL
        version = await self._api.version(group, timeout=timeout)
        if isinstance(version, Failure):
            return version
        query = Query(
            group,
            version,
            namespace,
            f"/apis/{group.name}/{version}/namespaces/{namespace}/{quote(source.metric, safe='')}",
            "list",
            source.metric,
            f"metric {source.metric}",
            metricsapi.parameters(labelSelector=source.selector),
        )
        found = await self._api.get(query, _Values, timeout=timeout, fresh=fresh)
        return found if isinstance(found, Failure) else total(found, source)


def total(found: _Values, source: External) -> int | Failure:
    """The values of one answer, added up, in thousandths."""
    values = measured.of_workload(
        measured.Value(str(item.value), at=metricsapi.seconds(item.timestamp)) for item in found.items or ()
    )
    if isinstance(values, Failure) and values.reason is Reason.NO_DATA:
        matching = f' with the labels "{source.selector}"' if source.selector else ""
        why = f"{metricsapi.EXTERNAL.name} has no value of {source.metric}{matching}; check `selector`"
        return Failure(Reason.NO_DATA, why)
    return values if isinstance(values, Failure) else totals.added_up(values)
