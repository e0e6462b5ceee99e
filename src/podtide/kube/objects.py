"""The few fields we read of each kind, decoded straight from bytes; nothing else of an object is ever built.

Field names are the wire's. `pod` turns a pod into the core's view of it.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, cast

import msgspec

from podtide.core.model import quantity, view

K = TypeVar("K")
S = TypeVar("S")
V = TypeVar("V")

READ_ANNOTATIONS = (
    "prometheus.io/scrape",
    "prometheus.io/port",
    "prometheus.io/path",
    "prometheus.io/scheme",
    "controller.kubernetes.io/pod-deletion-cost",
)
"""The only annotations of a pod that are kept; some carry kilobytes that are nothing to us."""


class Owner(msgspec.Struct, frozen=True):
    """An ownerReference."""

    apiVersion: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class Meta(msgspec.Struct, frozen=True):
    """Object metadata."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""
    generation: int = 0
    creationTimestamp: datetime | None = None
    deletionTimestamp: datetime | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    ownerReferences: list[Owner] | None = None

    @property
    def controller(self) -> Owner | None:
        """The owner that manages the object."""
        return next((owner for owner in self.ownerReferences or () if owner.controller), None)


class Partial(msgspec.Struct, frozen=True):
    """Any object, metadata only."""

    metadata: Meta


class _Replicas(msgspec.Struct, frozen=True):
    replicas: int | None = None


class Scale(Partial, frozen=True):
    """A `scale` subresource; it leaves `spec.replicas` out when it is 0."""

    spec: _Replicas = _Replicas()
    status: _Replicas = _Replicas()


class Scalable(Partial, frozen=True):
    """A built-in workload; it leaves nothing out, an absent `spec.replicas` would mean 1."""

    spec: _Replicas = _Replicas()
    status: _Replicas = _Replicas()


class _Role(msgspec.Struct, frozen=True):
    name: str = ""
    replicas: int | None = None


class _RoleSetSpec(msgspec.Struct, frozen=True):
    roles: list[_Role] | None = None


class _RoleSetTemplate(msgspec.Struct, frozen=True):
    spec: _RoleSetSpec | None = None


class _StormSpec(msgspec.Struct, frozen=True):
    replicas: int | None = None
    mode: str = ""
    template: _RoleSetTemplate = _RoleSetTemplate()


class StormService(Partial, frozen=True):
    """AIBrix's StormService: how many role sets, and how many of each role within one."""

    spec: _StormSpec = _StormSpec()
    status: _Replicas = _Replicas()


class _TargetRef(msgspec.Struct, frozen=True):
    apiVersion: str = ""
    kind: str = ""
    name: str = ""


class _HpaSpec(msgspec.Struct, frozen=True):
    scaleTargetRef: _TargetRef = _TargetRef()


class Hpa(Partial, frozen=True):
    """A HorizontalPodAutoscaler: whom it scales."""

    spec: _HpaSpec = _HpaSpec()


class KeyValues(Partial, frozen=True):
    """A Secret (values in base64, which msgspec undoes)."""

    data: dict[str, bytes] | None = None


class ConfigMap(Partial, frozen=True):
    """A ConfigMap."""

    data: dict[str, str] | None = None
    binaryData: dict[str, bytes] | None = None


class _Port(msgspec.Struct, frozen=True):
    containerPort: int
    name: str = ""


class _Resources(msgspec.Struct, frozen=True):
    requests: dict[str, str | int | float] | None = None


class _Container(msgspec.Struct, frozen=True):
    name: str
    ports: list[_Port] | None = None
    resources: _Resources | None = None
    restartPolicy: str = ""


class _PodSpec(msgspec.Struct, frozen=True):
    containers: list[_Container] | None = None
    initContainers: list[_Container] | None = None
    resources: _Resources | None = None
    overhead: dict[str, str | int | float] | None = None


class _Condition(msgspec.Struct, frozen=True):
    type: str
    status: str
    lastTransitionTime: datetime | None = None


class _PodStatus(msgspec.Struct, frozen=True):
    phase: str = ""
    podIP: str = ""
    startTime: datetime | None = None
    conditions: list[_Condition] | None = None


class Pod(Partial, frozen=True):
    """A pod as it comes over the wire."""

    spec: _PodSpec = _PodSpec()
    status: _PodStatus = _PodStatus()


@dataclass(frozen=True, slots=True)
class PodRecord:
    """A pod as it is kept."""

    namespace: str
    view: view.PodView
    controller: Owner | None


def seconds(at: datetime | None) -> float | None:
    """Seconds since 1970."""
    return None if at is None else at.timestamp()


def pod(wire: Pod) -> PodRecord:
    """The core's view of a pod, and who manages it."""
    meta, spec, status = wire.metadata, wire.spec, wire.status
    ready = next((condition for condition in status.conditions or () if condition.type == "Ready"), None)
    annotations = meta.annotations or {}
    seen = view.PodView(
        name=meta.name,
        uid=meta.uid,
        ip=status.podIP,
        phase=sys.intern(status.phase),
        ready=_truth(ready.status) if ready else None,
        ready_since=seconds(ready.lastTransitionTime) if ready else None,
        started=seconds(status.startTime),
        created=seconds(meta.creationTimestamp),
        deleting=meta.deletionTimestamp is not None,
        labels=_shared_texts(meta.labels or {}),
        annotations=_shared_texts({key: annotations[key] for key in READ_ANNOTATIONS if key in annotations}),
        containers=_shared(tuple(map(_container, spec.containers or ()))),
        init_containers=_shared(tuple(map(_container, spec.initContainers or ()))),
        pod_requests=_requests(spec.resources.requests if spec.resources else None),
        overhead=_requests(spec.overhead),
    )
    return PodRecord(namespace=meta.namespace, view=seen, controller=_shared_owner(meta.controller))


def _truth(status: str) -> view.Readiness:
    return "True" if status == "True" else "False" if status == "False" else "Unknown"


def _container(wire: _Container) -> view.ContainerView:
    return view.ContainerView(
        name=sys.intern(wire.name),
        requests=_requests(wire.resources.requests if wire.resources else None),
        ports=tuple(view.PortView(sys.intern(port.name), port.containerPort) for port in wire.ports or ()),
        restartable=wire.restartPolicy == "Always",
    )


def _requests(requests: dict[str, str | int | float] | None) -> Mapping[str, int]:
    return _shared_mapping({name: quantity.milli(str(amount)) for name, amount in (requests or {}).items()})


_MOST_SHARED = 65_536
"""Different values of one kind that are remembered for sharing; beyond that it begins anew."""
_MOST_ENTRIES, _MOST_TEXT = 32, 2048
"""Entries of a value, and characters in it, beyond which it is shared by nobody: what is remembered outlives its pods,
and a pod may have a megabyte of labels."""
_containers: dict[tuple[object, ...], tuple[view.ContainerView, ...]] = {}
_mappings: dict[frozenset[tuple[str, object]], Mapping[str, object]] = {}
_owners: dict[str, Owner] = {}


def _shared(containers: tuple[view.ContainerView, ...]) -> tuple[view.ContainerView, ...]:
    """Pods of one workload have equal containers: they share one value of them."""
    if len(containers) > _MOST_ENTRIES or sum(len(one.ports) + len(one.requests) for one in containers) > _MOST_ENTRIES:
        return containers
    key = tuple((one.name, frozenset(one.requests.items()), one.ports, one.restartable) for one in containers)
    return _remember(_containers, key, containers)


def _shared_texts(mapping: Mapping[str, str]) -> Mapping[str, str]:
    """The same for labels and annotations."""
    return mapping if sum(map(len, mapping.values())) > _MOST_TEXT else _shared_mapping(mapping)


def _shared_mapping(mapping: Mapping[str, V]) -> Mapping[str, V]:
    """The same for requests."""
    if len(mapping) > _MOST_ENTRIES or sum(map(len, mapping)) > _MOST_TEXT:
        return mapping
    return cast("Mapping[str, V]", _remember(_mappings, frozenset(mapping.items()), mapping))


def _shared_owner(owner: Owner | None) -> Owner | None:
    known = None if owner is None else _owners.get(owner.uid)
    return known if known == owner or owner is None else _remember(_owners, owner.uid, owner, anew=True)


def _remember(known: dict[K, S], key: K, value: S, *, anew: bool = False) -> S:
    found = known.get(key)
    if found is not None and not anew:
        return found
    if len(known) >= _MOST_SHARED:
        known.clear()
    known[key] = value
    return value


def lean(metadata: Meta) -> Meta:
    """The same metadata without labels and annotations, which can be most of an object."""
    return msgspec.structs.replace(metadata, labels=None, annotations=None)


def is_newer(version: str, than: str) -> bool:
    """Whether a resourceVersion is of a later state than another of the same kind.

    They are decimal numbers that only grow, as Kubernetes promises since 1.35 and etcd has always done. Of versions
    that are no numbers nothing is known, and then none is newer.
    """
    return version.isdecimal() and than.isdecimal() and int(version) > int(than)
