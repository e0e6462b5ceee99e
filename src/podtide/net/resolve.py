"""Addresses of a server: an IP literal costs nothing, a name is looked up in a thread. Called by `net.engine`."""

import asyncio
import socket
from collections.abc import Callable

Address = tuple[socket.AddressFamily, tuple[str, int]]


def literal(host: str, port: int) -> Address | None:
    """The address of an IP literal, or None when `host` is a name."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
    except OSError:
        return None
    return family, (host, port)


async def lookup(host: str, port: int) -> list[Address]:
    """All addresses of a name, in the resolver's order. Raises OSError."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(socket.EAI_NONAME, "it is no host name") from error
    return [(family, (str(address[0]), port)) for family, _, _, _, address in found]


class Lookups:
    """The look-ups under way. Names are for endpoints outside the pods, so they are few."""

    def __init__(self) -> None:
        self._tasks: dict[object, asyncio.Task[None]] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._tasks

    def start(self, key: object, host: str, port: int, done: Callable[[list[Address] | OSError], None]) -> None:
        """Look a name up, unless that is under way for this key, and call `done` with what was found."""
        if key in self._tasks:
            return

        async def run() -> None:
            found: list[Address] | OSError
            try:
                found = await lookup(host, port)
            except OSError as error:
                found = error
            finally:
                del self._tasks[key]
            done(found)

        self._tasks[key] = asyncio.get_running_loop().create_task(run(), name=f"look up {host}")

    async def aclose(self) -> None:
        """End what is under way; its `done` is not called."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
