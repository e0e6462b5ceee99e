"""Which pods belong to an object: those it owns through ownerReferences, however many owners lie between.

Selectors overlap, owners do not (USERS 7). Deployments' ReplicaSets come from a watch; any other object between a
target and its pods (a StatefulSet of a LeaderWorkerSet, say) is asked for once, metadata only, and remembered.
"""

from podtide.core.model.view import PodView
from podtide.kube import errors, kinds, objects
from podtide.kube.cache import Cache
from podtide.kube.discovery import Discovery
from podtide.kube.informers import Informers

_DEEPEST = 6
"""Owners between a pod and its target; StormService → RoleSet → PodSet → Pod are three."""
_LEAVES = frozenset({"Deployment", "DaemonSet", "Job"})
"""Kinds that nothing scalable owns, so that their owners need not be asked for."""
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"


class Ownership:
    """Pods by owner, kept up to date by the watches of pods and ReplicaSets."""

    def __init__(self, informers: Informers, discovery: Discovery) -> None:
        self._client = informers.client
        self._discovery = discovery
        self.pods: Cache[objects.PodRecord] = informers.cache(
            kinds.PODS,
            owner=lambda record: (record.controller.uid,) if record.controller else (),
            namespace=lambda record: (record.namespace,),
        )
        self._replica_sets: Cache[objects.Meta] = informers.cache(
            kinds.REPLICA_SETS, owner=lambda meta: (meta.controller.uid,) if meta.controller else ()
        )
        self._between: dict[str, str | None] = {}
        """Uid of an object that was asked for → its controller's uid."""

    async def pods_of(self, namespace: str, uid: str, kind: str) -> tuple[PodView, ...]:
        """The pods that an object owns, terminating and finished ones included."""
        if kind not in ("Deployment", "StatefulSet", "ReplicaSet"):
            await self._learn(namespace)
        owners = [uid]
        found: list[PodView] = []
        for _ in range(_DEEPEST):
            found += [record.view for owner in owners for record in self.pods.find("owner", owner)]
            owners = [child for owner in owners for child in self._children(owner)]
            if not owners:
                break
        return tuple(found)

    def _children(self, uid: str) -> list[str]:
        direct = [meta.uid for meta in self._replica_sets.find("owner", uid)]
        return direct + [child for child, owner in self._between.items() if owner == uid]

    async def _learn(self, namespace: str) -> None:
        """Ask for every owner between the namespace's pods and their targets that is not known yet."""
        owners = {
            record.controller.uid: record.controller
            for record in self.pods.find("namespace", namespace)
            if record.controller is not None
        }
        for _ in range(_DEEPEST):
            unknown = [owner for owner in owners.values() if owner.uid not in self._between]
            owners = {}
            for owner in unknown:
                above = await self._controller(namespace, owner)
                if above is not None:
                    owners[above.uid] = above
            if not owners:
                return

    async def _controller(self, namespace: str, owner: objects.Owner) -> objects.Owner | None:
        above: objects.Owner | None = None
        if owner.kind not in _LEAVES:
            try:
                resource = await self._discovery.resource(owner.apiVersion, owner.kind)
                partial = await self._client.get(
                    resource, namespace, owner.name, into=objects.Partial, accept=_METADATA
                )
                above = partial.metadata.controller
            except errors.Unreachable:
                return None
            except errors.KubeError:
                # Gone, or not ours to read: then no target of ours owns it.
                above = None
        self._between[owner.uid] = above.uid if above else None
        return above
