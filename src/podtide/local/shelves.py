"""Where objects are kept: the collections, the kinds that are served, who owns what, and who listens.

`store.Store` adds the rules of the API on top; nothing else writes here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from podtide.local import admission, convert, definitions, kinds, refusals, versions
from podtide.local.kinds import Kind
from podtide.local.refusals import Object
from podtide.local.versions import Change, Collection, Key, Stored

StoreListener = Callable[[str, Change], None]
"""Told every change with the name of its collection."""


class Shelves:
    """All collections of one cluster under one count of revisions."""

    def __init__(self, *, now: Callable[[], float] = time.time, log_length: int = 20_000) -> None:
        """`log_length` is how many changes of a kind a watch can go back."""
        self.now = now
        self.revision = 0
        self.kinds: dict[tuple[str, str, str], Kind] = kinds.lookup(kinds.built_in())
        self._log_length = log_length
        self._compacted = 0
        self._collections: dict[str, Collection] = {}
        self._owned: dict[str, set[tuple[str, Key]]] = {}
        self._listeners: list[StoreListener] = []

    def kind(self, api_version: str, plural: str) -> Kind:
        """The kind of this `group/version` and plural; raises `Refusal` 404."""
        group, _, version = api_version.rpartition("/")
        found = self.kinds.get((group, version, plural))
        if found is None:
            raise refusals.no_such_resource()
        return found

    def stored_kind(self, storage: str) -> Kind:
        """A kind whose objects are in this collection, in the stored version where that is served."""
        found = [kind for kind in self.kinds.values() if kind.storage == storage]
        return next((kind for kind in found if convert.is_same(kind)), found[0])

    def collection(self, kind: Kind) -> Collection:
        """The objects of a kind."""
        if kind.storage not in self._collections:
            self._collections[kind.storage] = Collection(log_length=self._log_length, floor=self._compacted)
        return self._collections[kind.storage]

    def collections(self) -> Mapping[str, Collection]:
        """Every collection that was ever used, by name."""
        return self._collections

    def get(self, kind: Kind, namespace: str, name: str) -> Stored:
        """One object; raises `Refusal` 404."""
        found = self.collection(kind).items.get((namespace, name))
        if found is None:
            raise refusals.not_found(kind.resource, name)
        return found

    def owned(self, uid: str) -> list[tuple[str, Key]]:
        """The objects that name `uid` in their ownerReferences, as collection and key."""
        return sorted(self._owned.get(uid, ()))

    def listen(self, listener: StoreListener) -> Callable[[], None]:
        """Calls `listener` at every change, in order and at once; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def compact(self, revision: int | None = None) -> None:
        """Forgets the history up to a revision (now, without one): older watches get 410 Expired."""
        self._compacted = self.revision if revision is None else revision
        for collection in self._collections.values():
            collection.compact(self._compacted)

    def keep(self, kind: Kind, body: Object) -> Stored:
        """Puts an object in its collection at a new revision and tells who listens."""
        self.revision += 1
        stored = versions.stored(body, self.revision, admission.selectable(kind))
        change = self.collection(kind).put(stored)
        before = change.before
        if before is None or before.owners != stored.owners:
            self._disown(kind, before)
            for uid in stored.owners:
                self._owned.setdefault(uid, set()).add((kind.storage, stored.key))
        if kind.storage == admission.DEFINITIONS:
            self._define(body)
        self._tell(kind, change)
        return stored

    def drop(self, kind: Kind, key: Key) -> None:
        """Takes an object, which must exist, out of its collection and tells who listens."""
        self.revision += 1
        change = self.collection(kind).remove(key, self.revision)
        self._disown(kind, change.before)
        if kind.storage == admission.DEFINITIONS and change.before is not None:
            self._undefine(change.before.read())
        self._tell(kind, change)

    def _tell(self, kind: Kind, change: Change) -> None:
        for listener in tuple(self._listeners):
            listener(kind.storage, change)

    def _disown(self, kind: Kind, stored: Stored | None) -> None:
        if stored is None:
            return
        for uid in stored.owners:
            self._owned[uid].discard((kind.storage, stored.key))
            if not self._owned[uid]:
                del self._owned[uid]

    def _define(self, definition: Object) -> None:
        spec = definition["spec"]
        for key in [key for key in self.kinds if key[0] == spec["group"] and key[2] == spec["names"]["plural"]]:
            del self.kinds[key]
        self.kinds |= kinds.lookup(definitions.kinds_of(definition))

    def _undefine(self, definition: Object) -> None:
        spec = definition["spec"]
        gone = [kind for kind in self.kinds.values() if kind.storage == f"{spec['group']}/{spec['names']['plural']}"]
        for kind in gone[:1]:
            for stored in self.collection(kind).current():
                self.drop(kind, stored.key)
        for kind in gone:
            del self.kinds[kind.group, kind.version, kind.plural]
