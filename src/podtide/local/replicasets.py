"""The ReplicaSet controller: as many pods as wanted, made from the template.

`workloads.Controller` calls `look` whenever a ReplicaSet or one of its pods changes.
"""

from __future__ import annotations

from collections.abc import Callable

from podtide.local import templates, victims
from podtide.local.admission import Write
from podtide.local.briefs import Brief, Briefs
from podtide.local.refusals import Object
from podtide.local.store import Store

_BURST = 500
"""The most pods one look makes or deletes, as the real controller's."""


class ReplicaSets:
    """Keeps every ReplicaSet at its size."""

    def __init__(self, store: Store, briefs: Briefs, again: Callable[[str, str, float], None]) -> None:
        """`again` asks for another look at a namespace and name, after some seconds."""
        self._store = store
        self._briefs = briefs
        self._again = again
        self._kind = store.kind("apps/v1", "replicasets")
        self._pods = store.kind("v1", "pods")

    def look(self, namespace: str, name: str) -> None:
        """Makes or deletes pods, then says in the status what there is."""
        body = templates.living(self._store, self._kind, namespace, name)
        if body is None:
            return
        active = [pod for pod in self._briefs.of(body["metadata"]["uid"]) if pod.is_active]
        missing = body["spec"]["replicas"] - len(active)
        write = Write(templates.MANAGER)
        if missing > 0:
            for _ in range(min(missing, _BURST)):
                made = templates.pod(body, {"generateName": f"{name}-"})
                self._store.create(self._pods, namespace, made, write)
        elif missing < 0:
            for pod in victims.choose(active, min(-missing, _BURST), self._store.now(), self._related(body)):
                self._store.delete(self._pods, namespace, pod.name)
        if abs(missing) > _BURST:
            self._again(namespace, name, 0.0)
        self._report(body, namespace, name)

    def _related(self, body: Object) -> list[Brief]:
        """The pods of all ReplicaSets of the same owner."""
        owner = next(iter(body["metadata"].get("ownerReferences") or ()), None)
        if owner is None:
            return self._briefs.of(body["metadata"]["uid"])
        siblings = [key for storage, key in self._store.owned(owner["uid"]) if storage == self._kind.storage]
        items = self._store.collection(self._kind).items
        return [pod for key in siblings for pod in self._briefs.of(items[key].uid)]

    def _report(self, body: Object, namespace: str, name: str) -> None:
        active = [pod for pod in self._briefs.of(body["metadata"]["uid"]) if pod.is_active]
        least, now = body["spec"].get("minReadySeconds", 0), self._store.now()
        ready = [pod for pod in active if pod.is_ready]
        serving = [pod for pod in ready if templates.available(pod.ready_since, least=least, now=now)]
        if len(serving) < len(ready):
            self._again(namespace, name, max(least + min(pod.ready_since for pod in ready) - now, 0.5))
        counts = {
            "replicas": len(active),
            "fullyLabeledReplicas": len(active),
            "readyReplicas": len(ready),
            "availableReplicas": len(serving),
        }
        status = {field: count for field, count in counts.items() if count or field == "replicas"}
        status["observedGeneration"] = body["metadata"]["generation"]
        if status == body.get("status"):
            return

        def change(wanted: Object) -> Object:
            return {**wanted, "status": status}

        self._store.patch(self._kind, namespace, name, change, Write(templates.MANAGER, sub="status"))
