"""The StatefulSet controller: pods with numbers, made and removed one after the other.

`workloads.Controller` calls `look` whenever a StatefulSet or one of its pods changes.
"""

from __future__ import annotations

from podtide.local import templates
from podtide.local.admission import Write
from podtide.local.briefs import Brief, Briefs
from podtide.local.refusals import Object
from podtide.local.store import Store

_REVISION = "controller-revision-hash"


class StatefulSets:
    """Keeps every StatefulSet at its size and template."""

    def __init__(self, store: Store, briefs: Briefs) -> None:
        self._store = store
        self._briefs = briefs
        self._kind = store.kind("apps/v1", "statefulsets")
        self._pods = store.kind("v1", "pods")

    def look(self, namespace: str, name: str) -> None:
        """Takes the next steps towards the wanted pods, and reports."""
        body = templates.living(self._store, self._kind, namespace, name)
        if body is None:
            return
        spec = body["spec"]
        revision = f"{name}-{templates.revision(spec['template'])}"
        pods = {_ordinal(pod): pod for pod in self._briefs.of(body["metadata"]["uid"])}
        if spec["podManagementPolicy"] == "Parallel":
            self._all_at_once(body, pods, revision)
        else:
            self._one_by_one(body, pods, revision)
        self._report(body, revision)

    def _all_at_once(self, body: Object, pods: dict[int, Brief], revision: str) -> None:
        replicas = body["spec"]["replicas"]
        for ordinal in range(replicas):
            if ordinal not in pods:
                self._make(body, ordinal, revision)
        for ordinal, pod in pods.items():
            if ordinal >= replicas and not pod.is_leaving:
                self._store.delete(self._pods, pod.namespace, pod.name)
        self._update(body, pods, revision)

    def _one_by_one(self, body: Object, pods: dict[int, Brief], revision: str) -> None:
        replicas = body["spec"]["replicas"]
        for ordinal in range(replicas):
            pod = pods.get(ordinal)
            if pod is None:
                self._make(body, ordinal, revision)
                return
            if not pod.is_ready or pod.is_leaving:
                return
        beyond = sorted((ordinal for ordinal in pods if ordinal >= replicas), reverse=True)
        if beyond:
            last = pods[beyond[0]]
            if not last.is_leaving:
                self._store.delete(self._pods, last.namespace, last.name)
            return
        self._update(body, pods, revision)

    def _update(self, body: Object, pods: dict[int, Brief], revision: str) -> None:
        """Replaces the outdated pod with the highest number, once all others are well."""
        spec = body["spec"]
        update = spec["updateStrategy"]
        if update["type"] != "RollingUpdate" or not all(pod.is_ready and not pod.is_leaving for pod in pods.values()):
            return
        first = (update.get("rollingUpdate") or {}).get("partition", 0)
        stale = [ordinal for ordinal, pod in pods.items() if ordinal >= first and pod.revision != revision]
        if stale:
            pod = pods[max(stale)]
            self._store.delete(self._pods, pod.namespace, pod.name)

    def _make(self, body: Object, ordinal: int, revision: str) -> None:
        name = f"{body['metadata']['name']}-{ordinal}"
        labels = {
            _REVISION: revision,
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(ordinal),
        }
        made = templates.pod(body, {"name": name}, labels)
        made["spec"] |= {"hostname": name, "subdomain": body["spec"].get("serviceName", "")}
        self._store.create(self._pods, body["metadata"]["namespace"], made, Write(templates.MANAGER))

    def _report(self, body: Object, revision: str) -> None:
        metadata = body["metadata"]
        pods = self._briefs.of(metadata["uid"])
        least, now = body["spec"].get("minReadySeconds", 0), self._store.now()
        updated = sum(pod.revision == revision for pod in pods)
        status: Object = {
            "observedGeneration": metadata["generation"],
            "replicas": len(pods),
            "availableReplicas": sum(templates.available(p.ready_since, least=least, now=now) for p in pods),
            "collisionCount": 0,
            "updateRevision": revision,
        }
        done = updated == len(pods)
        status["currentRevision"] = revision if done else (body.get("status") or {}).get("currentRevision", revision)
        ready = sum(pod.is_ready for pod in pods)
        for field, count in (
            ("readyReplicas", ready),
            ("updatedReplicas", updated),
            ("currentReplicas", updated if done else len(pods) - updated),
        ):
            if count:
                status[field] = count
        if status == body.get("status"):
            return

        def change(wanted: Object) -> Object:
            return {**wanted, "status": status}

        write = Write(templates.MANAGER, sub="status")
        self._store.patch(self._kind, metadata["namespace"], metadata["name"], change, write)


def _ordinal(pod: Brief) -> int:
    number = pod.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1
