"""Which pods belong to an object: those it owns through ownerReferences, however many owners lie between.

Selectors overlap, owners do not (USERS 7). A view costs what the target's own pods cost, whatever else is in the
namespace.
"""

from collections.abc import Iterator

from podtide.core.model.spec import Key
from podtide.core.model.view import PodView
from podtide.kube import kinds, objects, resources
from podtide.kube.cache import Cache
from podtide.kube.discovery import Discovery
from podtide.kube.informers import Informers
from podtide.kube.resources import Resource
from podtide.targets import heads
from podtide.targets.lineage import DEEPEST, Lineage

_UNASKED = 10_000
"""Controllers of one namespace's pods that wait to be asked for, at most."""

FIRST_LIST = 10.0
"""Seconds that a view waits for the first list of pods. Without it every start would find workloads without pods."""


class Ownership:
    """Pods by owner, kept up to date by the watches of pods and ReplicaSets."""

    def __init__(self, informers: Informers, discovery: Discovery) -> None:
        self._informers = informers
        self.pods: Cache[objects.PodRecord] = informers.cache(kinds.PODS, owner=_owner_of_head)
        self._replica_sets: Cache[objects.Meta] = informers.cache(
            kinds.REPLICA_SETS, owner=lambda meta: (meta.controller.uid,) if meta.controller else ()
        )
        self._lineage = Lineage(informers.client, discovery)
        self._new: dict[str, dict[str, objects.Owner]] = {}
        """Namespace → controllers of its pods that may not be known yet, by uid; of namespaces that were asked for."""
        self.pods.subscribe(self._see)

    async def pods_of(self, namespace: str, uid: str, resource: Resource) -> tuple[PodView, ...]:
        """The pods that an object owns, terminating and finished ones included; of a group of pods its head.

        Raises:
            KubeError: pods or ReplicaSets cannot be listed, or there are pods whose owners could not be asked for.
        """
        await self._informers.listed(kinds.PODS, within=FIRST_LIST)
        await self._informers.listed(kinds.REPLICA_SETS, within=FIRST_LIST)
        if resource not in resources.BUILT_IN:
            await self._learn(namespace)
        owners, seen = [uid], {uid}
        found: list[PodView] = []
        for _ in range(DEEPEST):
            below: list[str] = []
            for owner in owners:
                # An owner is in the namespace of what it owns. A uid is no secret: who writes it into a pod of another
                # namespace would have that pod shown this one's credentials, and counted.
                found += [record.view for record in self.pods.find("owner", owner) if record.namespace == namespace]
                below += [meta.uid for meta in self._replica_sets.find("owner", owner)]
                below += self._lineage.children(owner)
            # A ReplicaSet may be known twice: from its watch, and because it was asked for before the watch told of it.
            owners = [uid for uid in dict.fromkeys(below) if uid not in seen]
            seen.update(owners)
            if not owners:
                break
        return tuple(found)

    def _see(self, key: Key, record: objects.PodRecord | None) -> None:
        new = self._new.get(key.namespace)
        if new is None or record is None or record.controller is None or self._lineage.is_known(record.controller):
            return
        new[record.controller.uid] = record.controller
        if len(new) > _UNASKED:
            # Nobody asks any more; the next who does begins anew.
            del self._new[key.namespace]

    async def _learn(self, namespace: str) -> None:
        new = self._new.get(namespace)
        if new is None:
            new = self._new[namespace] = {
                record.controller.uid: record.controller
                for key, record in self.pods
                if record.controller is not None and key.namespace == namespace
            }
        if not new:
            return
        # Taken out first, so that one that comes while we ask is new again.
        asked = {uid: owner for uid, owner in new.items() if self.pods.find("owner", uid)}
        new.clear()
        unknown = asked
        try:
            unknown = await self._lineage.learn(namespace, asked, self._replica_set)
        finally:
            new.update(unknown)
        self._lineage.sweep(self._living)

    def _replica_set(self, namespace: str, name: str) -> objects.Meta | None:
        return self._replica_sets.get(Key(namespace, name))

    def _living(self) -> Iterator[str]:
        for _, record in self.pods:
            if record.controller:
                yield record.controller.uid
        for _, meta in self._replica_sets:
            if meta.controller:
                yield meta.controller.uid


def _owner_of_head(record: objects.PodRecord) -> tuple[str, ...]:
    """Under whom a pod is found, if it counts: asked once per pod and change, not at every tick."""
    return (record.controller.uid,) if record.controller and heads.is_head(record.view.labels) else ()
