"""Objects and their history: what is there now, what was there at a revision, what changed since.

Only the store writes here; lists and watches read. An object is kept as the bytes it goes on the wire in, so that a
list of thousands or a watch of hundreds encodes nothing, and Python's garbage collector has nothing to walk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from podtide.local import refusals
from podtide.local.refusals import Object

Key = tuple[str, str]
"""Namespace (empty for cluster-wide kinds) and name."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Stored:
    """One object at one revision."""

    namespace: str
    name: str
    uid: str
    revision: int
    labels: Mapping[str, str]
    fields: Mapping[str, str]
    """What field selectors can ask for."""
    owners: tuple[str, ...]
    """The uids of its owners."""
    data: bytes

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return self.namespace, self.name

    def read(self) -> Object:
        """The object, a fresh copy that the caller may change."""
        found: Object = _decode(self.data)
        return found


@dataclass(slots=True)
class Change:
    """One write: no `before` when it was added, no `after` when it was removed."""

    revision: int
    before: Stored | None
    after: Stored | None
    _gone: bytes = b""

    def gone(self) -> bytes:
        """The last state, at this change's revision, as DELETED events show it."""
        if not self._gone and self.before is not None:
            body = self.before.read()
            body["metadata"]["resourceVersion"] = str(self.revision)
            self._gone = _encode(body)
        return self._gone


Listener = Callable[[Change], None]


class Collection:
    """All objects of one kind and the log of their changes."""

    def __init__(self, *, log_length: int, floor: int = 0) -> None:
        self.items: dict[Key, Stored] = {}
        self.floor = floor
        """The oldest revision whose following changes are all in the log."""
        self._spaces: dict[str, dict[str, Stored]] = {}
        self._log: deque[Change] = deque()
        self._log_length = log_length
        self._order: list[Stored] | None = None
        self._listeners: list[Listener] = []

    def put(self, stored: Stored) -> Change:
        """Adds or replaces an object and tells the listeners."""
        before = self.items.get(stored.key)
        self.items[stored.key] = stored
        self._spaces.setdefault(stored.namespace, {})[stored.name] = stored
        return self._note(Change(stored.revision, before, stored))

    def remove(self, key: Key, revision: int) -> Change:
        """Removes an object, which must exist, and tells the listeners."""
        before = self.items.pop(key)
        space = self._spaces[before.namespace]
        del space[before.name]
        if not space:
            del self._spaces[before.namespace]
        return self._note(Change(revision, before, None))

    def _note(self, change: Change) -> Change:
        self._order = None
        self._log.append(change)
        if len(self._log) > self._log_length:
            self.floor = self._log.popleft().revision
        for listener in tuple(self._listeners):
            listener(change)
        return change

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` at every change, in order and at once; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def current(self, namespace: str = "") -> list[Stored]:
        """The objects of one namespace, or all, sorted as etcd sorts them."""
        if namespace:
            space = self._spaces.get(namespace, {})
            return [space[name] for name in sorted(space)]
        if self._order is None:
            self._order = [self.items[key] for key in sorted(self.items)]
        return list(self._order)

    def at(self, revision: int, namespace: str = "") -> list[Stored]:
        """The objects as they were at an older revision; raises `Refusal` 410 when the log is too short."""
        self._check(revision)
        past: dict[Key, Stored | None] = {}
        for change in reversed(self._log):
            if change.revision <= revision:
                break
            key = (change.before or change.after or _nothing()).key
            past[key] = change.before
        if not past:
            return self.current(namespace)
        merged: dict[Key, Stored | None] = {**self.items, **past}
        return [
            stored
            for key in sorted(merged)
            if (stored := merged[key]) is not None and (not namespace or stored.namespace == namespace)
        ]

    def since(self, revision: int) -> list[Change]:
        """The changes after a revision, oldest first; raises `Refusal` 410 when some are forgotten."""
        self._check(revision)
        found: list[Change] = []
        for change in reversed(self._log):
            if change.revision <= revision:
                break
            found.append(change)
        found.reverse()
        return found

    def _check(self, revision: int) -> None:
        if revision < self.floor:
            raise refusals.expired(f"too old resource version: {revision} ({self.floor})")

    def compact(self, revision: int) -> None:
        """Forgets every change up to a revision."""
        while self._log and self._log[0].revision <= revision:
            self._log.popleft()
        self.floor = max(self.floor, revision)


def _nothing() -> Stored:
    raise AssertionError("a change has a before, an after or both")


def stored(body: Object, revision: int | None, fields: Iterable[str]) -> Stored:
    """An object ready to keep, at `revision`, which is written into it; None for one that only a dry run made."""
    metadata = body["metadata"]
    if revision is not None:
        metadata["resourceVersion"] = str(revision)
    return Stored(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata["uid"],
        revision=revision or 0,
        labels=metadata.get("labels") or {},
        fields={path: _field(body, path) for path in fields},
        owners=tuple(owner["uid"] for owner in metadata.get("ownerReferences") or ()),
        data=_encode(body),
    )


def _field(body: Object, path: str) -> str:
    node: object = body
    for step in path.split("."):
        node = node.get(step) if isinstance(node, dict) else None
    if node is None:
        return ""
    return str(node).lower() if isinstance(node, bool) else str(node)
