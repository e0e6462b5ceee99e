"""Work that crashes is started again, later and later; work that ends has ended."""

import asyncio
import logging
import random

import pytest

from podtide.aio import tasks
from podtide.aio.backoff import Backoff
from podtide.aio.clock import Clock

LOG = logging.getLogger("podtide.test")
PLAIN = Backoff(first=1.0, maximum=8.0, jitter=0.0)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [
        pytest.param(0, 0.0, id="nothing failed"),
        pytest.param(1, 1.0, id="the first"),
        pytest.param(3, 4.0, id="doubled twice"),
        pytest.param(9, 8.0, id="bounded"),
        pytest.param(100_000, 8.0, id="after days of failing"),
    ],
)
def test_the_delay_doubles_up_to_its_bound(failures: int, seconds: float) -> None:
    assert PLAIN.delay(failures, random.Random(1)) == seconds


def test_jitter_only_takes_off() -> None:
    rng = random.Random(7)
    delays = [Backoff(first=10, maximum=10, jitter=0.5).delay(1, rng) for _ in range(1000)]
    assert min(delays) > 5
    assert max(delays) <= 10
    assert len(set(delays)) > 900


@pytest.mark.looptime
async def test_a_crash_is_logged_with_its_name_and_work_goes_on(
    looptime: object, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    starts: list[float] = []
    crashes: list[int] = []

    async def work() -> None:
        starts.append(loop.time())
        if len(starts) < 4:
            raise ValueError("boom")

    await tasks.supervise(
        "worker shop/web",
        work,
        timer=Clock(monotonic=loop.time),
        pause=PLAIN,
        rng=random.Random(1),
        log=LOG,
        on_crash=lambda _error, count: crashes.append(count),
    )
    assert [start - starts[0] for start in starts] == pytest.approx([0, 1, 3, 7])
    assert crashes == [1, 2, 3]
    assert caplog.text.count("worker shop/web crashed") == 3


@pytest.mark.looptime
async def test_old_crashes_are_forgotten_after_steady_work(looptime: object) -> None:
    loop = asyncio.get_running_loop()
    starts: list[float] = []

    async def work() -> None:
        starts.append(loop.time())
        if len(starts) == 4:
            return
        await asyncio.sleep(tasks.STEADY if len(starts) == 3 else 0)
        raise ValueError("boom")

    await tasks.supervise("worker", work, timer=Clock(monotonic=loop.time), pause=PLAIN, rng=random.Random(1), log=LOG)
    assert starts[3] - starts[2] == pytest.approx(tasks.STEADY + 1), "the third crash counts as a first"


async def test_cancellation_passes_through() -> None:
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(tasks.supervise("w", work, timer=Clock(), rng=random.Random(1), log=LOG))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
