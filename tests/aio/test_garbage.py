import asyncio
import gc
import platform
import resource
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from podtide.aio import garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class Node:
    """A member of a circle, which only the collector can free."""

    def __init__(self) -> None:
        self.me = self


async def test_what_lives_is_set_aside() -> None:
    gc.unfreeze()
    living = [Node() for _ in range(1000)]
    before = gc.get_freeze_count()
    await garbage.settle(after=(0.0, 0.01))
    assert gc.get_freeze_count() >= before + 1000
    assert gc.get_threshold()[0] > 10_000
    assert len(living) == 1000


@pytest.mark.looptime
async def test_circles_do_not_wait_until_there_are_thousands(looptime: object) -> None:
    gc.set_threshold(1_000_000)
    sweeping = asyncio.create_task(garbage.sweep())
    try:
        await asyncio.sleep(1.0)
        gone = weakref.ref(Node())
        await asyncio.sleep(60.0)
        assert gone() is None
    finally:
        sweeping.cancel()


def _resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to")
def test_what_is_free_between_what_is_not_is_given_back() -> None:
    # Each too small to be mapped by itself; what is kept of them stands last.
    blocks = [bytearray(b"x") * 65_536 for _ in range(1_000)]
    kept = blocks[-1]
    del blocks[:]
    before = _resident()
    garbage._give_back()(0)
    assert before - _resident() > 30_000_000
    assert len(kept) == 65_536


def test_a_circle_that_nobody_holds_is_not_frozen() -> None:
    gc.unfreeze()
    garbage.freeze()
    before = gc.get_freeze_count()
    for _ in range(1000):
        Node()
    garbage.freeze()
    assert gc.get_freeze_count() < before + 500
