"""The metrics APIs, as metrics-server and a metrics adapter serve them behind an API server; a test sets the data.

The routes ask it before they look for a kind. A group of which nothing is set is not served, as in a cluster without
the add-on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from podtide.local import refusals, selectors
from podtide.local.asking import Target
from podtide.local.kinds import Kind
from podtide.local.refusals import Object
from podtide.local.store import Store, timestamp

RESOURCE, CUSTOM, EXTERNAL = "metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"
_VERSIONS = {RESOURCE: "v1beta1", CUSTOM: "v1beta2", EXTERNAL: "v1beta1"}

Usage = Callable[[Object, str], Mapping[str, str] | None]
"""Of a pod and the name of one of its containers: resource name → quantity; None while there is no usage yet."""

Amount = Callable[[Object], str | None]
"""Of an object: a custom metric's quantity; None where it has none."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an external metric."""

    value: str
    """A quantity."""
    labels: Mapping[str, str]


class MetricsApis:
    """What the metrics APIs answer."""

    def __init__(self, store: Store) -> None:
        self.usage: Usage | None = None
        self.custom: dict[str, Amount] = {}
        """By the metric's name."""
        self.external: dict[str, Sequence[Series]] = {}
        """By the metric's name."""
        self._store = store

    def kinds(self) -> Iterator[Kind]:
        """What discovery tells of them."""
        if self.usage is not None:
            yield _kind(RESOURCE, "pods", "PodMetrics", ("get", "list"))
        for metric in self.custom:
            yield _kind(CUSTOM, f"pods/{metric}", "MetricValueList", ("get",))
        for metric in self.external:
            yield _kind(EXTERNAL, metric, "ExternalMetricValueList", ("get",))

    def answer(self, target: Target, query: Mapping[str, str]) -> Object | None:
        """The answer to a GET of a path of these APIs, None for another path; raises `Refusal` 400 and 404."""
        if _VERSIONS.get(target.group) != target.version:
            return None
        if target.group == RESOURCE and self.usage is not None:
            return self._usages(self.usage, target, query)
        if target.group == CUSTOM and self.custom:
            return self._custom(target)
        if target.group == EXTERNAL and self.external:
            return self._external(target, query)
        return None

    def _usages(self, usage: Usage, target: Target, query: Mapping[str, str]) -> Object:
        if target.plural != "pods":
            raise refusals.no_such_resource()
        selector = selectors.parse(query.get("labelSelector", ""))
        found = [
            item
            for pod in self._objects("pods", target.namespace, target.name)
            if selectors.matches(selector, pod["metadata"].get("labels") or {})
            and (item := self._used(pod, usage)) is not None
        ]
        head: Object = {"kind": "PodMetricsList", "apiVersion": target.api_version, "metadata": {}}
        if not target.name:
            return {**head, "items": found}
        if not found:
            raise refusals.not_found(f"pods.{RESOURCE}", target.name)
        return {"kind": "PodMetrics", "apiVersion": target.api_version, **found[0]}

    def _used(self, pod: Object, usage: Usage) -> Object | None:
        if (pod.get("status") or {}).get("phase") != "Running":
            return None
        containers = []
        for container in pod["spec"]["containers"]:
            used = usage(pod, container["name"])
            if used is None:
                # As metrics-server does: a pod is told of whole or not at all.
                return None
            containers.append({"name": container["name"], "usage": dict(used)})
        metadata = {name: pod["metadata"][name] for name in ("name", "namespace", "labels") if name in pod["metadata"]}
        return {"metadata": metadata, "timestamp": self._now(), "window": "15s", "containers": containers}

    def _custom(self, target: Target) -> Object:
        plural, name, metric = target.plural, target.name, target.sub
        if plural == "metrics":
            # …/namespaces/shop/metrics/rps is of the namespace itself.
            plural, name, metric = "namespaces", target.namespace, target.name
        amount = self.custom.get(metric)
        if amount is None:
            why = f"the server could not find the metric {metric} for {plural} {name}"
            raise refusals.Refusal(404, "NotFound", why, {})
        items: list[Object] = []
        for body in self._objects(plural, "" if plural == "namespaces" else target.namespace, name.replace("*", "")):
            value = amount(body)
            if value is not None:
                items.append(self._described(body, metric, value))
        return {"kind": "MetricValueList", "apiVersion": target.api_version, "metadata": {}, "items": items}

    def _described(self, body: Object, metric: str, value: str) -> Object:
        described = {"kind": body["kind"], "apiVersion": body["apiVersion"], "name": body["metadata"]["name"]}
        if "namespace" in body["metadata"]:
            described["namespace"] = body["metadata"]["namespace"]
        return {
            "describedObject": described,
            "metric": {"name": metric, "selector": None},
            "timestamp": self._now(),
            "value": value,
        }

    def _external(self, target: Target, query: Mapping[str, str]) -> Object:
        series = self.external.get(target.plural)
        if series is None:
            raise refusals.Refusal(404, "NotFound", f"no metric {target.plural} is known", {})
        selector = selectors.parse(query.get("labelSelector", ""))
        items = [
            {
                "metricName": target.plural,
                "metricLabels": dict(one.labels),
                "timestamp": self._now(),
                "value": one.value,
            }
            for one in series
            if selectors.matches(selector, one.labels)
        ]
        return {"kind": "ExternalMetricValueList", "apiVersion": target.api_version, "metadata": {}, "items": items}

    def _objects(self, resource: str, namespace: str, name: str) -> Iterator[Object]:
        """The objects of a `plural` or `plural.group`; of one name if there is one, which then must exist."""
        kind = next((kind for kind in self._store.kinds.values() if kind.resource == resource), None)
        if kind is None:
            raise refusals.no_such_resource()
        found = [self._store.get(kind, namespace, name)] if name else self._store.collection(kind).current(namespace)
        for stored in found:
            yield {"kind": kind.name, "apiVersion": kind.api_version, **stored.read()}

    def _now(self) -> str:
        return timestamp(self._store.now())


def _kind(group: str, plural: str, name: str, verbs: tuple[str, ...]) -> Kind:
    return Kind(group, _VERSIONS[group], plural, name, namespaced=True, verbs=verbs)
