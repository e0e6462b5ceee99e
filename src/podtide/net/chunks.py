"""A body in chunks, as `Transfer-Encoding: chunked` has it. Called by `net.answer`."""

import re

from podtide.core.model.reading import Reason
from podtide.net import framing, wire
from podtide.net.buffers import Lease

_EXTENSION = rb";" + wire.TOKEN + rb"(?:=(?:" + wire.TOKEN + rb'|"[ !#-\[\]-~]*+"))?'
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,12})(?>(?:" + _EXTENSION + rb")*)\r\n")
_END = b"\r\n0\r\n\r\n"
END_BYTES = len(_END)
_LINE_BYTES = 4096
"""A chunk's size line with its extensions."""
_AT_ONCE = 512
"""Chunks taken in one turn, about a millisecond's worth: a server may send millions, of a byte each."""
_CHUNKS = 16384
_CHUNK_BYTES = 16
"""A body in more than so many chunks must have so many bytes per chunk: moving it together costs per chunk."""


class Chunked:
    """A body in chunks, moved together in place, so that memory holds what has arrived at most once."""

    __slots__ = (
        "_after_data",
        "_count",
        "_extra_bytes",
        "_left",
        "_limit",
        "_next",
        "_trailers",
        "end",
        "is_behind",
        "start",
    )

    def __init__(self, start: int, limit: int, extra_bytes: int) -> None:
        self.start = self.end = self._next = start
        self._left = 0
        self._count = 0
        self._after_data = False
        self._trailers = False
        self.is_behind = False
        self._limit = limit
        self._extra_bytes = extra_bytes
        """Bytes of extensions and trailers that may still come."""

    def feed(self, lease: Lease) -> bool:
        last = self._count + _AT_ONCE
        self.is_behind = False
        while not self._trailers:
            if self._left:
                self._take_data(lease)
                if self._left:
                    break
            if self._count == last:
                self.is_behind = True  # and the gap stays: to move what is left in every turn would cost more
                return False
            if not self._take_size(lease):
                break
        if self._trailers and self._take_trailers(lease):
            return True
        self._close_gap(lease)
        return False

    def eof(self) -> bool:
        return False

    def excess(self, lease: Lease) -> bytes:
        return bytes(lease.view[self._next : lease.filled])

    def _take_data(self, lease: Lease) -> None:
        count = min(self._left, lease.filled - self._next)
        if self.end == self.start:
            self.start = self.end = self._next  # the first chunk stays where it is: most pages are one chunk
        if self.end != self._next:
            lease.view[self.end : self.end + count] = lease.view[self._next : self._next + count]
        self.end += count
        self._next += count
        self._left -= count
        self._after_data = True

    def _take_size(self, lease: Lease) -> bool:
        """Read the line before a chunk; False when it is not all there."""
        at = self._next
        if self._after_data:
            if lease.filled - at < 2:
                return False
            if lease.data[at : at + 2] != b"\r\n":
                raise wire.Refused(Reason.PROTOCOL, "a chunk is longer than its size says")
            at += 2
        line_end = lease.data.find(b"\n", at, lease.filled) + 1
        if not line_end:
            if lease.filled - at > _LINE_BYTES:
                raise wire.Refused(Reason.PROTOCOL, f"a chunk's size line is over {_LINE_BYTES} bytes")
            return False
        match = _SIZE_LINE.fullmatch(lease.data, at, line_end)
        if not match or line_end - at > _LINE_BYTES:
            raise wire.Refused(Reason.PROTOCOL, f"not a chunk size: {wire.excerpt(lease.view[at:line_end])}")
        self._left = int(match[1], 16)
        self._next = line_end
        self._after_data = False
        self._trailers = self._left == 0
        self._count += 1
        if self._count > _CHUNKS + (self.end - self.start) // _CHUNK_BYTES:
            raise wire.Refused(Reason.PROTOCOL, f"{self._count} chunks of less than {_CHUNK_BYTES} bytes on average")
        self._extra_bytes -= line_end - match.end(1) - 2
        if self._extra_bytes < 0:
            raise wire.Refused(Reason.TOO_LARGE, "the extensions of the chunks are over the header limit")
        framing.check_size(self.end - self.start + self._left, self._limit)
        return True

    def _take_trailers(self, lease: Lease) -> bool:
        while line_end := lease.data.find(b"\n", self._next, lease.filled) + 1:
            line = bytes(lease.view[self._next : line_end])
            self._extra_bytes -= len(line)
            self._next = line_end
            if line == b"\r\n":
                return True
            if not line.endswith(b"\r\n"):
                raise wire.Refused(Reason.PROTOCOL, f"not a trailer: {wire.excerpt(line)}")
            wire.check_field(line[:-2])
        if lease.filled - self._next > self._extra_bytes:
            raise wire.Refused(Reason.TOO_LARGE, "the trailers are over the header limit")
        return False

    def _close_gap(self, lease: Lease) -> None:
        rest = lease.filled - self._next
        if self._next != self.end:
            lease.view[self.end : self.end + rest] = lease.view[self._next : lease.filled]
        self._next = self.end
        lease.filled = self.end + rest


def only_chunk(lease: Lease, at: int) -> memoryview | None:
    """The body, if exactly one chunk and the end of a chunked body are what is left in the lease from `at` on.

    Python's servers send a page so. `Chunked` reads the same and everything else.
    """
    match = _SIZE_LINE.match(lease.data, at, min(lease.filled, at + _LINE_BYTES))
    if match is None:
        return None
    start = match.end()
    end = start + int(match[1], 16)
    if end == start or end + END_BYTES != lease.filled or lease.data[end : lease.filled] != _END:
        return None
    return lease.view[start:end]
