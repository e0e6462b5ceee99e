"""Deployments, ReplicaSets and StatefulSets at work: the part of kube-controller-manager that scaling needs.

The demo and the tests run one `Controller` beside an `ApiServer`; `pods.PodFleet` plays the nodes.
"""

from __future__ import annotations

import asyncio
from typing import Self

from podtide.local import briefs
from podtide.local.briefs import Briefs
from podtide.local.deployments import Deployments
from podtide.local.replicasets import ReplicaSets
from podtide.local.rounds import Rounds
from podtide.local.statefulsets import StatefulSets
from podtide.local.store import Store
from podtide.local.versions import Change, Stored

_DEPLOYMENTS, _REPLICA_SETS, _STATEFUL_SETS, _PODS = (
    "apps/deployments",
    "apps/replicasets",
    "apps/statefulsets",
    "/pods",
)
_STORAGE = {"Deployment": _DEPLOYMENTS, "ReplicaSet": _REPLICA_SETS, "StatefulSet": _STATEFUL_SETS}

Place = tuple[str, str, str]
"""Collection, namespace and name."""


class Controller:
    """Follows the store and keeps every workload at its size; an async context."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._briefs = Briefs()
        self._rounds: Rounds[Place] = Rounds(self._look)
        self._deployments = Deployments(store)
        self._replica_sets = ReplicaSets(store, self._briefs, self._look_again)
        self._stateful_sets = StatefulSets(store, self._briefs)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._unlisten = self._store.listen(self._see)
        for storage in (_PODS, *_STORAGE.values()):
            kind = self._store.stored_kind(storage)
            for stored in self._store.collection(kind).current():
                self._see(storage, Change(stored.revision, None, stored))
        self._task = asyncio.create_task(self._rounds.run(), name="workload controller")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._unlisten()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _see(self, storage: str, change: Change) -> None:
        stored = change.after or change.before
        if stored is None:
            return
        if storage == _PODS:
            self._briefs.see(change)
            self._owner(stored)
        elif storage in _STORAGE.values():
            self._rounds.add((storage, stored.namespace, stored.name))
            if storage == _REPLICA_SETS:
                self._owner(stored)
            if change.after is None:
                self._briefs.forget(stored.uid)

    def _owner(self, stored: Stored) -> None:
        """Asks for a look at the workload that owns a pod or ReplicaSet."""
        if not stored.owners:
            return
        owner = briefs.controller(stored.read())
        if owner is not None and owner["kind"] in _STORAGE:
            self._rounds.add((_STORAGE[owner["kind"]], stored.namespace, owner["name"]))

    def _look(self, place: Place) -> None:
        storage, namespace, name = place
        match storage:
            case "apps/deployments":
                self._deployments.look(namespace, name)
            case "apps/replicasets":
                self._replica_sets.look(namespace, name)
            case "apps/statefulsets":
                self._stateful_sets.look(namespace, name)

    def _look_again(self, namespace: str, name: str, after: float) -> None:
        place = (_REPLICA_SETS, namespace, name)
        if after:
            asyncio.get_running_loop().call_later(after, self._rounds.add, place)
        else:
            self._rounds.add(place)
