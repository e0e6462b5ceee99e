"""Where the body of an answer ends: a length, the end of the connection, or chunks (`net.chunks`). For `net.answer`.

A framing looks at a lease whose bytes from `start` on are the body as it came, and leaves the decoded body there.
"""

from typing import Protocol

from podtide.core.model.reading import Reason
from podtide.net import wire
from podtide.net.buffers import Lease


class Framing(Protocol):
    """One way to find the end of a body."""

    start: int
    """Where the decoded body begins in the lease."""
    end: int
    """Where the decoded body ends so far."""
    is_behind: bool
    """Whether there is more to take in the lease than one turn of the loop is good for: feed again."""

    def feed(self, lease: Lease) -> bool:
        """Take what has arrived; True once the body is complete. Raises `wire.Refused`."""

    def eof(self) -> bool:
        """The server has closed; True when that is a proper end."""

    def excess(self, lease: Lease) -> bytes:
        """What arrived behind a complete body."""


class Sized:
    """A body of a known length."""

    __slots__ = ("_last", "end", "start")
    is_behind = False

    def __init__(self, start: int, length: int) -> None:
        self.start = self.end = start
        self._last = start + length

    def feed(self, lease: Lease) -> bool:
        if lease.filled < self._last:
            self.end = lease.filled
            return False
        self.end = self._last
        return True

    def eof(self) -> bool:
        return False

    def excess(self, lease: Lease) -> bytes:
        return bytes(lease.view[self._last : lease.filled])


class UntilClose:
    """A body that ends with the connection."""

    __slots__ = ("_limit", "end", "start")
    is_behind = False

    def __init__(self, start: int, limit: int) -> None:
        self.start = self.end = start
        self._limit = limit

    def feed(self, lease: Lease) -> bool:
        self.end = lease.filled
        check_size(self.end - self.start, self._limit)
        return False

    def eof(self) -> bool:
        return True

    def excess(self, lease: Lease) -> bytes:
        return b""


def check_size(size: int, limit: int) -> None:
    """Refuse a body over the limit."""
    if size > limit:
        raise wire.Refused(Reason.TOO_LARGE, f"the body is over the limit of {limit} bytes")
