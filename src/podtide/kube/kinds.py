"""The kinds Podtide watches, and what its caches hold of each."""

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


PODS: Kind[objects.Pod, objects.PodRecord] = Kind(
    resources.PODS, wire=objects.Pod, keep=lambda wire, _: objects.pod(wire)
)
REPLICA_SETS: Kind[objects.Partial, objects.Meta] = Kind(
    resources.REPLICA_SETS, wire=objects.Partial, keep=lambda wire, _: wire.metadata, metadata_only=True
)
HPAS: Kind[objects.Hpa, objects.Hpa] = Kind(resources.HPAS, wire=objects.Hpa, keep=lambda wire, _: wire)
AUTOSCALERS: Kind[objects.Partial, Manifest] = Kind(
    resources.AUTOSCALERS,
    wire=objects.Partial,
    keep=lambda wire, body: Manifest(wire.metadata, msgspec.json.decode(body)),
)


def scalable(resource: Resource) -> Kind[Any, ScaleRecord]:
    """The kind of a scale target, whatever it is; of those that are not built in only the metadata is watched."""
    if resource in resources.BUILT_IN:
        return Kind(resource, wire=objects.Scalable, keep=lambda wire, _: _built_in(wire))
    return Kind(
        resource,
        wire=objects.Partial,
        keep=lambda wire, _: ScaleRecord(wire.metadata, None, 0),
        metadata_only=True,
    )


def _built_in(wire: objects.Scalable) -> ScaleRecord:
    # The API server fills in 1 where a manifest leaves replicas out, so only a partial object would lack it.
    return ScaleRecord(
        wire.metadata, 1 if wire.spec.replicas is None else wire.spec.replicas, wire.status.replicas or 0
    )
