"""One answer as its bytes arrive: informational heads, the head, the framed body, gzip. Called by `net.connection`."""

from podtide.core.model.reading import Reason
from podtide.net import chunks, framing, inflate, wire
from podtide.net.buffers import Lease
from podtide.net.page import Limits, Page

_GZIP = frozenset(("gzip", "x-gzip"))
_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")


def at_once(lease: Lease, limits: Limits, elapsed: float) -> tuple[Page, bool] | None:
    """The page and whether the connection stays, if the lease holds exactly one whole answer of the commonest shape.

    That is what nearly every scrape is: a final head whose like has been read before, a length, and all of the body.
    For anything else this is None, and `Answer` has the say. The tests hold the two against each other.
    """
    filled = lease.filled
    end = lease.data.find(b"\r\n\r\n", 0, filled) + 4
    if not 4 <= end <= limits.header_bytes:
        return None
    raw = bytes(lease.view[:end])
    head = wire.known_head(raw)
    if head is None or not head.is_simple:
        return None
    start, text = end, lease.view[end:filled]
    if head.chunked:
        chunk = chunks.only_chunk(lease, end)
        if chunk is None:
            return None
        start, text = filled - len(chunk) - chunks.END_BYTES, chunk
    elif head.length != filled - end:
        return None
    if len(text) > limits.page_bytes:
        return None
    # Written out, not shared with `Body.page`: this line is run for every scrape.
    page = Page(
        head.status, head.content_type, text, elapsed, head.location, head.www_authenticate, head.server, start, raw
    )
    return page, head.keep_alive


class Answer:
    """Reads an answer out of the lease it arrives in. The server can make it raise `wire.Refused` and nothing else."""

    __slots__ = ("_accepts_gzip", "_body", "_head_bytes", "_limits", "_searched")

    def __init__(self, limits: Limits, *, accepts_gzip: bool = False) -> None:
        self._limits = limits
        self._accepts_gzip = accepts_gzip
        self._body: Body | None = None
        self._searched = 0
        self._head_bytes = 0
        """Bytes of the informational heads so far: all heads together keep the header limit."""

    def feed(self, lease: Lease) -> "Body | None":
        """Take what has arrived, and return the body once the answer is complete."""
        body = self._body
        if body is None:
            body = self._body = self._read_heads(lease)
            if body is None:
                return None
        return body if body.feed(lease) else None

    @property
    def is_behind(self) -> bool:
        """Whether the lease holds more than one turn of the loop is good for: feed again, with nothing new."""
        return self._body is not None and self._body.is_behind

    def eof(self) -> "Body | None":
        """The server has closed. Returns the body if that completes the answer."""
        return self._body if self._body is not None and self._body.ends_with_connection else None

    def _read_heads(self, lease: Lease) -> "Body | None":
        """Read heads until one is final; None while it is not all there."""
        at = 0
        while (end := lease.data.find(b"\r\n\r\n", max(at, self._searched), lease.filled) + 4) > 3:
            self._check_bytes(self._head_bytes + end - at)
            raw = bytes(lease.view[at:end])
            head = wire.read_head(raw)
            if head.status >= 200:
                _drop(lease, at)
                return Body(head, raw, self._limits, accepts_gzip=self._accepts_gzip)
            if head.status == 101:
                raise wire.Refused(Reason.PROTOCOL, "the server switched protocols, which nobody asked for")
            if not head.keep_alive or head.chunked or head.length is not None:
                raise wire.Refused(Reason.PROTOCOL, "an informational answer that ends the connection or has a body")
            self._head_bytes += end - at
            at = end
        _drop(lease, at)
        self._check_beginning(lease)
        self._searched = max(0, lease.filled - 3)
        return None

    def _check_beginning(self, lease: Lease) -> None:
        """Say early what can never become an answer, instead of waiting for the deadline."""
        begin = bytes(lease.view[: min(lease.filled, 7)])
        if begin != b"HTTP/1."[: len(begin)]:
            hint = "; this port speaks TLS, use https" if begin[:2] in _TLS_RECORDS else ""
            raise wire.Refused(
                Reason.PROTOCOL, f"not an HTTP/1.1 answer: {wire.excerpt(lease.view[: lease.filled])}{hint}"
            )
        self._check_bytes(self._head_bytes + lease.filled)

    def _check_bytes(self, size: int) -> None:
        if size > self._limits.header_bytes:
            raise wire.Refused(Reason.TOO_LARGE, f"the headers are over the limit of {self._limits.header_bytes} bytes")


def _drop(lease: Lease, count: int) -> None:
    """Move what is behind the first so many bytes to the beginning."""
    if count:
        rest = lease.filled - count
        lease.view[:rest] = lease.view[count : lease.filled]
        lease.filled = rest


class Body:
    """The body behind a final head, decoded in the lease where it arrives or, from gzip, beside it."""

    __slots__ = ("_framing", "_inflater", "_raw", "ends_with_connection", "head")

    def __init__(self, head: wire.Head, raw: bytes, limits: Limits, *, accepts_gzip: bool) -> None:
        self.head = head
        self._raw = raw
        start = len(raw)
        self.ends_with_connection = False
        self._inflater: inflate.Inflater | None = None
        self._framing: framing.Framing
        if head.status in wire.NO_BODY:
            self._framing = framing.Sized(start, 0)
        elif head.length is not None:
            framing.check_size(head.length, limits.page_bytes)
            self._framing = framing.Sized(start, head.length)
        elif head.chunked:
            self._framing = chunks.Chunked(start, limits.page_bytes, limits.header_bytes)
        else:
            self._framing = framing.UntilClose(start, limits.page_bytes)
            self.ends_with_connection = True
        if head.encoding:
            if head.encoding not in _GZIP or not accepts_gzip:
                said = f"Content-Encoding {head.encoding[:40]!r} was not asked for"
                raise wire.Refused(
                    Reason.CONTENT, f"{said}: have the server, or a proxy before it, not compress this path"
                )
            if head.status not in wire.NO_BODY and head.length != 0:
                self._inflater = inflate.Inflater(limits.page_bytes)

    def feed(self, lease: Lease) -> bool:
        """Take what has arrived; True once the body is complete."""
        complete = self._framing.feed(lease)
        if self._inflater is not None:
            self._inflate(self._inflater, lease)
        if complete and self.head.length is not None:
            self._check_excess(lease)
        return complete

    @property
    def is_behind(self) -> bool:
        """As `Answer.is_behind`."""
        return self._framing.is_behind

    def is_reusable(self, lease: Lease) -> bool:
        """Whether the connection of this complete body can carry another answer."""
        return self.head.keep_alive and not self.ends_with_connection and not self._framing.excess(lease)

    def page(self, lease: Lease, elapsed: float) -> Page:
        """The complete answer; its body is valid as long as the lease. Raises `wire.Refused` for half a gzip."""
        head, start = self.head, self._framing.start
        text = lease.view[start : self._framing.end]
        if self._inflater is not None:
            start, text = 0, self._inflater.finish()
        said = head.location, head.www_authenticate, head.server
        return Page(head.status, head.content_type, text, elapsed, *said, start, self._raw)

    def _inflate(self, inflater: inflate.Inflater, lease: Lease) -> None:
        fresh = self._framing.start + inflater.taken
        if fresh < self._framing.end:
            inflater.feed(lease.view[fresh : self._framing.end])

    def _check_excess(self, lease: Lease) -> None:
        # A body longer than its Content-Length may be a page cut in the middle of a number. Behind the last chunk
        # the page is whole, and an empty line behind either is an old habit: there only the connection is given up.
        excess = self._framing.excess(lease)
        if excess.strip(b"\r\n"):
            raise wire.Refused(Reason.PROTOCOL, f"{len(excess)} bytes more than Content-Length says")
