"""A server on a loopback address that answers with exactly the bytes a test wrote down."""

import asyncio
import contextlib
import itertools
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from podtide.core.model.reading import Failure
from podtide.net import engine, page


@dataclass(slots=True)
class Visit:
    """One request on one connection, and the means to answer it."""

    request: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        reset(self.writer)

    async def drip(self) -> None:
        """Let a moment pass, or end when the client has left."""
        for _ in range(50):
            await asyncio.sleep(0)
        if self.reader.at_eof():
            raise EOFError

    async def hang(self) -> None:
        """Say nothing until the client leaves."""
        with contextlib.suppress(OSError):
            await self.reader.read()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the client sees a reset, not an end."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


Script = Callable[[Visit], Awaitable[None]]


class Listener:
    """Serves every connection in a task of its own, and ends them all when the block is left."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.host = host
        self.connections = 0
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What happens on a connection; it closes afterwards."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def ask(
        self,
        path: str = "/metrics",
        *,
        headers: tuple[tuple[str, str], ...] = (),
        context: ssl.SSLContext | None = None,
        server_name: str | None = None,
    ) -> page.Ask:
        return page.Ask(self.host, self.port, path, context, server_name, headers)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._guard(reader, writer))
        self.connections += 1
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guard(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.serve(reader, writer)
            writer.close()
            await writer.wait_closed()
        except (OSError, EOFError):
            pass
        finally:
            writer.transport.abort()


class Server(Listener):
    """Plays one script per request, in order; the last one again and again."""

    def __init__(
        self, scripts: Sequence[Script | bytes], tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        super().__init__(tls, host)
        self._scripts = itertools.chain(scripts, itertools.repeat(scripts[-1]))
        self.requests: list[bytes] = []
        self.asked = asyncio.Event()
        """Set by the first request."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            request = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(request)
            self.asked.set()
            script = next(self._scripts)
            if isinstance(script, bytes):
                writer.write(script)
                await writer.drain()
            else:
                await script(Visit(request, reader, writer))


def answer(body: bytes = b"up 1\n", *fields: str, status: str = "200 OK") -> bytes:
    """A whole answer of a known length."""
    lines = "".join(f"{line}\r\n" for line in (f"Content-Length: {len(body)}", *fields))
    return f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\n{lines}\r\n".encode() + body


def then_close(data: bytes) -> Script:
    """Send and close."""

    async def script(visit: Visit) -> None:
        await visit.send(data)
        visit.writer.close()

    return script


def then_half_close(data: bytes) -> Script:
    """Send, end the sending direction, and go on listening."""

    async def script(visit: Visit) -> None:
        await visit.send(data)
        visit.writer.write_eof()
        await visit.hang()

    return script


def then_reset(data: bytes) -> Script:
    """Send and reset the connection."""

    async def script(visit: Visit) -> None:
        await visit.send(data)
        visit.reset()

    return script


async def hang(visit: Visit) -> None:
    """Never answer."""
    await visit.hang()


def piecemeal(*pieces: bytes) -> Script:
    """Send piece after piece, with turns of the loop in between."""

    async def script(visit: Visit) -> None:
        for piece in pieces:
            await visit.send(piece)
            for _ in range(3):
                await asyncio.sleep(0)

    return script


async def fetch(scraper: engine.Engine, ask: page.Ask, timeout: float = 5.0) -> page.FetchedPage:
    """A page that must come."""
    outcome = await scraper.fetch(ask, timeout)
    assert isinstance(outcome, page.FetchedPage), outcome
    return outcome


async def fail(scraper: engine.Engine, ask: page.Ask, timeout: float = 5.0) -> Failure:
    """A failure that must come."""
    outcome = await scraper.fetch(ask, timeout)
    assert isinstance(outcome, Failure), outcome
    return outcome
