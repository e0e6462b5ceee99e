"""What controllers need to know of pods, read once per change, by owner.

The workload controller asks it instead of decoding thousands of pods at every look.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from podtide.local.refusals import Object
from podtide.local.versions import Change, Key

COST = "controller.kubernetes.io/pod-deletion-cost"


@dataclass(frozen=True, slots=True)
class Brief:
    """One pod in brief."""

    namespace: str
    name: str
    uid: str
    owner: str
    """The uid of the controller that owns it; empty for none."""

    phase: str
    node: str
    is_ready: bool
    is_leaving: bool
    """Whether it is being deleted."""

    ready_since: float
    """When it became ready, in seconds since the epoch; 0 when it is not."""

    created: float
    restarts: int
    cost: int
    """Its deletion cost: lower goes first."""

    revision: str
    """The template it was made from, as its label says."""

    @property
    def is_active(self) -> bool:
        """Whether it counts as a replica."""
        return not self.is_leaving and self.phase not in ("Succeeded", "Failed")


def seconds(text: str | None) -> float:
    """A Kubernetes timestamp in seconds since the epoch; 0 for none."""
    return datetime.datetime.fromisoformat(text).timestamp() if text else 0.0


def controller(body: Object) -> Object | None:
    """The ownerReference of the controller that owns an object."""
    references = body["metadata"].get("ownerReferences") or ()
    return next((owner for owner in references if owner.get("controller")), None)


def brief(body: Object) -> Brief:
    """A pod in brief."""
    metadata, status = body["metadata"], body.get("status") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    ready = next((c for c in status.get("conditions") or () if c["type"] == "Ready"), None)
    is_ready = ready is not None and ready["status"] == "True"
    owner = controller(body)
    try:
        cost = int(annotations.get(COST, 0))
    except ValueError:
        cost = 0
    return Brief(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        owner=owner["uid"] if owner else "",
        phase=status.get("phase", "Pending"),
        node=body["spec"].get("nodeName", ""),
        is_ready=is_ready,
        is_leaving="deletionTimestamp" in metadata,
        ready_since=seconds(ready.get("lastTransitionTime")) if ready is not None and is_ready else 0.0,
        created=seconds(metadata.get("creationTimestamp")),
        restarts=sum(one.get("restartCount", 0) for one in status.get("containerStatuses") or ()),
        cost=cost,
        revision=labels.get("controller-revision-hash") or labels.get("pod-template-hash", ""),
    )


class Briefs:
    """All pods in brief, by the uid of their controller."""

    def __init__(self) -> None:
        self._pods: dict[Key, Brief] = {}
        self._owned: dict[str, dict[Key, Brief]] = {}

    def see(self, change: Change) -> Brief | None:
        """Takes a change of a pod; returns the pod as it is now, or as it last was."""
        stored = change.after or change.before
        if stored is None:
            return None
        old = self._pods.pop(stored.key, None)
        if old is not None:
            self._owned[old.owner].pop(stored.key)
        if change.after is None:
            return old or brief(stored.read())
        new = brief(change.after.read())
        self._pods[stored.key] = new
        self._owned.setdefault(new.owner, {})[stored.key] = new
        return new

    def of(self, owner: str) -> list[Brief]:
        """The pods of a controller, by its uid, those being deleted among them."""
        return list(self._owned.get(owner, {}).values())

    def forget(self, owner: str) -> None:
        """Drops the room kept for a controller that is gone."""
        if not self._owned.get(owner, True):
            del self._owned[owner]
