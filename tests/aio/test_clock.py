"""Time as the whole program sees it."""

import asyncio

import pytest

from podtide.aio.clock import Clock


def test_it_starts_at_the_wall_clock_and_follows_monotonic_time() -> None:
    walls = iter([1_700_000_000.0])
    ticks = iter([5.0, 5.0, 8.5])
    clock = Clock(wall=lambda: next(walls), monotonic=lambda: next(ticks))
    assert clock.now() == 1_700_000_000.0
    assert clock.now() == 1_700_000_003.5, "a wall clock that was read again would have raised StopIteration"


@pytest.mark.looptime
async def test_a_full_sleep_leaves_nothing(looptime: object) -> None:
    clock = Clock(monotonic=asyncio.get_running_loop().time)
    began = clock.now()
    assert await clock.sleep(30) == 0
    assert clock.now() - began == pytest.approx(30)


@pytest.mark.looptime
async def test_a_sleep_that_is_woken_says_what_was_left(looptime: object) -> None:
    clock = Clock(monotonic=asyncio.get_running_loop().time)
    wake = asyncio.Event()
    asyncio.get_running_loop().call_later(10, wake.set)
    assert await clock.sleep(30, wake) == pytest.approx(20)
    assert wake.is_set(), "clearing it is the waiter's business"


@pytest.mark.looptime
async def test_an_event_nobody_sets_does_not_prolong_a_sleep(looptime: object) -> None:
    clock = Clock(monotonic=asyncio.get_running_loop().time)
    began = clock.now()
    assert await clock.sleep(3, asyncio.Event()) == 0
    assert clock.now() - began == pytest.approx(3)


@pytest.mark.looptime
async def test_no_time_at_all_still_lets_others_run(looptime: object) -> None:
    ran = asyncio.Event()
    asyncio.get_running_loop().call_soon(ran.set)
    assert await Clock().sleep(-1) == 0
    assert ran.is_set()
