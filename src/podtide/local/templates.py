"""What the workload controllers share: the workload itself, pods made from its template, the template's revision.

Deployments, ReplicaSets and StatefulSets call it.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from podtide.local.kinds import Kind
from podtide.local.refusals import Object
from podtide.local.store import Store

MANAGER = "kube-controller-manager"
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
"""Letters that spell no words, as Kubernetes writes hashes and generated names."""


def living(store: Store, kind: Kind, namespace: str, name: str) -> Object | None:
    """A workload as it is; None for one that is gone or on its way out, whose pods are the garbage collector's."""
    stored = store.collection(kind).items.get((namespace, name))
    body = stored.read() if stored else None
    return None if body is None or "deletionTimestamp" in body["metadata"] else body


def revision(template: Any) -> str:
    """Ten letters that change with a template."""
    number = int.from_bytes(hashlib.sha256(msgspec.json.encode(template, order="sorted")).digest()[:8])
    letters = []
    for _ in range(10):
        number, rest = divmod(number, len(_SAFE))
        letters.append(_SAFE[rest])
    return "".join(letters)


def reference(owner: Object) -> Object:
    """The ownerReference that makes `owner` the controller of an object."""
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def pod(owner: Object, name: Object, labels: Object | None = None) -> Object:
    """A pod of the owner's template; `name` is its `name` or `generateName`, `labels` are added."""
    template = owner["spec"]["template"]
    given = template.get("metadata") or {}
    metadata: Object = {**name, "ownerReferences": [reference(owner)]}
    metadata["labels"] = {**(given.get("labels") or {}), **(labels or {})}
    if given.get("annotations"):
        metadata["annotations"] = dict(given["annotations"])
    spec = msgspec.json.decode(msgspec.json.encode(template["spec"]))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def available(ready_since: float, *, least: float, now: float) -> bool:
    """Whether a pod has been ready for `minReadySeconds`."""
    return ready_since > 0 and now - ready_since >= least
