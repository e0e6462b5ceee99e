"""Pages of pods become one reading per round, and what is missing has a name. On virtual time."""

import asyncio
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from podtide.aio.clock import Clock
from podtide.aio.mailbox import Mailbox
from podtide.core.model import spec, view
from podtide.core.model.reading import Failure, Reading, Reason, Sample
from podtide.net import auth, page
from podtide.net.access import Accesses
from podtide.sources import pods, pool
from podtide.sources.agenda import Agenda
from tests.net.test_auth import Store
from tests.sources.doubles import Carrier
from tests.sources.specs import autoscaler, metric, pod, target

pytestmark = pytest.mark.looptime


@dataclass
class Room:
    """A source of pods' pages over a carrier, on virtual time."""

    carrier: Carrier
    agenda: Agenda
    pool: pool.Pool
    accesses: Accesses
    source: pods.PodPages

    def subscribe(
        self, one: spec.MetricSpec | None = None, namespace: str = "shop"
    ) -> tuple[pods.Pages, Mailbox[Reading]]:
        mailbox: Mailbox[Reading] = Mailbox()
        one = one or metric()
        return self.source.subscribe(autoscaler(one, namespace=namespace), one, mailbox), mailbox


def room(carrier: Carrier | None = None, credentials: auth.Credentials | None = None) -> Room:
    carrier = carrier or Carrier()
    agenda = Agenda()
    timer = Clock(wall=lambda: 0.0, monotonic=asyncio.get_running_loop().time)
    scrapes = pool.Pool(carrier, agenda, rng=random.Random(1))
    accesses = Accesses(credentials or auth.NoCredentials(), timer=timer)
    return Room(carrier, agenda, scrapes, accesses, pods.PodPages(pods.Rooms(scrapes, agenda, accesses, timer)))


async def first(mailbox: Mailbox[Reading]) -> Reading:
    async with asyncio.timeout(100):
        await mailbox.wake.wait()
    return mailbox.drain()[0]


async def test_every_ready_pod_is_in_the_reading(looptime: object) -> None:
    one = room(Carrier(answers={"10.0.0.2": b"queue 7\n"}))
    subscription, mailbox = one.subscribe()
    subscription.update(target(pod(1), pod(2)))
    reading = await first(mailbox)
    assert reading == Reading("0:queue", reading.at, values={"uid-1": 3.0, "uid-2": 7.0}, expected=2)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(pod(2, ready="False"), id="starting"),
        pytest.param(pod(2, deleting=True), id="terminating"),
        pytest.param(pod(2, phase="Succeeded"), id="finished"),
        pytest.param(pod(2, phase="Pending", ready=None), id="pending"),
    ],
)
async def test_pods_that_take_no_load_are_neither_asked_nor_expected(looptime: object, other: view.PodView) -> None:
    one = room()
    subscription, mailbox = one.subscribe()
    subscription.update(target(pod(1), other))
    reading = await first(mailbox)
    assert (set(reading.values), reading.expected) == ({"uid-1"}, 1)
    assert {host for _, host in one.carrier.asked} == {"10.0.0.1"}


async def test_there_is_one_reading_per_interval(looptime: object) -> None:
    one = room()
    subscription, mailbox = one.subscribe(metric(interval=2))
    subscription.update(target(*(pod(number) for number in range(20))))
    await asyncio.sleep(20.5)
    readings = mailbox.drain()
    assert len(readings) == 11
    assert all(len(reading.values) == 20 for reading in readings)
    gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(readings[1:])]
    assert gaps == [pytest.approx(2, abs=0.05)] * len(gaps)


@pytest.mark.parametrize("early", [0.001, 0.0045])
async def test_a_boundary_that_shares_the_turn_of_something_just_before_it_is_still_one(
    looptime: object, early: float
) -> None:
    one = room()
    subscription, mailbox = one.subscribe(metric(interval=2))
    subscription.update(target(pod(1), pod(2)))
    for boundary in (2, 4, 6):
        one.agenda.at(boundary - early, lambda: None)
    await asyncio.sleep(7.9)
    readings = mailbox.drain()
    assert len(readings) == 4
    assert all(reading.values == {"uid-1": 3.0, "uid-2": 3.0} for reading in readings)


async def test_failures_are_told_pod_by_pod_and_never_zero(looptime: object) -> None:
    refused = Failure(Reason.PROTOCOL, "nonsense")
    one = room(
        Carrier(
            answers={
                "10.0.0.2": refused,
                "10.0.0.3": b"queue NaN\n",
                "10.0.0.4": b"queues 1\n",
                "10.0.0.5": b"queue x\n",
            }
        )
    )
    subscription, mailbox = one.subscribe()
    subscription.update(target(*(pod(number) for number in range(1, 6)), pod(6, ip="")))
    reading = await first(mailbox)
    assert reading.values == {"uid-1": 3.0}
    assert reading.expected == 6
    assert {uid: failure.reason for uid, failure in reading.failures.items()} == {
        "uid-2": Reason.PROTOCOL,
        "uid-3": Reason.NOT_A_NUMBER,
        "uid-4": Reason.NO_METRIC,
        "uid-5": Reason.PARSE,
        "uid-6": Reason.NO_ADDRESS,
    }
    assert "queues" in reading.failures["uid-4"].detail, "with the names that are like it"
    assert "line 1" in reading.failures["uid-5"].detail


async def test_a_pod_that_hangs_is_a_timeout_and_holds_up_its_own_reading_only(looptime: object) -> None:
    one = room(Carrier(latency={"10.0.0.2": float("inf")}))
    hanging, late = one.subscribe()
    healthy, early = one.subscribe()
    hanging.update(target(pod(1), pod(2)))
    healthy.update(target(pod(1)))
    assert (await first(early)).at < 0.1
    reading = await first(late)
    assert reading.at == pytest.approx(pods.TIMEOUT, abs=0.1)
    assert reading.values == {"uid-1": 3.0}
    assert reading.failures == {"uid-2": Failure(Reason.TIMEOUT)}


async def test_two_metrics_of_one_page_are_one_scrape(looptime: object) -> None:
    one = room()
    first_one, queue = one.subscribe(metric("queue"))
    second, busy = one.subscribe(metric("busy"))
    first_one.update(target(pod(1)))
    second.update(target(pod(1)))
    assert (await first(queue)).values == {"uid-1": 3.0}
    assert (await first(busy)).values == {"uid-1": 4.0}
    await asyncio.sleep(30)
    assert len(one.carrier.asked) == 4


async def test_a_slow_and_a_fast_reader_get_their_own_pace(looptime: object) -> None:
    one = room()
    slow, seldom = one.subscribe(metric(interval=15))
    fast, often = one.subscribe(metric(interval=2))
    for subscription in (slow, fast):
        subscription.update(target(pod(1), pod(2)))
    await asyncio.sleep(60.5)
    assert (len(seldom), len(often)) == (5, 31)
    assert all(reading.values for reading in (*seldom.drain(), *often.drain()))


@pytest.mark.parametrize(
    ("engine", "content"),
    [
        (None, b"vllm:num_requests_waiting 5\n"),
        ("vllm", b"vllm:num_requests_waiting 5\n"),
        ("sglang", b"sglang:num_queue_reqs 5\n"),
        ("sglang", b"num_requests_waiting 5\nsglang:num_queue_reqs 9\n"),
    ],
)
async def test_logical_names_are_the_engines(looptime: object, engine: str | None, content: bytes) -> None:
    one = room(Carrier(answers={"10.0.0.1": content}))
    subscription, mailbox = one.subscribe(metric("num_requests_waiting"))
    labels = {} if engine is None else {"model.aibrix.ai/engine": engine}
    subscription.update(target(pod(1, labels=labels)))
    assert (await first(mailbox)).values == {"uid-1": 5.0}


async def test_derived_metrics_come_as_series(looptime: object) -> None:
    content = b'hits{path="/a"} 5\nhits{path="/b"} 7\nhits{path="/health"} 99\n'
    one = room(Carrier(answers={"10.0.0.1": content}))
    matches = [spec.LabelMatch("path", "NotIn", ("/health",))]
    subscription, mailbox = one.subscribe(metric("hits", derive=spec.Rate(), matches=matches))
    subscription.update(target(pod(1), pod(2)))
    reading = await first(mailbox)
    assert reading.values == {}
    assert reading.series == {
        "uid-1": (Sample("hits", {"path": "/a"}, 5.0), Sample("hits", {"path": "/b"}, 7.0)),
    }
    assert reading.failures["uid-2"].reason is Reason.NO_METRIC


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"".join(b'hits{id="%d"} 1\n' % at for at in range(9_000)), id="many"),
        pytest.param(b"".join(b'hits{a="%b%d"} 1\n' % (b"x" * 250_000, at) for at in range(20)), id="long"),
    ],
)
async def test_more_series_than_a_pods_share_are_not_kept_until_the_others_have_answered(
    looptime: object, page: bytes
) -> None:
    others = {f"10.0.0.{number}": b"hits 1\n" for number in range(12)}
    one = room(Carrier(answers={**others, "10.0.0.2": page}))
    subscription, mailbox = one.subscribe(metric("hits", derive=spec.Rate()))
    subscription.update(target(*(pod(number) for number in range(12))))
    reading = await first(mailbox)
    assert reading.failures == {"uid-2": Failure(Reason.TOO_LARGE)}
    assert len(reading.series) == 11


async def test_series_that_none_matches_are_a_failure_for_derived_metrics_too(looptime: object) -> None:
    one = room(Carrier(answers={"10.0.0.1": b'hits{path="/a"} 5\n'}))
    matches = [spec.LabelMatch("path", "In", ("/b",))]
    subscription, mailbox = one.subscribe(metric("hits", derive=spec.Increase(), matches=matches))
    subscription.update(target(pod(1)))
    assert (await first(mailbox)).failures["uid-1"].reason is Reason.NO_SERIES


async def test_quantiles_read_the_buckets(looptime: object) -> None:
    content = b'wait_bucket{le="1"} 1\nwait_bucket{le="+Inf"} 2\nwait_count 2\nwait_sum 3\n'
    one = room(Carrier(answers={"10.0.0.1": content}))
    subscription, mailbox = one.subscribe(metric("wait", derive=spec.Quantile(0.9)))
    subscription.update(target(pod(1)))
    series = (await first(mailbox)).series["uid-1"]
    assert [sample.labels["le"] for sample in series] == ["1", "+Inf"]


async def test_no_pods_is_a_reading_of_none(looptime: object) -> None:
    one = room()
    subscription, mailbox = one.subscribe()
    subscription.update(target())
    await asyncio.sleep(25)
    readings = mailbox.drain()
    assert [(reading.values, reading.expected) for reading in readings] == [({}, 0)] * 2
    assert [reading.at for reading in readings] == [pytest.approx(10), pytest.approx(20)]
    assert [str(reading.failure) for reading in readings] == ["NoReadyPods: no pod of the target is ready"] * 2


async def test_the_first_pods_after_none_are_read_at_once(looptime: object) -> None:
    one = room()
    subscription, mailbox = one.subscribe(metric(interval=60))
    subscription.update(target())
    await asyncio.sleep(1)
    subscription.update(target(pod(1)))
    assert (await first(mailbox)).at < 2


async def test_a_view_that_failed_changes_nothing(looptime: object) -> None:
    one = room()
    subscription, mailbox = one.subscribe()
    subscription.update(target(pod(1)))
    await asyncio.sleep(5)
    subscription.update(view.TargetView(at=5, failure="FailedGetScale: gone"))
    await asyncio.sleep(10)
    assert [set(reading.values) for reading in mailbox.drain()] == [{"uid-1"}] * 2


async def test_a_pod_that_leaves_is_not_waited_for_and_not_counted(looptime: object) -> None:
    one = room(Carrier(latency={"10.0.0.2": float("inf")}))
    subscription, mailbox = one.subscribe()
    subscription.update(target(pod(1), pod(2)))
    await asyncio.sleep(1)
    subscription.update(target(pod(1)))
    reading = await first(mailbox)
    assert reading.at == pytest.approx(1)
    assert (reading.values, reading.expected, reading.failures) == ({"uid-1": 3.0}, 1, {})
    assert [ask.host for ask in one.carrier.forgotten] == ["10.0.0.2"]


async def test_a_pod_that_comes_is_in_the_next_reading(looptime: object) -> None:
    one = room(Carrier(latency={"10.0.0.1": 2.0}))
    subscription, mailbox = one.subscribe()
    subscription.update(target(pod(1)))
    await asyncio.sleep(1)
    subscription.update(target(pod(1), pod(2)))
    assert (await first(mailbox)).expected == 1
    reading = await first(mailbox)
    assert (len(reading.values), reading.expected) == (2, 2)


async def test_a_pod_with_another_address_is_another_endpoint(looptime: object) -> None:
    one = room()
    subscription, mailbox = one.subscribe()
    subscription.update(target(pod(1)))
    await first(mailbox)
    subscription.update(target(pod(1, ip="10.0.0.9")))
    assert [ask.host for ask in one.carrier.forgotten] == ["10.0.0.1"]
    await first(mailbox)
    assert one.carrier.asked[-1][1] == "10.0.0.9"


async def test_after_closing_nothing_is_asked_and_nothing_comes(looptime: object) -> None:
    one = room(Carrier(latency={"10.0.0.1": 2.0}))
    subscription, mailbox = one.subscribe()
    subscription.update(target(pod(1)))
    await asyncio.sleep(1)
    subscription.close()
    subscription.close()
    subscription.update(target(pod(1), pod(2)))
    await asyncio.sleep(60)
    assert len(mailbox) == 0
    assert len(one.pool) == 0
    assert len(one.carrier.asked) == 1


# --- credentials -----------------------------------------------------------------------------------------------------

BEARER = spec.Http(auth=spec.Auth(bearer_token=spec.KeyRef("mine", "token")))


async def test_reading_begins_when_the_credentials_are_there(looptime: object) -> None:
    store = Store({"mine": {"token": b"t"}})
    one = room(credentials=store)
    subscription, mailbox = one.subscribe(metric(http=BEARER))
    subscription.update(target(pod(1)))
    await asyncio.sleep(1)
    assert one.carrier.asked == []
    await one.accesses.refresh()
    assert (await first(mailbox)).at < 1.1


async def test_missing_credentials_are_the_failure_of_the_whole_source(looptime: object) -> None:
    one = room(credentials=Store())
    subscription, mailbox = one.subscribe(metric(http=BEARER))
    subscription.update(target(pod(1), pod(2)))
    await one.accesses.refresh()
    reading = await first(mailbox)
    assert reading.failure == Failure(Reason.CREDENTIALS)
    assert reading.failure is not None
    assert "Secret shop/mine" in reading.failure.detail
    assert set(reading.failures) == {"uid-1", "uid-2"}
    assert one.carrier.asked == []


async def test_credentials_that_are_not_read_in_time_are_told(looptime: object) -> None:
    one = room(credentials=Store())
    subscription, mailbox = one.subscribe(metric(http=BEARER))
    subscription.update(target(pod(1)))
    reading = await first(mailbox)
    assert reading.failure == Failure(Reason.CREDENTIALS)
    assert reading.expected == 1


async def test_a_new_token_is_used_from_the_next_scrape_on_and_no_round_is_lost(looptime: object) -> None:
    store = Store({"mine": {"token": b"old"}})
    one = room(Carrier(latency={f"10.0.0.{number}": 1.0 for number in range(1, 6)}), credentials=store)
    sent: list[page.Ask] = []
    carry = one.carrier.request

    def request(ask: page.Ask, timeout: float, done: Callable[[page.Ask, page.Page | Failure], None]) -> None:
        sent.append(ask)
        carry(ask, timeout, done)

    one.carrier.request = request  # type: ignore[method-assign]
    subscription, mailbox = one.subscribe(metric(http=BEARER, interval=5))
    subscription.update(target(*(pod(number) for number in range(1, 6))))
    await one.accesses.refresh()
    await asyncio.sleep(5.5)  # in the middle of the second round
    store.secrets["mine"] = {"token": b"new"}
    for access in one.accesses._all.values():
        access.due = 0
    await one.accesses.refresh()
    await asyncio.sleep(20)
    readings = mailbox.drain()
    assert [len(reading.values) for reading in readings] == [5] * len(readings)
    assert {ask.headers[1][1] for ask in sent[:10]} == {"Bearer old"}
    assert {ask.headers[1][1] for ask in sent[10:]} == {"Bearer new"}


async def test_a_pod_that_refuses_the_credentials_has_them_looked_up_soon(looptime: object) -> None:
    store = Store({"mine": {"token": b"old"}})
    one = room(Carrier(answers={"10.0.0.1": Failure(Reason.UNAUTHORIZED)}), credentials=store)
    running = asyncio.create_task(one.accesses.run())
    subscription, _ = one.subscribe(metric(http=BEARER, interval=2))
    subscription.update(target(pod(1)))
    await asyncio.sleep(12)
    assert len(store.asked) == 3, "every 5 s while it is refused, not every 30 s"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_same_page_with_other_credentials_is_another_scrape(looptime: object) -> None:
    store = Store({"mine": {"token": b"t"}})
    one = room(credentials=store)
    plain, without = one.subscribe()
    bearer, with_token = one.subscribe(metric(http=BEARER))
    for subscription in (plain, bearer):
        subscription.update(target(pod(1)))
    await one.accesses.refresh()
    await first(without)
    await first(with_token)
    assert len(one.carrier.asked) == 2


async def test_annotations_choose_the_protocol_pod_by_pod(looptime: object) -> None:
    one = room()
    source = spec.PodPage(replace(spec.Http(), scheme=None), 8000, None)
    subscription, mailbox = one.subscribe(metric(source=source))
    subscription.update(target(pod(1), pod(2, annotations={"prometheus.io/scheme": "https"})))
    await one.accesses.refresh()
    await first(mailbox)
    schemes = {ask.host: ask.context is not None for ask in one.pool._endpoints}
    assert schemes == {"10.0.0.1": False, "10.0.0.2": True}
