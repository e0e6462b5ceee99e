"""Addresses of a server: an IP literal costs nothing, a name is looked up in a thread. Called by `net.engine`."""

import asyncio
import socket

Address = tuple[socket.AddressFamily, tuple[str, int]]


def literal(host: str, port: int) -> Address | None:
    """The address of an IP literal, or None when `host` is a name."""
    for family in (socket.AF_INET6,) if ":" in host else (socket.AF_INET,):
        try:
            socket.inet_pton(family, host)
        except OSError:
            return None
        return family, (host, port)
    return None


async def lookup(host: str, port: int) -> list[Address]:
    """All addresses of a name, in the resolver's order. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, (str(address[0]), port)) for family, _, _, _, address in found]
