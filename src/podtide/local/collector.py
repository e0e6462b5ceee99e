"""The garbage collector: dependents of what is gone, namespaces that are being deleted.

`server.ApiServer` runs one beside the store; like the real one it works in the background, after the client's answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Self

from podtide.local import deletion
from podtide.local.kinds import Kind
from podtide.local.refusals import Object, Refusal
from podtide.local.store import Store
from podtide.local.versions import Change, Key

_BATCH = 100
"""Objects deleted before other tasks get their turn."""


class Collector:
    """Follows the store and deletes what nothing owns any more."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._gone: deque[str] = deque()
        self._deleting: deque[tuple[str, Key]] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._unlisten = self._store.listen(self._see)
        self._task = asyncio.create_task(self._run(), name="garbage collector")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._unlisten()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _see(self, storage: str, change: Change) -> None:
        if change.after is None:
            if change.before is not None and self._store.owned(change.before.uid):
                self._gone.append(change.before.uid)
                self._wake.set()
        elif b'"deletionTimestamp"' in change.after.data:
            self._deleting.append((storage, change.after.key))
            self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._gone or self._deleting:
                if self._gone:
                    await self._collect(self._gone.popleft())
                if self._deleting:
                    await self._progress(*self._deleting.popleft())
                await asyncio.sleep(0)

    async def _collect(self, uid: str) -> None:
        """Deletes dependents that have no other living owner, and takes the dead owner off the others."""
        for count, (storage, key) in enumerate(self._store.owned(uid)):
            kind = self._store.stored_kind(storage)
            body = self._store.get(kind, *key).read()
            others = [owner for owner in body["metadata"]["ownerReferences"] if owner["uid"] != uid]
            if others:
                self._reown(kind, key, others)
            else:
                self._store.delete(kind, key[0], key[1], {"propagationPolicy": "Background"})
            if count % _BATCH == _BATCH - 1:
                await asyncio.sleep(0)

    def _reown(self, kind: Kind, key: Key, owners: list[Object]) -> None:
        def change(body: Object) -> Object:
            body["metadata"]["ownerReferences"] = owners
            if not owners:
                del body["metadata"]["ownerReferences"]
            return body

        self._store.patch(kind, *key, change)

    async def _progress(self, storage: str, key: Key) -> None:
        """Moves an object on that is waiting for its dependents or its contents to go."""
        kind = self._store.stored_kind(storage)
        try:
            body = self._store.get(kind, *key).read()
        except Refusal:
            return
        finalizers = body["metadata"].get("finalizers") or []
        if kind.storage == "/namespaces":
            await self._empty(kind, body)
        elif deletion.ORPHAN in finalizers:
            for dependent, where in self._store.owned(body["metadata"]["uid"]):
                owned = self._store.stored_kind(dependent)
                owners = self._store.get(owned, *where).read()["metadata"]["ownerReferences"]
                kept = [owner for owner in owners if owner["uid"] != body["metadata"]["uid"]]
                self._reown(owned, where, kept)
            self._finalized(kind, key, deletion.ORPHAN)
        elif deletion.FOREGROUND in finalizers:
            waiting = self._store.owned(body["metadata"]["uid"])
            for dependent, where in waiting:
                owned = self._store.stored_kind(dependent)
                if "deletionTimestamp" not in self._store.get(owned, *where).read()["metadata"]:
                    self._store.delete(owned, where[0], where[1], {"propagationPolicy": "Foreground"})
            if self._store.owned(body["metadata"]["uid"]):
                # Its dependents are going; every one that goes brings this object up again.
                asyncio.get_running_loop().call_later(0.05, self._again, storage, key)
            else:
                self._finalized(kind, key, deletion.FOREGROUND)

    def _again(self, storage: str, key: Key) -> None:
        self._deleting.append((storage, key))
        self._wake.set()

    def _finalized(self, kind: Kind, key: Key, finalizer: str) -> None:
        def change(body: Object) -> Object:
            left = [name for name in body["metadata"]["finalizers"] if name != finalizer]
            body["metadata"]["finalizers"] = left
            if not left:
                del body["metadata"]["finalizers"]
            return body

        self._store.patch(kind, *key, change)

    async def _empty(self, kind: Kind, namespace: Object) -> None:
        name = namespace["metadata"]["name"]
        left = 0
        for storage, collection in list(self._store.collections().items()):
            for count, stored in enumerate(collection.current(name)):
                inside = self._store.stored_kind(storage)
                if self._store.delete(inside, stored.namespace, stored.name, {"gracePeriodSeconds": 0}) is not None:
                    left += 1
                if count % _BATCH == _BATCH - 1:
                    await asyncio.sleep(0)
        if left or namespace["metadata"].get("finalizers"):
            asyncio.get_running_loop().call_later(0.05, self._again, "/namespaces", ("", name))
        else:
            self._store.drop(kind, ("", name))
