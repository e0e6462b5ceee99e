"""One watch: which changes it sees, as what, and the bytes of its stream.

The routes open one per watch request; the collection calls it at every change and the connection drains it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from podtide.local import selectors
from podtide.local.kinds import Kind
from podtide.local.refusals import Object
from podtide.local.versions import Change, Stored

Render = Callable[[bytes], bytes]
"""From an object's stored bytes to the form the client asked for."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which objects a list or watch covers."""

    namespace: str = ""
    name: str = ""
    labels: selectors.Labels = ()
    fields: selectors.FieldTest | None = None

    def covers(self, stored: Stored | None) -> bool:
        """Whether an object is inside."""
        return (
            stored is not None
            and self.namespace in ("", stored.namespace)
            and self.name in ("", stored.name)
            and (not self.labels or selectors.matches(self.labels, stored.labels))
            and (self.fields is None or self.fields(stored.fields))
        )


def line(event: bytes, data: bytes) -> bytes:
    """One event as it stands in the stream."""
    return b'{"type":"' + event + b'","object":' + data + b"}\n"


class Watch:
    """Collects the events of one client until its connection writes them."""

    def __init__(self, scope: Scope, render: Render | None, revision: int) -> None:
        self.revision = revision
        """The latest revision the client knows everything up to."""
        self.is_over = False
        self._scope = scope
        self._render = render
        self._lines: list[bytes] = []
        self._wake = asyncio.Event()

    def see(self, change: Change) -> None:
        """Takes a change, as ADDED, MODIFIED or DELETED from this client's view."""
        self.revision = change.revision
        had, has = self._scope.covers(change.before), self._scope.covers(change.after)
        if has and change.after is not None:
            self._add(b"MODIFIED" if had else b"ADDED", change.after.data)
        elif had:
            self._add(b"DELETED", change.gone())

    def begin(self, present: list[Stored]) -> None:
        """Shows what is there already as ADDED."""
        for stored in present:
            if self._scope.covers(stored):
                self._add(b"ADDED", stored.data)

    def bookmark(self, data: bytes) -> None:
        """Tells the client how far it has come."""
        self._lines.append(line(b"BOOKMARK", data))
        self._wake.set()

    def fail(self, status: Object) -> None:
        """Ends the watch with an ERROR event."""
        self._lines.append(line(b"ERROR", msgspec.json.encode(status)))
        self.end()

    def end(self) -> None:
        """Ends the watch after what is still to be written."""
        self.is_over = True
        self._wake.set()

    def _add(self, event: bytes, data: bytes) -> None:
        self._lines.append(line(event, self._render(data) if self._render else data))
        self._wake.set()

    def drain(self) -> bytes:
        """What is to be written now."""
        lines, self._lines = self._lines, []
        return b"".join(lines)

    async def ready(self, timeout: float) -> bool:
        """Waits for something to write; False when nothing came within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True


def bookmark(kind: Kind, revision: int, *, initial: bool = False) -> bytes:
    """The object of a BOOKMARK event; `initial` marks the end of the initial events."""
    metadata: Object = {"resourceVersion": str(revision)}
    if initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    body: Object = {"kind": kind.name, "apiVersion": kind.api_version, "metadata": metadata}
    if kind.storage == "/pods":
        body |= {"spec": {"containers": None}, "status": {}}
    return msgspec.json.encode(body)
