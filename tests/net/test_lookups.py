"""One tenant's names that never resolve leave threads for those of others."""

import asyncio
import socket
from typing import Any

import pytest

from podtide.core.model.reading import Failure
from podtide.net import lookups
from podtide.net.guard import Guard


class Resolver:
    """Answers names when it is told to, and counts what is asked of it at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.under_way = 0
        self.most = 0
        self.answer = asyncio.Event()
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._find)

    async def _find(self, host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if host.endswith("slow.example"):
                await self.answer.wait()
                raise socket.gaierror(socket.EAI_AGAIN, "no answer")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", port))]
        finally:
            self.under_way -= 1


async def test_names_that_never_resolve_leave_others_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver, guard = Resolver(monkeypatch), Guard()
    theirs = [asyncio.create_task(guard.addresses(f"n{n}.slow.example", 80, owner="evil")) for n in range(64)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert resolver.under_way == lookups.OF_EACH
    assert await guard.addresses("shop.example", 80, owner="shop") == ["10.0.0.7"]
    resolver.answer.set()
    assert all(isinstance(found, Failure) for found in await asyncio.gather(*theirs))
    assert resolver.most == lookups.OF_EACH + 1
    assert len(resolver.asked) == 65


async def test_who_gives_up_waiting_does_not_free_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver, guard = Resolver(monkeypatch), Guard()
    for number in range(6):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await guard.addresses(f"n{number}.slow.example", 80, owner="evil")
    assert resolver.under_way == lookups.OF_EACH
    await guard.aclose()
    assert resolver.under_way == 0


async def test_many_tenants_leave_threads_for_the_api_server(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver, guard = Resolver(monkeypatch), Guard()
    theirs = [asyncio.create_task(guard.addresses(f"n{n}.slow.example", 80, owner=f"o{n}")) for n in range(64)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert resolver.under_way == lookups.OF_TENANTS < lookups.THREADS
    resolver.answer.set()
    await asyncio.gather(*theirs)


async def test_a_name_is_asked_for_once_by_all_who_wait_and_an_address_never(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver, guard = Resolver(monkeypatch), Guard()
    found = await asyncio.gather(*(guard.addresses("shop.example", 80, owner=f"o{n}") for n in range(5)))
    assert found == [["10.0.0.7"]] * 5
    assert await guard.addresses("10.1.2.3", 80) == ["10.1.2.3"]
    assert await guard.addresses("fd12::7", 80) == ["fd12::7"]
    assert resolver.asked == ["shop.example"]
