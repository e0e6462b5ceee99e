"""The Deployment controller: a ReplicaSet per template, and rollouts from one to the next.

`workloads.Controller` calls `look` whenever a Deployment or one of its ReplicaSets changes.
"""

from __future__ import annotations

from podtide.local import rollouts, templates
from podtide.local.admission import Write
from podtide.local.refusals import Object
from podtide.local.rollouts import Size
from podtide.local.store import Store, timestamp

_REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"


class Deployments:
    """Keeps every Deployment's ReplicaSets in step with it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kind = store.kind("apps/v1", "deployments")
        self._sets = store.kind("apps/v1", "replicasets")

    def look(self, namespace: str, name: str) -> None:
        """Sizes the ReplicaSets, making one for a new template, and reports."""
        body = templates.living(self._store, self._kind, namespace, name)
        if body is None or body["spec"].get("paused"):
            return
        sets = self._owned(body["metadata"]["uid"])
        wanted = f"{name}-{templates.revision(body['spec']['template'])}"
        new = next((one for one in sets if one["metadata"]["name"] == wanted), None)
        if new is None:
            new = self._make(body, wanted, sets)
        old = [one for one in sets if one["metadata"]["name"] != wanted]
        self._size(body, new, old)
        self._tidy(body, old)
        self._number(body, new)
        self._report(body, wanted)

    def _owned(self, uid: str) -> list[Object]:
        items = self._store.collection(self._sets).items
        keys = [key for storage, key in self._store.owned(uid) if storage == self._sets.storage]
        return [items[key].read() for key in keys]

    def _make(self, body: Object, name: str, sets: list[Object]) -> Object:
        spec, metadata = body["spec"], body["metadata"]
        mark = {_HASH: name.rpartition("-")[2]}
        template = spec["template"]
        given = template.get("metadata") or {}
        labels = {**(given.get("labels") or {}), **mark}
        selector = spec["selector"]
        made: Object = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": {_REVISION: str(_newest(sets) + 1)},
                "ownerReferences": [templates.reference(body)],
            },
            "spec": {
                # A first ReplicaSet starts at full size, a later one grows through the rollout.
                "replicas": 0 if any(one["spec"]["replicas"] for one in sets) else spec["replicas"],
                "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **mark}},
                "template": {**template, "metadata": {**given, "labels": labels}},
            },
        }
        if spec.get("minReadySeconds"):
            made["spec"]["minReadySeconds"] = spec["minReadySeconds"]
        return self._store.create(self._sets, metadata["namespace"], made, Write(templates.MANAGER)).read()

    def _size(self, body: Object, new: Object, old: list[Object]) -> None:
        replicas, strategy = body["spec"]["replicas"], body["spec"]["strategy"]
        sizes = [_size_of(one) for one in old]
        if strategy["type"] == "Recreate":
            grown, shrunk = rollouts.recreate(replicas, sizes)
        else:
            allowed = rollouts.rules(strategy, replicas)
            grown, shrunk = rollouts.roll(replicas, _size_of(new), sizes, allowed)
        for one, size in zip([new, *old], [grown, *shrunk], strict=True):
            if one["spec"]["replicas"] != size:
                self._resize(one, size)

    def _resize(self, one: Object, size: int) -> None:
        def change(wanted: Object) -> Object:
            wanted["spec"]["replicas"] = size
            return wanted

        metadata = one["metadata"]
        self._store.patch(self._sets, metadata["namespace"], metadata["name"], change, Write(templates.MANAGER))

    def _number(self, body: Object, new: Object) -> None:
        """Repeats the revision of the newest ReplicaSet on the Deployment, where `kubectl rollout` looks for it."""
        number = new["metadata"]["annotations"][_REVISION]
        metadata = body["metadata"]
        if (metadata.get("annotations") or {}).get(_REVISION) == number:
            return

        def change(wanted: Object) -> Object:
            wanted["metadata"].setdefault("annotations", {})[_REVISION] = number
            return wanted

        self._store.patch(self._kind, metadata["namespace"], metadata["name"], change, Write(templates.MANAGER))

    def _tidy(self, body: Object, old: list[Object]) -> None:
        empty = [one for one in old if not one["spec"]["replicas"] and not (one.get("status") or {}).get("replicas")]
        empty.sort(key=lambda one: int(one["metadata"]["annotations"].get(_REVISION, 0)))
        for one in empty[: max(len(empty) - body["spec"]["revisionHistoryLimit"], 0)]:
            self._store.delete(self._sets, one["metadata"]["namespace"], one["metadata"]["name"])

    def _report(self, body: Object, newest: str) -> None:
        metadata, before = body["metadata"], body.get("status") or {}
        sets = {one["metadata"]["name"]: one.get("status") or {} for one in self._owned(metadata["uid"])}
        total = {
            field: sum(status.get(field, 0) for status in sets.values())
            for field in ("replicas", "readyReplicas", "availableReplicas")
        }
        replicas = body["spec"]["replicas"]
        updated = sets[newest].get("replicas", 0)
        counts = {
            "replicas": total["replicas"],
            "updatedReplicas": updated,
            "readyReplicas": total["readyReplicas"],
            "availableReplicas": total["availableReplicas"],
            "unavailableReplicas": max(max(total["replicas"], replicas) - total["availableReplicas"], 0),
        }
        status: Object = {"observedGeneration": metadata["generation"]}
        status |= {field: count for field, count in counts.items() if count}
        allowed = rollouts.rules(body["spec"]["strategy"], replicas)
        serves = total["availableReplicas"] >= replicas - allowed.unavailable
        done = updated == total["replicas"] == replicas == total["availableReplicas"]
        status["conditions"] = self._conditions(before, serves=serves, done=done, newest=newest)
        if status == before:
            return

        def change(wanted: Object) -> Object:
            return {**wanted, "status": status}

        write = Write(templates.MANAGER, sub="status")
        self._store.patch(self._kind, metadata["namespace"], metadata["name"], change, write)

    def _conditions(self, before: Object, *, serves: bool, done: bool, newest: str) -> list[Object]:
        if serves:
            available = ("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        else:
            text = "Deployment does not have minimum availability."
            available = ("Available", "False", "MinimumReplicasUnavailable", text)
        if done:
            text = f'ReplicaSet "{newest}" has successfully progressed.'
            progress = ("Progressing", "True", "NewReplicaSetAvailable", text)
        else:
            progress = ("Progressing", "True", "ReplicaSetUpdated", f'ReplicaSet "{newest}" is progressing.')
        known = {condition["type"]: condition for condition in before.get("conditions") or ()}
        return [self._condition(known.get(told[0]), *told) for told in (available, progress)]

    def _condition(self, before: Object | None, kind: str, status: str, reason: str, message: str) -> Object:
        told = {"type": kind, "status": status, "reason": reason, "message": message}
        if before is not None and all(before[field] == value for field, value in told.items()):
            return before
        now = timestamp(self._store.now())
        moved = before["lastTransitionTime"] if before is not None and before["status"] == status else now
        return {**told, "lastUpdateTime": now, "lastTransitionTime": moved}


def _size_of(one: Object) -> Size:
    status = one.get("status") or {}
    return Size(one["spec"]["replicas"], status.get("availableReplicas", 0), status.get("replicas", 0))


def _newest(sets: list[Object]) -> int:
    return max((int((one["metadata"].get("annotations") or {}).get(_REVISION, 0)) for one in sets), default=0)
