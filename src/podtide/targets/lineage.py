"""Who is whose controller, between a pod's controller and the object that is scaled. Asked for once, then remembered.

Deployments' ReplicaSets come from a watch. Any other object on the way (a RoleSet of a StormService, a StatefulSet of a
LeaderWorkerSet, a Deployment of an operator's own kind) is asked for, metadata only, when a target first needs it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from podtide.kube import errors, objects
from podtide.kube.client import METADATA, Client
from podtide.kube.discovery import Discovery

log = logging.getLogger(__name__)

DEEPEST = 6
"""Owners between a pod and its target; StormService → RoleSet → PodSet → Pod are three."""
_LEAVES = frozenset({"DaemonSet", "Job", "Node"})
"""Kinds that nothing scalable owns, so that their owners need not be asked for."""
_ASK_AGAIN = 60.0
"""Seconds until an owner that we may not read is asked for again: somebody may have granted the right."""
_SWEEP = 256
"""Owners remembered below which nothing is swept."""


class Lineage:
    """The controllers of objects that were asked for."""

    def __init__(
        self, client: Client, discovery: Discovery, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._client = client
        self._discovery = discovery
        self._above: dict[str, objects.Owner | None] = {}
        """Uid → its controller; None where it has none, or is gone."""
        self._below: dict[str, set[str]] = {}
        """Uid → what it controls, of those asked for."""
        self._refused: dict[str, float] = {}
        """Uid of what we may not read → when to ask again."""
        self._asking = asyncio.Lock()
        self._swept_to = _SWEEP

    def __len__(self) -> int:
        return len(self._above)

    def children(self, uid: str) -> Iterable[str]:
        """What an object controls, of what was asked for."""
        return self._below.get(uid, ())

    def is_known(self, owner: objects.Owner) -> bool:
        """Whether nothing is to be learned about an owner now."""
        if owner.kind in _LEAVES or owner.uid in self._above:
            return True
        return self._monotonic() < self._refused.get(owner.uid, 0.0)

    async def learn(
        self, namespace: str, owners: Mapping[str, objects.Owner], watched: Callable[[str, str], objects.Meta | None]
    ) -> dict[str, objects.Owner]:
        """Follow each owner up to the top; those that we may not read are returned, to be tried again later.

        `owners` are by uid. `watched(namespace, name)` is a ReplicaSet as its watch shows it.

        Raises:
            Unreachable: the API server is away; the rest is learned next time.
        """
        # One at a time: two targets of one namespace need the same answers.
        unknown: dict[str, objects.Owner] = {}
        async with self._asking:
            for uid, first in owners.items():
                owner: objects.Owner | None = first
                for _ in range(DEEPEST):
                    if owner is None or self.is_known(owner):
                        break
                    meta = watched(namespace, owner.name) if owner.kind == "ReplicaSet" else None
                    if meta is not None and meta.uid == owner.uid:
                        owner = meta.controller
                    else:
                        owner = await self._ask(namespace, owner)
                if owner is not None and owner.uid in self._refused:
                    unknown[uid] = first
        return unknown

    async def _ask(self, namespace: str, owner: objects.Owner) -> objects.Owner | None:
        above: objects.Owner | None = None
        try:
            resource = await self._discovery.resource(owner.apiVersion, owner.kind)
            partial = await self._client.get(resource, namespace, owner.name, into=objects.Partial, accept=METADATA)
            if partial.metadata.uid == owner.uid:
                # Else it is gone, and another has its name.
                above = partial.metadata.controller
        except errors.NotFound:
            above = None
        except errors.Unreachable:
            raise
        except errors.KubeError as error:
            if owner.uid not in self._refused:
                log.warning("pods below %s %s/%s cannot be assigned: %s", owner.kind, namespace, owner.name, error)
            self._refused[owner.uid] = self._monotonic() + _ASK_AGAIN
            return owner
        self._refused.pop(owner.uid, None)
        self._above[owner.uid] = above
        if above is not None:
            self._below.setdefault(above.uid, set()).add(owner.uid)
        return above

    def sweep(self, living: Callable[[], Iterator[str]]) -> None:
        """Forget what no living object descends from, once there is twice as much as was left the last time.

        `living` gives the controllers' uids of every pod and ReplicaSet; it is only asked when a sweep is due.
        """
        if len(self._above) + len(self._refused) <= self._swept_to:
            return
        kept: set[str] = set()
        for uid in living():
            above: str | None = uid
            while above is not None and above not in kept:
                kept.add(above)
                owner = self._above.get(above)
                above = owner.uid if owner else None
        for uid in self._above.keys() - kept:
            self._forget(uid)
        self._refused = {uid: at for uid, at in self._refused.items() if uid in kept}
        self._swept_to = max(_SWEEP, 2 * (len(self._above) + len(self._refused)))

    def _forget(self, uid: str) -> None:
        owner = self._above.pop(uid)
        if owner is not None:
            siblings = self._below[owner.uid]
            siblings.discard(uid)
            if not siblings:
                del self._below[owner.uid]
