"""Trouble on demand, for tests: slow answers, error codes, cut connections, dropped and expired watches.

The routes ask `strike` before they look at a request; a test adds faults while the server runs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from podtide.local import refusals

_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(frozen=True, slots=True)
class Incoming:
    """What faults can tell requests apart by."""

    verb: str
    resource: str
    """`plural.group`, or the path of what is no resource."""
    sub: str
    path: str
    agent: str
    user: str


class Cut(Exception):
    """The connection is to be cut without an answer."""


@dataclass(eq=False, slots=True)
class Fault:
    """What goes wrong, for which requests, how often."""

    verbs: tuple[str, ...] = ()
    """Verbs it hits, such as `patch` or `watch`; empty for all."""

    resource: str = ""
    """`plural.group` it hits; empty for all."""

    sub: str | None = None
    """The subresource it hits; None for all, empty for the object itself."""

    path: str = ""
    """A regular expression searched for in the path."""

    agent: str = ""
    """A part of the user agent."""

    user: str = ""
    """The user's name."""

    delay: float = 0.0
    """Seconds until the request goes on (or fails)."""

    status: int = 0
    """An HTTP code to answer with."""

    retry_after: int | None = None
    """The `Retry-After` header of that answer, in seconds."""

    cut: bool = False
    """Whether the connection is closed without an answer."""

    times: int | None = None
    """How many requests it hits before it is over; None for all until it is removed."""

    hits: int = 0
    """How many requests it has hit."""

    def matches(self, request: Incoming) -> bool:
        """Whether this request is to suffer."""
        return (
            (self.times is None or self.hits < self.times)
            and (not self.verbs or request.verb in self.verbs)
            and self.resource in ("", request.resource)
            and self.sub in (None, request.sub)
            and (not self.path or re.search(self.path, request.path) is not None)
            and self.agent in request.agent
            and self.user in ("", request.user)
        )


@dataclass(slots=True)
class Faults:
    """The faults in force."""

    active: list[Fault] = field(default_factory=list)
    _streams: dict[object, tuple[Incoming, Callable[[], None]]] = field(default_factory=dict)

    def add(self, fault: Fault) -> Fault:
        """Puts a fault in force."""
        self.active.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """Ends a fault."""
        self.active.remove(fault)

    @contextmanager
    def during(self, fault: Fault) -> Iterator[Fault]:
        """A fault in force for a `with` block."""
        self.add(fault)
        try:
            yield fault
        finally:
            self.remove(fault)

    @contextmanager
    def partition(self, *, agent: str = "", user: str = "") -> Iterator[Fault]:
        """Cuts one client off: its watches end and every connection it makes is closed without an answer."""
        fault = Fault(agent=agent, user=user, cut=True)
        with self.during(fault):
            self.drop_watches(agent=agent, user=user)
            yield fault

    async def strike(self, request: Incoming) -> None:
        """Lets the matching faults act; raises `Refusal` or `Cut`."""
        for fault in [fault for fault in self.active if fault.matches(request)]:
            fault.hits += 1
            if fault.delay:
                await asyncio.sleep(fault.delay)
            if fault.cut:
                raise Cut
            if fault.status:
                headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
                reason = _REASONS.get(fault.status, "")
                raise refusals.Refusal(fault.status, reason, f"fault on demand: {fault.status}", {}, headers)

    def opened(self, key: object, request: Incoming, close: Callable[[], None]) -> None:
        """A watch has begun; `close` ends it."""
        self._streams[key] = (request, close)

    def closed(self, key: object) -> None:
        """A watch has ended."""
        self._streams.pop(key, None)

    def drop_watches(self, *, resource: str = "", agent: str = "", user: str = "") -> int:
        """Ends the open watches that match; returns how many."""
        wanted = Fault(resource=resource, agent=agent, user=user)
        chosen = [close for request, close in self._streams.values() if wanted.matches(request)]
        for close in chosen:
            close()
        return len(chosen)
