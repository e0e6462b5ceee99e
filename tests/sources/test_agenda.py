"""Appointments are kept in order and on time."""

import asyncio

import pytest

from podtide.sources.agenda import Agenda

pytestmark = pytest.mark.looptime


async def test_everything_happens_in_order_of_time(looptime: object) -> None:
    agenda, done = Agenda(), list[float]()
    for when in (3.0, 1.0, 2.0, 1.0):
        agenda.at(when, lambda: done.append(asyncio.get_running_loop().time()))
    await asyncio.sleep(5)
    assert done == [pytest.approx(when) for when in (1, 1, 2, 3)]


async def test_what_is_cancelled_does_not_happen(looptime: object) -> None:
    agenda, done = Agenda(), list[str]()
    agenda.at(1, lambda: done.append("cancelled")).cancel()
    agenda.at(1, lambda: done.append("kept"))
    await asyncio.sleep(2)
    assert done == ["kept"]


async def test_thousands_at_once_let_others_run_in_between(looptime: object) -> None:
    agenda, done = Agenda(), list[int]()
    between: list[int] = []

    async def other() -> None:
        await asyncio.sleep(1)
        while len(done) < 1000:
            await asyncio.sleep(0)
            between.append(len(done))

    for number in range(1000):
        agenda.at(1, lambda number=number: done.append(number))  # type: ignore[misc]
    await asyncio.gather(other(), asyncio.sleep(1.5))
    assert done == list(range(1000))
    assert len({count for count in between if 0 < count < 1000}) >= 5


async def test_a_crash_costs_nobody_else_the_turn(looptime: object, caplog: pytest.LogCaptureFixture) -> None:
    agenda, done = Agenda(), list[int]()
    agenda.at(1, lambda: done.append(1 // 0))
    agenda.at(1, lambda: done.append(1))
    agenda.at(2, lambda: done.append(2))
    await asyncio.sleep(3)
    assert done == [1, 2]
    assert "ZeroDivisionError" in caplog.text


async def test_closed_means_nothing_more(looptime: object) -> None:
    agenda, done = Agenda(), list[int]()
    agenda.at(1, lambda: done.append(1))
    agenda.close()
    agenda.at(1, lambda: done.append(2))
    await asyncio.sleep(3)
    assert done == []
