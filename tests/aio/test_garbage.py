import asyncio
import gc
import weakref
from collections.abc import Iterator

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
        await asyncio.sleep(31.0)
        young = weakref.ref(Node())
        await asyncio.sleep(15.0)
        assert young() is None
        old = Node()
        await asyncio.sleep(15.0)
        gone = weakref.ref(old)
        del old
        await asyncio.sleep(60.0)
        assert gone() is None
    finally:
        sweeping.cancel()


def test_a_circle_that_nobody_holds_is_not_frozen() -> None:
    gc.unfreeze()
    garbage.freeze()
    before = gc.get_freeze_count()
    for _ in range(1000):
        Node()
    garbage.freeze()
    assert gc.get_freeze_count() < before + 500
