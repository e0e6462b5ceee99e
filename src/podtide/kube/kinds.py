"""The kinds Podtide watches, and what its caches hold of each."""

import functools
from dataclasses import dataclass
from typing import Any

import msgspec

from podtide.kube import objects, resources
from podtide.kube.resources import Resource
from podtide.kube.watch import Kind


@dataclass(frozen=True, slots=True)
class Manifest:
    """A PodAutoscaler as it was written."""

    metadata: objects.Meta
    body: dict[str, Any]
    """The whole object, for `api.decode`."""


@dataclass(frozen=True, slots=True)
class ScaleRecord:
    """What a scalable object says of its size."""

    metadata: objects.Meta
    replicas: int | None
    """None where the kind keeps it elsewhere than at `.spec.replicas`: then its scale must be asked for."""
    status_replicas: int
    roles: tuple[tuple[str, int | None], ...] = ()
    """Of a StormService: each role's name and its replicas if set, in their order."""
    pooled: bool = False
    """Of a StormService: whether its roles are scaled, and not the number of its role sets."""


PODS: Kind[objects.Pod, objects.PodRecord] = Kind(
    resources.PODS, wire=objects.Pod, keep=lambda wire, _: objects.pod(wire)
)
REPLICA_SETS: Kind[objects.Partial, objects.Meta] = Kind(
    resources.REPLICA_SETS, wire=objects.Partial, keep=lambda wire, _: objects.lean(wire.metadata), metadata_only=True
)
HPAS: Kind[objects.Hpa, objects.Hpa] = Kind(
    resources.HPAS,
    wire=objects.Hpa,
    keep=lambda wire, _: msgspec.structs.replace(wire, metadata=objects.lean(wire.metadata)),
)


def _manifest(wire: objects.Partial, body: bytes) -> Manifest:
    manifest: dict[str, Any] = msgspec.json.decode(body)
    # Who wrote which field is nothing to us, and can be more than all the rest.
    manifest["metadata"].pop("managedFields", None)
    return Manifest(wire.metadata, manifest)


AUTOSCALERS: Kind[objects.Partial, Manifest] = Kind(resources.AUTOSCALERS, wire=objects.Partial, keep=_manifest)


@functools.cache
def scalable(resource: Resource) -> Kind[Any, ScaleRecord]:
    """The kind of a scale target, whatever it is; of those that are not built in only the metadata is watched."""
    if resource in resources.BUILT_IN:
        return Kind(resource, wire=objects.Scalable, keep=lambda wire, _: _built_in(wire))
    if (resource.group, resource.kind) == resources.STORM_SERVICE:
        return Kind(resource, wire=objects.StormService, keep=lambda wire, _: storm_service(wire))
    return Kind(
        resource,
        wire=objects.Partial,
        keep=lambda wire, _: ScaleRecord(objects.lean(wire.metadata), None, 0),
        metadata_only=True,
    )


def _built_in(wire: objects.Scalable) -> ScaleRecord:
    # The API server fills in 1 where a manifest leaves replicas out, so only a partial object would lack it.
    return ScaleRecord(
        objects.lean(wire.metadata), 1 if wire.spec.replicas is None else wire.spec.replicas, wire.status.replicas or 0
    )


def storm_service(wire: objects.StormService) -> ScaleRecord:
    """What a StormService says of its size, and of its roles'."""
    spec = wire.spec
    replicas = 1 if spec.replicas is None else spec.replicas
    roles = spec.template.spec.roles if spec.template.spec else None
    return ScaleRecord(
        objects.lean(wire.metadata),
        replicas,
        wire.status.replicas or 0,
        roles=tuple((role.name, role.replicas) for role in roles or ()),
        # As its ResolvedMode: what the object says, else one role set is a pool.
        pooled=spec.mode == "Pooled" if spec.mode else replicas <= 1,
    )
