"""The smallest HTTP/1.1 server that a scraper cannot tell from a real exporter: one socket per pod, no tasks.

`pods.PodFleet` opens one per simulated pod; thousands share the event loop.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

TEXT = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class Trouble:
    """How a pod misbehaves; the default is not at all."""

    delay: float = 0.0
    """Seconds before it answers."""

    hangs: bool = False
    """Whether it accepts and never answers."""

    cuts: bool = False
    """Whether it closes the connection instead of answering."""

    status: int = 200
    """The HTTP code it answers with."""

    page: bytes | None = None
    """What it serves instead of its page."""

    headers: tuple[tuple[str, str], ...] = ()
    """Headers added to its answers."""


@dataclass(frozen=True, slots=True)
class Site:
    """What one pod serves."""

    path: str
    render: Callable[[], bytes]
    trouble: Trouble
    asked: Callable[[], None]
    """Called at every request for the page."""

    media: str = TEXT
    chunked: bool = False


_REASONS = {200: "OK", 204: "No Content", 302: "Found", 404: "Not Found", 500: "Internal Server Error"}


class Exporter(asyncio.Protocol):
    """One connection to a pod."""

    def __init__(self, site: Site, peers: set[asyncio.Transport]) -> None:
        self._site = site
        self._peers = peers
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remembers the connection, so that it ends with the pod."""
        self._transport = cast("asyncio.Transport", transport)
        self._peers.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        del exc
        if self._transport is not None:
            self._peers.discard(self._transport)
            self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answers every whole request that has come in."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
            self._request(head)

    def _request(self, head: bytes) -> None:
        trouble = self._site.trouble
        if trouble.hangs:
            return
        if trouble.cuts:
            if self._transport is not None:
                self._transport.abort()
        elif trouble.delay:
            asyncio.get_running_loop().call_later(trouble.delay, self._answer, head)
        else:
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if self._transport is None:
            return
        line, _, rest = head.partition(b"\r\n")
        method, target, version = (*line.split(b" "), b"", b"")[:3]
        closes = version == b"HTTP/1.0" or b"connection: close" in rest.lower()
        site, status = self._site, self._site.trouble.status
        if target.partition(b"?")[0] != site.path.encode() or method not in (b"GET", b"HEAD"):
            status, body = 404, b"404 page not found\n"
        else:
            site.asked()
            body = site.render() if site.trouble.page is None else site.trouble.page
        self._transport.write(self._encoded(status, body, closes=closes, bare=method == b"HEAD"))
        if closes:
            self._transport.close()

    def _encoded(self, status: int, body: bytes, *, closes: bool, bare: bool) -> bytes:
        headers = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", f"Content-Type: {self._site.media}"]
        headers += [f"{name}: {value}" for name, value in self._site.trouble.headers]
        headers.append("Transfer-Encoding: chunked" if self._site.chunked else f"Content-Length: {len(body)}")
        headers.append(f"Connection: {'close' if closes else 'keep-alive'}")
        head = "\r\n".join(headers).encode() + b"\r\n\r\n"
        if bare:
            return head
        return head + (b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if self._site.chunked else body)


@dataclass(slots=True)
class Listener:
    """A pod's socket and its connections."""

    server: asyncio.Server
    peers: set[asyncio.Transport]

    async def serve(self) -> None:
        """Accepts connections from now on; before, they are refused."""
        await self.server.start_serving()

    def close(self) -> None:
        """Stops listening and ends every connection, as a process does that exits."""
        self.server.close()
        for transport in tuple(self.peers):
            transport.abort()


async def bind(host: str, port: int, site: Site, tls: ssl.SSLContext | None) -> Listener:
    """Takes an address for a site without accepting yet; raises `OSError` when somebody has it."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.setblocking(False)
        peers: set[asyncio.Transport] = set()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Exporter(site, peers), sock=sock, ssl=tls, backlog=64, start_serving=False
        )
    except OSError:
        sock.close()
        raise
    return Listener(server, peers)


class Addresses:
    """Loopback addresses for pods, 127.x.y.z, each to one pod at a time."""

    def __init__(self, first: int) -> None:
        """Starts at 127.`first`.0.1; two fleets on one machine start at different ones."""
        self._next = (first % 254 + 1) << 16 | 1
        self._free: list[int] = []

    def take(self) -> str:
        """An address nobody has."""
        if self._free:
            number = self._free.pop()
        else:
            number = self._next
            self._next += 1
            if self._next & 0xFF == 0xFF:
                self._next += 2  # no .255 and no .0, which some tools take for broadcasts and networks
        return f"127.{number >> 16 & 0xFF}.{number >> 8 & 0xFF}.{number & 0xFF}"

    def give(self, address: str) -> None:
        """Takes an address back."""
        _, high, middle, low = (int(part) for part in address.split("."))
        self._free.append(high << 16 | middle << 8 | low)
