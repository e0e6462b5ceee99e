"""What is asked of an HTTP server and what comes back.

The words that `net.engine`, `net.transport` and `sources.pool` share.
"""

import ssl
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ask:
    """One page of one server, and everything that decides which connection and which bytes are used.

    Two equal asks are one scrape. Contexts are compared by identity: `net.tls` makes one per distinct content.
    """

    host: str
    """An IP literal, or a name for endpoints outside the pods."""
    port: int
    path: str = "/metrics"
    """With a leading slash, query included, already percent-encoded."""
    context: ssl.SSLContext | None = None
    """None is plain HTTP. A `net.tls.Context` checks explicit names itself, within `do_handshake` of its sockets and
    objects, and raises `ssl.SSLCertVerificationError` as any failed check does; `net.tls.classify` names the error."""
    server_name: str | None = None
    """SNI and the name to verify; None means the host."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Extra request headers, `Host` and `Authorization` among them. Never logged."""
    http2: bool = False
    """Carried by the httpx client (`net.http`), as the engine speaks HTTP/1.1 only."""
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Looked up for every scrape: computed once, for the parts are not in the processor's cache by then.
        parts = (self.host, self.port, self.path, self.context, self.server_name, self.headers, self.http2)
        object.__setattr__(self, "_hash", hash(parts))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.context is None else 'https'}://{host}:{self.port}{self.path}"


@dataclass(slots=True)
class Page:
    """One answer. `body` is a view into a shared buffer: valid only inside the callback that receives it."""

    status: int
    content_type: str
    body: memoryview
    elapsed: float
    """Seconds from sending (connecting included) to the last byte."""
    location: str = ""
    """The Location header of a redirect."""
    www_authenticate: str = ""
    server: str = ""
    """The Server header; a mesh's proxy shows itself there."""
    start: int = 0
    """Where the body begins in `body.obj`: a reader that searches that buffer in place needs no copy."""
    head: bytes = b""
    """Status line and fields as they came; empty if the engine has not carried it."""


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A `Page` that can be kept: its body is a copy."""

    status: int
    content_type: str
    body: bytes
    elapsed: float
    location: str = ""
    www_authenticate: str = ""
    server: str = ""
    head: bytes = b""

    @classmethod
    def of(cls, page: Page) -> "FetchedPage":
        """A copy of the page, to be made before its callback returns."""
        return cls(
            page.status,
            page.content_type,
            bytes(page.body),
            page.elapsed,
            page.location,
            page.www_authenticate,
            page.server,
            page.head,
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server may cost."""

    page_bytes: int = 10 * 1024 * 1024
    """The decoded body."""
    header_bytes: int = 64 * 1024
    buffer_bytes: int = 128 * 1024 * 1024
    """All answers that are arriving at one time; when it is used up, the largest is given up."""
    in_flight: int = 64
    """Exchanges at the same time over the whole engine. One that waits for a slow server soon stops counting."""
    waiting: int = 16384
    """Exchanges that wait for slow servers at the same time. When it is reached, servers that are well wait, too: so it
    is more than one controller is meant for, and a descriptor each is what it costs."""
    idle: float = 60.0
    """Seconds after which an unused connection is closed."""
