"""Another try helps against what passes, within the time there is. On virtual time."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from podtide.core.model.reading import Failure, Reason
from podtide.net import retry
from podtide.net.page import FetchedPage

pytestmark = pytest.mark.looptime

GOOD = FetchedPage(200, "text/plain", b"up 1\n", 0.1)
BUSY = FetchedPage(503, "text/plain", b"", 0.1)
REFUSED = Failure(Reason.CONNECT, "nothing listens")
UNTRUSTED = Failure(Reason.TLS_UNTRUSTED, "who is that")


def attempts(
    *outcomes: retry.Outcome, each: float = 0.0
) -> tuple[Callable[[float], Awaitable[retry.Outcome]], list[float]]:
    lefts: list[float] = []

    async def attempt(left: float) -> retry.Outcome:
        lefts.append(left)
        await asyncio.sleep(min(each, left))
        return outcomes[min(len(lefts), len(outcomes)) - 1]

    return attempt, lefts


@pytest.mark.parametrize(
    ("outcomes", "expected", "count"),
    [
        pytest.param([GOOD], GOOD, 1, id="good at once"),
        pytest.param([REFUSED, BUSY, GOOD], GOOD, 3, id="good at last"),
        pytest.param([REFUSED], REFUSED, retry.TRIES, id="never good"),
        pytest.param([UNTRUSTED, GOOD], UNTRUSTED, 1, id="what does not pass is not tried again"),
        pytest.param([Failure(Reason.TIMEOUT), GOOD], Failure(Reason.TIMEOUT), 1, id="nor what has used up the time"),
    ],
)
async def test_what_passes_is_tried_again(
    looptime: object, outcomes: list[retry.Outcome], expected: retry.Outcome, count: int
) -> None:
    attempt, lefts = attempts(*outcomes)
    assert await retry.within(10, attempt, rng=random.Random(1)) == expected
    assert len(lefts) == count


async def test_the_budget_is_kept_whatever_a_try_costs(looptime: object) -> None:
    attempt, lefts = attempts(REFUSED, each=0.9)
    began = asyncio.get_running_loop().time()
    assert await retry.within(1.0, attempt, rng=random.Random(1), tries=100) == REFUSED
    assert asyncio.get_running_loop().time() - began <= 1.0
    assert lefts == [pytest.approx(1.0)], "no pause fits any more"


async def test_every_try_is_told_what_is_left(looptime: object) -> None:
    attempt, lefts = attempts(REFUSED, each=0.2)
    await retry.within(5.0, attempt, rng=random.Random(1), tries=4)
    assert lefts == sorted(lefts, reverse=True)
    assert lefts[0] == pytest.approx(5.0)
    assert lefts[-1] > 0


async def test_pauses_differ(looptime: object) -> None:
    ends = set()
    for seed in range(20):
        attempt, _ = attempts(REFUSED)
        began = asyncio.get_running_loop().time()
        await retry.within(10, attempt, rng=random.Random(seed))
        ends.add(round(asyncio.get_running_loop().time() - began, 3))
    assert len(ends) > 10
