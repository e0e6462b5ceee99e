"""One scrape for all, evenly spread, and patience with those that fail. On virtual time."""

import asyncio
import itertools
import random

import pytest

from podtide.aio.backoff import Backoff
from podtide.core.model.reading import Failure, Reason
from podtide.net.page import Ask
from podtide.sources import followed, pool
from podtide.sources.agenda import Agenda
from tests.sources.doubles import Carrier, Follower

pytestmark = pytest.mark.looptime

REFUSED = Failure(Reason.CONNECT, "nothing listens")
BROKEN = Failure(Reason.PROTOCOL, "nonsense")


def ask(number: int = 1, path: str = "/metrics") -> Ask:
    return Ask(f"10.0.{number // 256}.{number % 256}", 8000, path)


def made(carrier: Carrier, pause: Backoff = Backoff(first=1, maximum=60, jitter=0)) -> pool.Pool:  # noqa: B008
    return pool.Pool(carrier, Agenda(), rng=random.Random(1), pause=pause)


async def test_readers_of_one_endpoint_share_its_scrapes(looptime: object) -> None:
    carrier, one, two = Carrier(), Follower(), Follower()
    scrapes = made(carrier)
    scrapes.follow(ask(), one, "a", ["queue"], soon=True)
    scrapes.follow(ask(), two, "b", ["busy"], soon=True)
    await asyncio.sleep(35)
    assert len(carrier.asked) == 4
    assert len(one.taken) == len(two.taken) == 4
    assert all(not isinstance(answer, Failure) and {"queue", "busy"} == set(answer) for _, answer in one.taken)


@pytest.mark.parametrize(
    "other", [ask(2), ask(1, "/other"), Ask("10.0.0.1", 8000, headers=(("Authorization", "x"),))], ids=str
)
async def test_different_asks_are_different_scrapes(looptime: object, other: Ask) -> None:
    carrier, follower = Carrier(), Follower()
    scrapes = made(carrier)
    scrapes.follow(ask(), follower, "a", ["queue"], soon=True)
    scrapes.follow(other, follower, "b", ["queue"], soon=True)
    await asyncio.sleep(1)
    assert len(carrier.asked) == 2


async def test_the_fastest_reader_sets_the_pace_while_it_reads(looptime: object) -> None:
    carrier, slow, fast = Carrier(), Follower(interval=10), Follower(interval=2)
    scrapes = made(carrier)
    scrapes.follow(ask(), slow, "a", ["queue"], soon=True)
    scrapes.follow(ask(), fast, "b", ["queue"], soon=True)
    await asyncio.sleep(19)
    assert len(carrier.asked) == 10
    scrapes.leave(ask(), fast, "b")
    await asyncio.sleep(40)
    assert len(carrier.asked) == 14


async def test_a_faster_reader_does_not_wait_for_the_slow_ones_round(looptime: object) -> None:
    carrier, slow, fast = Carrier({"10.0.0.1": 0.5}), Follower(interval=300), Follower(interval=1, timeout=0.8)
    scrapes = made(carrier)
    scrapes.follow(ask(), slow, "a", ["queue"], soon=True)
    await asyncio.sleep(0.1)
    scrapes.follow(ask(), fast, "b", ["queue"], soon=True)  # while the answer is on its way
    await asyncio.sleep(10)
    assert len(carrier.asked) == 11
    assert len(fast.taken) == 10
    scrapes.leave(ask(), fast, "b")
    await asyncio.sleep(290)
    assert len(carrier.asked) == 12


async def test_turns_are_spread_and_come_round_once_per_interval(looptime: object) -> None:
    carrier, follower = Carrier(), Follower(interval=10, timeout=2)
    scrapes = made(carrier)
    for number in range(2000):
        scrapes.follow(ask(number), follower, str(number), ["queue"], soon=False)
    await asyncio.sleep(29.9)
    rounds = [[at for at, _ in carrier.asked if start <= at < start + 10] for start in (0, 10, 20)]
    assert [len(one) for one in rounds] == [2000] * 3
    for start, one in zip((0, 10, 20), rounds, strict=True):
        assert max(one) - start <= 2000 / pool.PER_SECOND + 0.01, "just wide enough"
        tenths = [sum(start + 0.2 * i <= at < start + 0.2 * (i + 1) for at in one) for i in range(10)]
        assert max(tenths) < 300, "and even"
    first = {host: at for at, host in carrier.asked[:2000]}
    assert all(at % 10 == pytest.approx(first[host], abs=0.01) for at, host in carrier.asked)


async def test_a_few_endpoints_are_not_kept_waiting(looptime: object) -> None:
    carrier, follower = Carrier(), Follower(interval=60)
    scrapes = made(carrier)
    for number in range(5):
        scrapes.follow(ask(number), follower, str(number), ["queue"], soon=True)
    await asyncio.sleep(0.1)
    assert len(follower.taken) == 5


async def test_whoever_is_asked_last_still_has_its_whole_timeout(looptime: object) -> None:
    scrapes = made(Carrier())
    for number in range(50_000):
        scrapes._endpoints[ask(number)] = followed.Endpoint(ask(number), None)
    for interval in (1.0, 2.0, 5.0, 15.0, 60.0):
        timeout = followed.longest(interval)
        assert scrapes.spread(interval, timeout) > 0
        assert scrapes.spread(interval, timeout) + timeout < interval


async def test_timeouts_fit_into_the_interval(looptime: object) -> None:
    carrier = Carrier()
    scrapes = made(carrier)
    scrapes.follow(ask(), Follower(interval=1, timeout=30), "a", ["queue"], soon=True)
    await asyncio.sleep(0.5)
    assert carrier.timeouts == [pytest.approx(followed.longest(1.0))]


async def test_one_that_hangs_delays_nobody_and_is_a_timeout(looptime: object) -> None:
    carrier, follower = Carrier(latency={"10.0.0.7": float("inf")}), Follower()
    scrapes = made(carrier)
    for number in range(100):
        scrapes.follow(ask(number), follower, str(number), ["queue"], soon=True)
    await asyncio.sleep(0.2)
    assert len(follower.taken) == 99
    await asyncio.sleep(2)
    key, answer = follower.taken[99]
    assert (key, isinstance(answer, Failure) and answer.reason) == ("7", Reason.TIMEOUT)


async def test_a_connection_that_is_refused_once_is_tried_again_in_the_same_round(looptime: object) -> None:
    carrier, follower = Carrier(answers={"10.0.0.1": REFUSED}), Follower()
    scrapes = made(carrier)
    scrapes.follow(ask(), follower, "a", ["queue"], soon=True)
    await asyncio.sleep(0.02)
    assert follower.taken == [], "not given up yet"
    del carrier.answers["10.0.0.1"]
    await asyncio.sleep(1)
    assert follower.reasons() == [None]
    assert len(carrier.asked) == 2


async def test_it_is_tried_twice_and_no_more(looptime: object) -> None:
    carrier, follower = Carrier(answers={"10.0.0.1": REFUSED}), Follower()
    scrapes = made(carrier)
    scrapes.follow(ask(), follower, "a", ["queue"], soon=True)
    await asyncio.sleep(9)
    assert follower.reasons() == [Reason.CONNECT]
    assert len(carrier.asked) == 2


async def test_nonsense_is_not_asked_for_twice(looptime: object) -> None:
    carrier, follower = Carrier(answers={"10.0.0.1": BROKEN}), Follower()
    scrapes = made(carrier)
    scrapes.follow(ask(), follower, "a", ["queue"], soon=True)
    await asyncio.sleep(9)
    assert follower.reasons() == [Reason.PROTOCOL]
    assert len(carrier.asked) == 1


async def test_one_that_keeps_failing_is_asked_ever_more_rarely_and_each_round_says_why(looptime: object) -> None:
    carrier, follower = Carrier(answers={"10.0.0.1": BROKEN}), Follower(interval=2, timeout=1)
    scrapes = made(carrier)
    scrapes.follow(ask(), follower, "a", ["queue"], soon=True)
    await asyncio.sleep(300.5)
    assert len(follower.taken) == 151, "a round each, whatever happens"
    gaps = [later - earlier for earlier, later in itertools.pairwise(carrier.times("10.0.0.1"))]
    assert gaps[:3] == [pytest.approx(2, abs=0.01)] * 3
    assert max(gaps) == pytest.approx(60, abs=2.1), "bounded"
    rounds = [round(gap) for gap in gaps]
    assert rounds == sorted(rounds)
    last = follower.taken[-1][1]
    assert isinstance(last, Failure)
    assert last.reason is Reason.BACKED_OFF
    assert "MalformedHTTP: nonsense" in last.detail


async def test_an_answer_ends_the_backoff(looptime: object) -> None:
    carrier, follower = Carrier(answers={"10.0.0.1": BROKEN}), Follower(interval=2, timeout=1)
    scrapes = made(carrier)
    scrapes.follow(ask(), follower, "a", ["queue"], soon=True)
    await asyncio.sleep(60)
    del carrier.answers["10.0.0.1"]
    await asyncio.sleep(60)
    follower.taken.clear()
    await asyncio.sleep(10)
    assert follower.reasons() == [None] * 5
    carrier.answers["10.0.0.1"] = BROKEN
    await asyncio.sleep(2)
    del carrier.answers["10.0.0.1"]
    await asyncio.sleep(4)
    assert follower.reasons() == [None] * 5 + [Reason.PROTOCOL, None, None], "its failures of old no longer count"


async def test_backoffs_differ_by_chance(looptime: object) -> None:
    carrier = Carrier(answers={ask(number).host: BROKEN for number in range(50)})
    scrapes = made(carrier, Backoff(first=30, maximum=30, jitter=0.5))
    for number in range(50):
        scrapes.follow(ask(number), Follower(interval=1, timeout=0.5), "a", ["queue"], soon=True)
    await asyncio.sleep(40)
    returned = {round(carrier.times(ask(number).host)[3]) for number in range(50)}
    assert len(returned) > 5


async def test_an_endpoint_nobody_reads_is_not_asked_and_its_connection_is_closed(looptime: object) -> None:
    carrier, one, two = Carrier(), Follower(), Follower()
    scrapes = made(carrier)
    scrapes.follow(ask(), one, "a", ["queue"], soon=True)
    scrapes.follow(ask(), two, "b", ["queue"], soon=True)
    await asyncio.sleep(1)
    scrapes.leave(ask(), one, "a")
    assert carrier.forgotten == []
    scrapes.leave(ask(), two, "b")
    assert carrier.forgotten == [ask()]
    assert len(scrapes) == 0
    await asyncio.sleep(60)
    assert len(carrier.asked) == 1


async def test_an_answer_that_comes_after_the_last_reader_left_is_nobodys(looptime: object) -> None:
    carrier, follower = Carrier(latency={"10.0.0.1": 1}), Follower()
    scrapes = made(carrier)
    scrapes.follow(ask(), follower, "a", ["queue"], soon=True)
    await asyncio.sleep(0.5)
    scrapes.leave(ask(), follower, "a")
    scrapes.follow(ask(), follower, "b", ["queue"], soon=False)
    await asyncio.sleep(1)
    assert follower.taken == []


async def test_a_reader_that_crashes_hurts_no_other_endpoint(
    looptime: object, caplog: pytest.LogCaptureFixture
) -> None:
    class Crashing(Follower):
        def take(self, *_: object) -> None:
            raise RuntimeError("boom")

    carrier, follower = Carrier(), Follower()
    scrapes = made(carrier)
    scrapes.follow(ask(1), Crashing(), "a", ["queue"], soon=True)
    scrapes.follow(ask(2), follower, "b", ["queue"], soon=True)
    await asyncio.sleep(25)
    assert follower.reasons() == [None] * 3
    assert caplog.text.count("a reader crashed") == 3
    assert len(carrier.times("10.0.0.1")) == 3, "and it goes on being asked"


async def test_http_2_goes_another_way(looptime: object) -> None:
    one, two, follower = Carrier(), Carrier(), Follower()
    scrapes = pool.Pool(one, Agenda(), rng=random.Random(1), http2=two)
    scrapes.follow(Ask("10.0.0.1", 80, http2=True), follower, "a", ["queue"], soon=True)
    await asyncio.sleep(1)
    assert (len(one.asked), len(two.asked)) == (0, 1)


async def test_every_scrape_is_told(looptime: object) -> None:
    told: list[tuple[str, float, Failure | None]] = []
    carrier = Carrier(answers={"10.0.0.2": BROKEN}, latency={"10.0.0.1": 0.25})
    scrapes = pool.Pool(
        carrier,
        Agenda(),
        rng=random.Random(1),
        observe=lambda one, elapsed, failure: told.append((one.host, elapsed, failure)),
    )
    for number in (1, 2):
        scrapes.follow(ask(number), Follower(), "a", ["queue"], soon=True)
    await asyncio.sleep(1)
    assert [(host, failure) for host, _, failure in told] == [("10.0.0.2", BROKEN), ("10.0.0.1", None)]
    assert [elapsed for _, elapsed, _ in told] == [pytest.approx(0.001), pytest.approx(0.25)]
