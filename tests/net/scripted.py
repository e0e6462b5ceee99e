"""A server on a loopback address that answers with exactly the bytes a test wrote down."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
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
    connection: int
    """0 for the server's first connection."""

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def half_close(self) -> None:
        self.writer.write_eof()

    def reset(self) -> None:
        """Close so that the client sees a reset, not an end."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def hang(self) -> None:
        """Say nothing until the client leaves."""
        with contextlib.suppress(OSError):
            await self.reader.read()


Script = Callable[[Visit], Awaitable[None]]


@dataclass(slots=True)
class Server:
    """Plays one script per request, in order; the last one again and again. Close by leaving the block."""

    scripts: list[Script | bytes]
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _played: Iterator[Script | bytes] | None = None

    async def __aenter__(self) -> Self:
        self._played = iter(self.scripts)
        self._server = await asyncio.start_server(self._accept, self.host, 0, ssl=self.tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        assert self._server is not None
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    def ask(self, path: str = "/metrics", **more: object) -> page.Ask:
        return page.Ask(self.host, self.port, path, **more)  # type: ignore[arg-type]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer, self.connections))
        self.connections += 1
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        try:
            while not writer.is_closing():
                request = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(request)
                script = self._next()
                if isinstance(script, bytes):
                    writer.write(script)
                    await writer.drain()
                else:
                    await script(Visit(request, reader, writer, number))
        except (OSError, EOFError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _next(self) -> Script | bytes:
        assert self._played is not None
        script = next(self._played, None)
        return self.scripts[-1] if script is None else script


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
