"""The clients that ours is compared with; each reads the metric with our reader. Called by `benchmarks.compare`."""

import asyncio
import re
import select
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import aiohttp
import httpx

from podtide.core import exposition
from podtide.net.page import Ask

_IN_FLIGHT = 64


class Client(Protocol):
    """Something that scrapes all its targets once per round."""

    async def round(self) -> None:
        """Scrape every target once; raises if one fails."""
        ...

    async def aclose(self) -> None:
        """Close everything."""
        ...


async def _all(scrapes: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Run all, some at a time: as many workers as may be in flight, as a careful user of such a client would."""
    todo = iter(scrapes)

    async def worker() -> None:
        for scrape in todo:
            await scrape()

    async with asyncio.TaskGroup() as group:
        for _ in range(_IN_FLIGHT):
            group.create_task(worker())


class Httpx:
    """One client with one transport per pod: its single pool would cost more with every pod."""

    def __init__(self, targets: Sequence[Ask], metric: str) -> None:
        self._reader = exposition.Reader([metric])
        self._clients = [
            httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(verify=ask.context or _NO_TLS),
                timeout=10,
                trust_env=False,
                headers={"Accept-Encoding": "identity"},
            )
            for ask in targets
        ]
        self._scrapes = [self._scrape(client, str(ask)) for client, ask in zip(self._clients, targets, strict=True)]

    def _scrape(self, client: httpx.AsyncClient, url: str) -> Callable[[], Awaitable[None]]:
        async def scrape() -> None:
            response = await client.get(url)
            assert self._reader.read(response.content)

        return scrape

    async def round(self) -> None:
        await _all(self._scrapes)

    async def aclose(self) -> None:
        for client in self._clients:
            await client.aclose()


class Aiohttp:
    """One session with an unlimited pool."""

    def __init__(self, targets: Sequence[Ask], metric: str) -> None:
        self._reader = exposition.Reader([metric])
        connector = aiohttp.TCPConnector(limit=0, ssl=targets[0].context or True)
        self._session = aiohttp.ClientSession(connector=connector, headers={"Accept-Encoding": "identity"})
        self._scrapes = [self._scrape(str(ask)) for ask in targets]

    def _scrape(self, url: str) -> Callable[[], Awaitable[None]]:
        async def scrape() -> None:
            async with self._session.get(url) as response:
                assert self._reader.read(await response.read())

        return scrape

    async def round(self) -> None:
        await _all(self._scrapes)

    async def aclose(self) -> None:
        await self._session.close()


class Raw:
    """A bare epoll loop that expects nothing but 200, a length and good manners: the floor for Python.

    It checks neither grammar nor limits, knows no deadline and no asyncio.
    """

    def __init__(self, targets: Sequence[Ask], metric: str) -> None:
        self._reader = exposition.Reader([metric])
        self._length = re.compile(rb"Content-Length: (\d+)")
        self._epoll = select.epoll()
        self._buffer = bytearray(1 << 20)
        self._view = memoryview(self._buffer)
        self._request = f"GET {targets[0].path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        self._sockets: dict[int, socket.socket] = {}
        for ask in targets:
            made = socket.create_connection((ask.host, ask.port))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if ask.context is not None:
                made = ask.context.wrap_socket(made)
            made.setblocking(False)
            self._sockets[made.fileno()] = made
            self._epoll.register(made.fileno(), select.EPOLLIN)

    async def round(self) -> None:
        todo = list(self._sockets.values())
        started: dict[int, bytearray] = {}
        left = len(todo)
        for _ in range(min(_IN_FLIGHT, left)):
            todo.pop().send(self._request)
        while left:
            complete = 0
            for fd, _ in self._epoll.poll(-1, _IN_FLIGHT):
                complete += self._receive(fd, started)
            left -= complete
            for _ in range(min(complete, len(todo))):
                todo.pop().send(self._request)

    def _receive(self, fd: int, started: dict[int, bytearray]) -> bool:
        one = self._sockets[fd]
        buffer, filled = self._buffer, 0
        if fd in started:
            earlier = started.pop(fd)
            filled = len(earlier)
            buffer[:filled] = earlier
        try:
            while True:
                filled += one.recv_into(self._view[filled:])
                head = buffer.find(b"\r\n\r\n", 0, filled) + 4
                found = self._length.search(buffer, 0, head)
                if found and filled >= head + int(found[1]):
                    assert self._reader.read(buffer, start=head, end=filled)
                    return True
                if not isinstance(one, ssl.SSLSocket):
                    break
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        if filled:
            started[fd] = buffer[:filled]
        return False

    async def aclose(self) -> None:
        for one in self._sockets.values():
            one.close()
        self._epoll.close()


_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Shared, so that no transport builds a context of its own, which costs 20 ms."""
