import math
import random
from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtide.sim import runner, workload
from podtide.sim.queueing import Pace, Queue
from podtide.sim.ratio import Carrying, Ratio
from podtide.sim.tokens import ANSWERS, CACHE, PROMPTS, RUNNING, SUCCESS, WAITING, Model, Tokens
from podtide.sim.workload import Requests
from tests.sim import worlds


def requests(*pairs: tuple[float, float], more: float = 1.0) -> Requests:
    arrivals, work = zip(*pairs, strict=True)
    return Requests(0.0, 1000.0, array("d", arrivals), array("d", work), array("d", [more] * len(arrivals)))


def queue(*pairs: tuple[float, float], pods: int = 1, **pace: Any) -> Queue:
    made = Queue(Pace(**pace), requests(*pairs))
    for number in range(pods):
        made.join(f"pod-{number}", 0.0)
    return made


def test_one_slot_serves_in_order() -> None:
    service = queue((0.0, 2.0), (1.0, 2.0), (5.0, 1.0))
    service.advance(100.0)
    assert list(service.served.latencies) == [2.0, 3.0, 1.0]


def test_a_second_pod_takes_what_waits() -> None:
    service = queue((0.0, 10.0), (1.0, 2.0))
    service.advance(4.0)
    assert service.total("waiting", 4.0) == 1
    service.join("pod-1", 4.0)
    service.advance(50.0)
    assert list(service.served.latencies) == [10.0, 5.0]


def test_who_waits_too_long_gives_up() -> None:
    service = queue((0.0, 10.0), (1.0, 2.0), (9.0, 1.0), patience=5.0)
    service.advance(7.0)
    assert service.served.dropped == 1
    service.advance(20.0)
    assert list(service.served.latencies) == [10.0, 2.0]


def test_without_pods_everything_waits() -> None:
    service = queue((0.0, 1.0), (1.0, 1.0), pods=0)
    service.advance(3.0)
    assert service.total("concurrency", 3.0) == 2
    assert service.read("concurrency", 3.0) == {}


def test_a_leaving_pod_finishes_within_its_grace() -> None:
    service = queue((0.0, 8.0), (0.5, 100.0), pods=2)
    service.advance(1.0)
    assert service.leave("pod-0", 1.0, 30.0) in (8.0, 31.0)
    service.leave("pod-1", 1.0, 30.0)
    assert service.served.dropped == 1
    # Who was cut off has not been served.
    assert service.served.known() == [8.0]


def test_the_work_that_a_leaving_pod_has_left_is_not_done_by_the_others() -> None:
    service = queue((0.0, 10.0), (0.0, 10.0), pods=2)
    service.advance(2.0)
    assert service.total("cpu", 2.0) == 2.0
    service.leave("pod-1", 2.0, 30.0)
    service.advance(4.0)
    assert service.total("cpu", 4.0) == 1.0


def test_gauges_of_the_queue() -> None:
    service = queue((0.0, 4.0), (0.0, 4.0), (0.0, 4.0), pods=2)
    service.advance(2.0)
    assert service.read("concurrency", 2.0) == {"pod-0": 1.5, "pod-1": 1.5}
    assert service.total("running", 2.0) == 2
    assert service.total("rps", 2.0) == 1.5
    assert service.total("cpu", 2.0) == 2.0
    service.advance(16.0)
    assert service.total("cpu", 16.0) == pytest.approx(8.0 / 14.0)
    assert sum(service.read("requests_total", 16.0).values()) == 3


def test_a_long_queue_has_the_waiting_time_of_the_books() -> None:
    """M/M/1 at 80 %: the mean time in the system is 1 ÷ (1 − 0.8) times the service time."""
    rng = random.Random(3)
    drawn = workload.draw(worlds.trace([8000.0] * 40, width=1000.0), rng, begin=0.0, mean=0.1, law="exponential")
    service = Queue(Pace(1, patience=1e9), drawn)
    service.join("pod-0", 0.0)
    service.advance(50_000.0)
    mean = sum(service.served.latencies) / len(service.served.latencies)
    # Given their number in 1,000 s arrivals are even, which is nearly a Poisson process.
    assert 0.45 < mean < 0.55


def erlang_c(servers: int, load: float) -> float:
    """The share of the requests that wait in M/M/c (Kleinrock, Queueing Systems I, section 3.5)."""
    below = sum(load**n / math.factorial(n) for n in range(servers))
    full = load**servers / math.factorial(servers) * servers / (servers - load)
    return full / (below + full)


@pytest.mark.parametrize(
    ("pods", "slots", "load", "law", "wait"),
    [
        pytest.param(1, 4, 2.8, "exponential", erlang_c(4, 2.8) / 1.2, id="M/M/4"),
        pytest.param(5, 2, 8.0, "exponential", erlang_c(10, 8.0) / 2.0, id="M/M/10 of five pods"),
        pytest.param(1, 1, 0.7, "fixed", 0.7 / 2 / 0.3, id="M/D/1, Pollaczek and Khinchine"),
    ],
)
def test_waits_are_those_of_the_books(pods: int, slots: int, load: float, law: str, wait: float) -> None:
    rng, now = random.Random(11), 0.0
    arrivals, work = array("d"), array("d")
    for _ in range(150_000):
        now += rng.expovariate(load)
        arrivals.append(now)
        work.append(rng.expovariate(1.0) if law == "exponential" else 1.0)
    service = Queue(Pace(slots, patience=1e9), Requests(0.0, now, arrivals, work, array("d")))
    for number in range(pods):
        service.join(f"pod-{number}", 0.0)
    service.advance(1e9)
    waits = [latency - its for latency, its in zip(service.served.latencies, work, strict=True)]
    assert sum(waits) / len(waits) == pytest.approx(wait, rel=0.05)
    if law == "exponential":
        assert sum(each > 1e-9 for each in waits) / len(waits) == pytest.approx(erlang_c(pods * slots, load), rel=0.03)


@given(
    load=st.lists(st.integers(0, 12), min_size=20, max_size=60),
    steps=st.lists(st.tuples(st.floats(0.0, 60.0), st.integers(0, 4)), max_size=12),
    grace=st.sampled_from([0.0, 0.5, 5.0]),
    patience=st.sampled_from([0.0, 2.0, 60.0]),
    kind=st.sampled_from(["queue", "first token", "whole answer"]),
)
@settings(max_examples=60, deadline=None)
def test_every_request_is_either_served_or_dropped(
    load: list[int], steps: list[tuple[float, int]], grace: float, patience: float, kind: str
) -> None:
    begin, rng, served = worlds.BEGIN, random.Random(4), worlds.trace(load)
    if kind == "queue":
        drawn = workload.draw(served, rng, begin=begin, mean=0.8, law="exponential")
        service: Queue | Tokens = Queue(Pace(2, patience), drawn)
    else:
        drawn = workload.draw_tokens(served, rng, begin=begin, prompt=100.0, answer=20.0)
        service = Tokens(Model(500.0, patience=patience, whole=kind == "whole answer"), drawn)
    world = worlds.world(startup=2.0, grace=grace, end=begin + len(load), replicas=1)
    runner.run_schedule(sorted((begin + at, count) for at, count in steps), service, world)
    assert len(service.served.known()) + service.served.dropped == len(drawn)


def test_fractions_of_requests_add_up() -> None:
    drawn = workload.draw(worlds.trace([0.25] * 400), random.Random(1), begin=0.0, mean=1.0, law="fixed")
    assert len(drawn) == 100
    assert list(drawn.arrivals) == sorted(drawn.arrivals)


def test_beyond_the_capacity_is_lost_without_a_queue() -> None:
    service = Ratio(Carrying(10.0), worlds.trace([5, 25, 5], width=10.0), 0.0)
    service.join("pod-0", 0.0)
    service.advance(15.0)
    assert service.served.offered == 5 + 12.5
    assert service.total("load", 15.0) == pytest.approx(17.5 / 15)
    service.advance(60.0)
    assert service.served.excess == 0
    assert service.served.offered == 35


def model(*pairs: tuple[float, float], more: float = 1.0, pods: int = 1, **options: Any) -> Tokens:
    made = Tokens(
        Model(prefill=100.0, step=0.1, step_per_sequence=0.0, interference=1.0, **options), requests(*pairs, more=more)
    )
    for number in range(pods):
        made.join(f"pod-{number}", 0.0)
    return made


def test_prompts_are_read_one_after_the_other() -> None:
    service = model((0.0, 200.0), (0.5, 100.0))
    service.advance(100.0)
    assert list(service.served.latencies) == pytest.approx([2.0, 2.5])


def test_answers_grow_side_by_side() -> None:
    service = model((0.0, 100.0), (0.0, 100.0), more=11.0, whole=True)
    service.advance(100.0)
    assert list(service.served.latencies) == pytest.approx([2.0, 3.0])


def test_a_full_cache_lets_requests_wait() -> None:
    service = model((0.0, 100.0), (0.0, 100.0), more=100.0, cache=250.0)
    service.advance(2.5)
    assert service.total(WAITING, 2.5) == 1
    assert service.total(RUNNING, 2.5) == 1
    assert 0.4 < service.read(CACHE, 2.5)["pod-0"] < 0.6
    service.advance(100.0)
    # The second is read when the first has had its last token: at 1 + 9.9 seconds.
    assert list(service.served.latencies) == pytest.approx([1.0, 11.9])


def test_a_request_that_fits_nowhere_is_dropped() -> None:
    service = model((0.0, 100.0), more=1.0, cache=50.0)
    service.advance(10.0)
    assert service.served.dropped == 1


def test_requests_go_to_the_pod_with_the_fewest() -> None:
    service = model((0.0, 1000.0), (1.0, 100.0), pods=2)
    service.advance(30.0)
    assert sorted(service.served.latencies) == pytest.approx([1.0, 10.0])


def test_the_first_pod_takes_what_has_waited_for_it() -> None:
    service = model((0.0, 100.0), pods=0)
    service.advance(5.0)
    assert service.total(WAITING, 5.0) == 1
    service.join("pod-0", 5.0)
    service.advance(20.0)
    assert list(service.served.latencies) == [6.0]


def test_a_leaving_model_server_finishes_what_it_has() -> None:
    service = model((0.0, 100.0), (0.0, 100.0), more=11.0, whole=True)
    service.advance(0.5)
    assert service.leave("pod-0", 0.5, 30.0) == pytest.approx(3.0)
    assert len(service.served.latencies) == 2


def test_an_answer_that_is_cut_off_is_dropped_and_not_served() -> None:
    service = model((0.0, 100.0), (1.0, 100.0), more=100.0)
    service.advance(2.5)
    assert service.served.known() == pytest.approx([1.0, 1.0])
    service.leave("pod-0", 2.5, 1.0)
    assert service.served.dropped == 2
    assert service.served.known() == []


def test_since_1970_a_short_step_still_ends() -> None:
    begin = worlds.BEGIN
    drawn = Requests(begin, begin + 10, array("d", [begin]), array("d", [100.0]), array("d", [1000.0]))
    service = Tokens(Model(step=1e-5, step_per_sequence=0.0, whole=True), drawn)
    service.join("pod-0", begin)
    service.advance(begin + 10)
    assert list(service.served.latencies) == pytest.approx([100 / 8000 + 0.01], abs=1e-3)


@pytest.mark.parametrize(
    ("whole", "latencies"),
    [pytest.param(False, [1.0, 1.0], id="first tokens"), pytest.param(True, [47 / 30, 7 / 6], id="whole answers")],
)
def test_two_requests_by_hand(whole: bool, latencies: list[float]) -> None:
    """Prompts of 1000 and 500 tokens at 1000 a second, answers of 3 and 2, the second half a second later.

    The first is read until 1.0, the second from then until 1.5. Meanwhile the first's steps take (100 + 50) ms twice,
    so it gains 5/3 tokens; its last third takes a step of two sequences (200 ms): it ends at 1.5 + 1/15. The second has
    gained a third by then, and its last two thirds take steps of 150 ms: it ends at 1.5 + 1/15 + 1/10.
    """
    drawn = Requests(0.0, 10.0, array("d", [0.0, 0.5]), array("d", [1000.0, 500.0]), array("d", [3.0, 2.0]))
    service = Tokens(
        Model(prefill=1000.0, step=0.1, step_per_sequence=0.05, interference=2.0, cache=2000.0, whole=whole), drawn
    )
    service.join("pod-0", 0.0)
    service.advance(0.75)
    assert (service.total(RUNNING, 0.75), service.total(WAITING, 0.75)) == (1, 1)
    service.advance(1.25)
    assert (service.total(RUNNING, 1.25), service.total(WAITING, 1.25)) == (2, 0)
    # The prompts, the first's first token, and what it has gained in a quarter of a second.
    assert service.read(CACHE, 1.25)["pod-0"] == pytest.approx((1500 + 1 + 0.25 / 0.3) / 2000)
    assert service.total(ANSWERS, 1.25) == pytest.approx(1 + 0.25 / 0.3)
    service.advance(10.0)
    assert list(service.served.latencies) == pytest.approx(latencies)
    assert [service.total(each, 10.0) for each in (PROMPTS, ANSWERS, SUCCESS)] == pytest.approx([1500, 5, 2])
    assert service.read(CACHE, 10.0)["pod-0"] == pytest.approx(0.0)
