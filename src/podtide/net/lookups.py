"""Names that tenants write, looked up: a few at a time for each of them. `net.guard` asks.

A look-up holds a thread until the name server answers, and who waits for it may have gone long before. A tenant whose
names take their whole time to fail must not hold all of them: others' names wait for a thread, and the API server's.
"""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any

THREADS = 32
"""Of the process, for all names; Python's own number is 6 on two cores."""
OF_TENANTS = 24
"""Look-ups under way at the same time, so that there is a thread for the API server's name."""
OF_EACH = 2
"""The same for each of those who ask."""

Found = Sequence[tuple[Any, ...]]
"""As `socket.getaddrinfo` has it."""


class Lookups:
    """The look-ups under way. A name is asked for once, whoever waits for it."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[str, int], asyncio.Task[Found]] = {}
        self._of_each: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    async def find(self, host: str, port: int, owner: str) -> Found:
        """What a host resolves to. OSError, or UnicodeError for what is no name."""
        numeric = _numeric(host, port)
        if numeric:
            return numeric
        key = host, port
        if key not in self._under_way:
            async with self._changed:
                await self._changed.wait_for(lambda: key in self._under_way or self._has_room(owner))
                if key not in self._under_way:
                    self._start(key, owner)
        return await asyncio.shield(self._under_way[key])

    async def aclose(self) -> None:
        """Wait for no more answers."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _has_room(self, owner: str) -> bool:
        return self._of_each.total() < OF_TENANTS and self._of_each[owner] < OF_EACH

    def _start(self, key: tuple[str, int], owner: str) -> None:
        self._of_each[owner] += 1
        task = self._under_way[key] = asyncio.get_running_loop().create_task(
            self._look_up(key, owner), name=f"look up {key[0][:60]}"
        )
        # Who waited may have gone: then its failure is nobody's.
        task.add_done_callback(lambda done: None if done.cancelled() else done.exception())

    async def _look_up(self, key: tuple[str, int], owner: str) -> Found:
        try:
            return await asyncio.get_running_loop().getaddrinfo(*key, type=socket.SOCK_STREAM)
        finally:
            del self._under_way[key]
            self._of_each[owner] -= 1
            self._of_each += Counter()  # without those who have none
            async with self._changed:
                self._changed.notify_all()


def _numeric(host: str, port: int) -> Found:
    """The address that a host is, in whatever notation: no server need be asked."""
    with contextlib.suppress(OSError, UnicodeError):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return ()
