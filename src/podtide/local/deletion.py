"""What a DELETE does to an object: at once, with grace, or after its finalizers.

The store carries the plan out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from podtide.local import refusals
from podtide.local.kinds import Kind
from podtide.local.refusals import Object
from podtide.local.versions import Stored

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_KEEPS = {"Foreground": FOREGROUND, "Orphan": ORPHAN}


@dataclass(frozen=True, slots=True)
class Plan:
    """How to delete one object."""

    grace: int
    """Seconds until a kubelet has to be done; 0 for everything but running pods."""

    finalizers: tuple[str, ...]
    marks: bool
    """Whether watchers see it with a deletionTimestamp first."""

    removes: bool
    """Whether it is gone afterwards."""


def check(kind: Kind, stored: Stored, options: Mapping[str, Any]) -> None:
    """Raises `Refusal` 409 when the preconditions do not hold."""
    wanted = options.get("preconditions") or {}
    if wanted.get("uid", stored.uid) != stored.uid:
        why = f"Precondition failed: UID in precondition: {wanted['uid']}, UID in object meta: {stored.uid}"
        raise refusals.conflict(kind.resource, stored.name, why)
    revision = str(stored.revision)
    if wanted.get("resourceVersion", revision) != revision:
        why = (
            f"Precondition failed: ResourceVersion in precondition: {wanted['resourceVersion']}, "
            f"ResourceVersion in object meta: {revision}"
        )
        raise refusals.conflict(kind.resource, stored.name, why)


def plan(kind: Kind, body: Object, options: Mapping[str, Any]) -> Plan:
    """What deleting this object with these options means."""
    metadata = body["metadata"]
    finalizers = list(metadata.get("finalizers") or ())
    policy = options.get("propagationPolicy")
    if policy in _KEEPS and _KEEPS[policy] not in finalizers:
        finalizers.append(_KEEPS[policy])
    if kind.storage == "/namespaces":
        return Plan(0, tuple(finalizers), marks="deletionTimestamp" not in metadata, removes=False)
    grace = _grace(body, options) if kind.storage == "/pods" else 0
    deleting = "deletionTimestamp" in metadata
    shorter = deleting and grace < metadata.get("deletionGracePeriodSeconds", 0)
    waits = grace > 0 or bool(finalizers)
    return Plan(
        grace=grace,
        finalizers=tuple(finalizers),
        marks=(waits or kind.storage == "/pods") and (not deleting or shorter),
        removes=not waits,
    )


def _grace(pod: Object, options: Mapping[str, Any]) -> int:
    spec, status = pod["spec"], pod.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    return int(spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked)
