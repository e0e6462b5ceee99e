"""Sources that one request answers: read at once, then once per interval. On virtual time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from podtide.aio.clock import Clock
from podtide.aio.mailbox import Mailbox
from podtide.aio.tasks import Crew
from podtide.core.model import spec, view
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.sources import polling, unavailable
from podtide.sources.agenda import Agenda
from tests.sources.specs import autoscaler, metric, target

pytestmark = pytest.mark.looptime


def desk() -> polling.Desk:
    timer = Clock(wall=lambda: 0.0, monotonic=asyncio.get_running_loop().time)
    return polling.Desk(Agenda(), Crew(logging.getLogger(__name__)), timer, timeout=3.0)


def reader(
    seconds: float = 0.0,
) -> tuple[Callable[[view.TargetView, float], Awaitable[Reading]], list[tuple[float, float]]]:
    calls: list[tuple[float, float]] = []

    async def read(_: view.TargetView, timeout: float) -> Reading:
        now = asyncio.get_running_loop().time()
        calls.append((now, timeout))
        await asyncio.sleep(seconds)
        return Reading("0:queue", now, total=1.0)

    return read, calls


async def test_the_first_reading_comes_at_once_and_the_others_once_per_interval(looptime: object) -> None:
    read, calls = reader()
    box: Mailbox[Reading] = Mailbox()
    one = metric(interval=10)
    subscription = polling.Polling(desk(), autoscaler(one), one, box, read)
    await asyncio.sleep(1)
    assert calls == [], "not before the target is known"
    subscription.update(target())
    await asyncio.sleep(0.1)
    assert len(box) == 1
    for _ in range(5):
        subscription.update(target())
    await asyncio.sleep(60)
    assert len(box) == 7


async def test_many_take_turns(looptime: object) -> None:
    shared = desk()
    read, calls = reader()
    for number in range(50):
        one = metric(f"m{number}", interval=10)
        polling.Polling(shared, autoscaler(one), one, Mailbox(), read).update(target())
    await asyncio.sleep(29)
    seconds = [at for at, _ in calls if at > 19]
    assert len(seconds) == 50
    assert 1.5 < max(seconds) - min(seconds) <= 2.5


async def test_the_timeout_fits_into_the_interval(looptime: object) -> None:
    read, calls = reader()
    for interval, timeout in ((60.0, None), (60.0, 20.0), (1.0, 20.0)):
        one = metric(interval=interval)
        polling.Polling(desk(), autoscaler(one), one, Mailbox(), read, timeout=timeout).update(target())
    await asyncio.sleep(0.1)
    assert [timeout for _, timeout in calls] == [3.0, 20.0, pytest.approx(0.81)]


async def test_a_slow_reading_is_not_overtaken(looptime: object) -> None:
    read, calls = reader(seconds=25)
    box: Mailbox[Reading] = Mailbox()
    one = metric(interval=10)
    polling.Polling(desk(), autoscaler(one), one, box, read).update(target())
    await asyncio.sleep(60)
    assert len(calls) == 2
    assert calls[1][0] - calls[0][0] >= 25


async def test_a_crash_is_logged_and_costs_one_reading(looptime: object, caplog: pytest.LogCaptureFixture) -> None:
    count = 0

    async def read(_: view.TargetView, timeout: float) -> Reading:
        nonlocal count
        count += 1
        if count == 1:
            raise RuntimeError("boom")
        return Reading("0:queue", 0.0, total=1.0)

    box: Mailbox[Reading] = Mailbox()
    one = metric(interval=10)
    polling.Polling(desk(), autoscaler(one), one, box, read).update(target())
    await asyncio.sleep(15)
    first, second = box.drain()
    assert first.failure == Failure(Reason.API)
    assert second.total == 1.0
    assert "boom" in caplog.text


async def test_after_closing_nothing_comes_and_the_source_is_told_once(looptime: object) -> None:
    read, calls = reader(seconds=1)
    box: Mailbox[Reading] = Mailbox()
    ended: list[int] = []
    one = metric(interval=10)
    subscription = polling.Polling(desk(), autoscaler(one), one, box, read, ended=lambda: ended.append(1))
    subscription.update(target())
    await asyncio.sleep(0.5)
    subscription.close()
    subscription.close()
    subscription.update(target())
    await asyncio.sleep(60)
    assert (len(box), len(calls), ended) == (0, 1, [1])


async def test_a_source_that_does_not_exist_here_says_so_in_every_reading(looptime: object) -> None:
    box: Mailbox[Reading] = Mailbox()
    one = metric(source=spec.Resource("cpu"), interval=10)
    unavailable.Unavailable(desk()).subscribe(autoscaler(one), one, box).update(target())
    await asyncio.sleep(15)
    readings = box.drain()
    assert len(readings) == 2
    assert all(reading.failure == Failure(Reason.API) for reading in readings)
    assert "resource" in str(readings[0].failure)
