"""How each built-in kind is treated on a write: defaults, first status, rules.

The store looks strategies up by collection; a kind without one is kept as it is given.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from podtide.local import podspec, selectors
from podtide.local.refusals import Cause, Object


def _nothing(body: Object) -> None:
    del body


def _no_problems(body: Object, before: Object | None) -> Iterable[Cause]:
    del body, before
    return ()


@dataclass(frozen=True, slots=True)
class Strategy:
    """The hooks of one kind; each works in place on the storage version."""

    fill: Callable[[Object], None] = _nothing
    """Defaults, at every write."""

    begin: Callable[[Object], None] = _nothing
    """What a new object starts with, its status above all."""

    problems: Callable[[Object, Object | None], Iterable[Cause]] = _no_problems
    """What is wrong with a new or (given the state before) changed object."""

    fields: tuple[str, ...] = ()
    """Fields that selectors may ask for, beside name and namespace."""


def _replicas(body: Object) -> Iterator[Cause]:
    replicas = (body.get("spec") or {}).get("replicas", 1)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        yield Cause("FieldValueInvalid", f"Invalid value: {replicas!r}: must be an integer", "spec.replicas")
    elif replicas < 0:
        text = f"Invalid value: {replicas}: must be greater than or equal to 0"
        yield Cause("FieldValueInvalid", text, "spec.replicas")


def _workload(body: Object, before: Object | None) -> Iterator[Cause]:
    yield from _replicas(body)
    spec = body.get("spec") or {}
    selector, template = spec.get("selector"), spec.get("template") or {}
    if not selector:
        yield Cause("FieldValueRequired", "Required value", "spec.selector")
    else:
        labels = (template.get("metadata") or {}).get("labels") or {}
        if not selectors.matches(selectors.of_object(selector), labels):
            shown = "{" + ",".join(f'"{key}":"{value}"' for key, value in sorted(labels.items())) + "}"
            text = f"Invalid value: {shown}: `selector` does not match template `labels`"
            yield Cause("FieldValueInvalid", text, "spec.template.metadata.labels")
    yield from podspec.problems(template.get("spec") or {}, "spec.template.spec")
    if before is not None and before["spec"].get("selector") != selector:
        yield Cause("FieldValueInvalid", "Invalid value: field is immutable", "spec.selector")


def _fill_template(body: Object) -> Object:
    spec: Object = body.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    template = spec.get("template")
    if isinstance(template, dict) and isinstance(template.get("spec"), dict):
        podspec.fill(template["spec"])
    return spec


def _fill_replica_set(body: Object) -> None:
    _fill_template(body)


def _fill_deployment(body: Object) -> None:
    spec = _fill_template(body)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)


def _fill_stateful_set(body: Object) -> None:
    spec = _fill_template(body)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    update = spec.setdefault("updateStrategy", {})
    if update.setdefault("type", "RollingUpdate") == "RollingUpdate":
        update.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")


def _status(**start: object) -> Callable[[Object], None]:
    def begin(body: Object) -> None:
        body["status"] = dict(start)

    return begin


def _fill_pod(body: Object) -> None:
    podspec.fill(body.setdefault("spec", {}))
    for condition in (body.get("status") or {}).get("conditions") or ():
        condition.setdefault("lastProbeTime", None)


def _pod(body: Object, before: Object | None) -> Iterator[Cause]:
    yield from podspec.problems(body.get("spec"), "spec")
    if before is not None and podspec.fixed(before["spec"]) != podspec.fixed(body["spec"]):
        text = (
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
            "previously negative)"
        )
        yield Cause("FieldValueForbidden", text, "spec")


def _begin_namespace(body: Object) -> None:
    body["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = body["metadata"]["name"]
    body.setdefault("spec", {})["finalizers"] = ["kubernetes"]
    body["status"] = {"phase": "Active"}


def _fill_secret(body: Object) -> None:
    text = body.pop("stringData", None)
    if text:
        written = {name: base64.b64encode(value.encode()).decode() for name, value in text.items()}
        body["data"] = {**(body.get("data") or {}), **written}
    body.setdefault("type", "Opaque")


def _secret(body: Object, before: Object | None) -> Iterator[Cause]:
    if before is not None and before.get("type") != body.get("type"):
        text = f'Invalid value: "{body.get("type")}": field is immutable'
        yield Cause("FieldValueInvalid", text, "type")
    for name, value in (body.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except (ValueError, TypeError):
            yield Cause("FieldValueInvalid", "Invalid value: must be base64", f"data[{name}]")


def _fill_event(body: Object) -> None:
    for name, value in (("source", {}), ("firstTimestamp", None), ("lastTimestamp", None), ("type", "")):
        body.setdefault(name, value)
    body.setdefault("eventTime", None)
    body.setdefault("reportingComponent", "")
    body.setdefault("reportingInstance", "")


def _event(body: Object, before: Object | None) -> Iterator[Cause]:
    del before
    about = (body.get("involvedObject") or {}).get("namespace", "")
    namespace = body["metadata"].get("namespace", "")
    if about != namespace and not (about == "" and namespace == "default"):
        text = f'Invalid value: "{about}": does not match event.namespace'
        yield Cause("FieldValueInvalid", text, "involvedObject.namespace")


def _fill_hpa(body: Object) -> None:
    spec = body.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    target = {"type": "Utilization", "averageUtilization": 80}
    spec.setdefault("metrics", [{"type": "Resource", "resource": {"name": "cpu", "target": target}}])


def _hpa(body: Object, before: Object | None) -> Iterator[Cause]:
    del before
    spec = body["spec"]
    for name in ("kind", "name"):
        if not (spec.get("scaleTargetRef") or {}).get(name):
            yield Cause("FieldValueRequired", "Required value", f"spec.scaleTargetRef.{name}")
    most = spec.get("maxReplicas", 0)
    if most < 1:
        text = f"Invalid value: {most}: must be greater than 0"
        yield Cause("FieldValueInvalid", text, "spec.maxReplicas")
    elif most < spec["minReplicas"]:
        text = f"Invalid value: {most}: must be greater than or equal to `minReplicas`"
        yield Cause("FieldValueInvalid", text, "spec.maxReplicas")


def _fill_service(body: Object) -> None:
    spec = body.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))


_ABOUT = tuple(
    f"involvedObject.{name}"
    for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
)

STRATEGIES: Mapping[str, Strategy] = {
    "/pods": Strategy(
        _fill_pod,
        podspec.admit,
        _pod,
        (
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ),
    ),
    "/namespaces": Strategy(begin=_begin_namespace, fields=("status.phase",)),
    "/secrets": Strategy(_fill_secret, problems=_secret, fields=("type",)),
    "/services": Strategy(_fill_service, _status(loadBalancer={})),
    "/events": Strategy(
        _fill_event, problems=_event, fields=(*_ABOUT, "reason", "reportingComponent", "source.component", "type")
    ),
    "apps/deployments": Strategy(_fill_deployment, _status(), _workload),
    "apps/replicasets": Strategy(_fill_replica_set, _status(replicas=0), _workload, ("status.replicas",)),
    "apps/statefulsets": Strategy(_fill_stateful_set, _status(replicas=0, availableReplicas=0), _workload),
    "autoscaling/horizontalpodautoscalers": Strategy(_fill_hpa, _status(currentMetrics=None, desiredReplicas=0), _hpa),
}


PLAIN = Strategy()
