from dataclasses import replace
from typing import Any

import pytest

from podtide.core.model.decision import Decision
from podtide.core.model.reading import Reading
from podtide.core.model.spec import Bounds, Mode, Rate, Resource, Schedule, Select, TargetType, Threshold
from podtide.core.model.view import TargetView
from podtide.sim import gauges
from podtide.sim.cluster import Between, Cluster, Fixed, Nodes, Skewed
from podtide.sim.draws import generator
from podtide.sim.queueing import Pace, Queue
from podtide.sim.ratio import Carrying
from podtide.sim.runner import Scaling
from podtide.sim.scenario import Llm, Requests, widest
from podtide.sim.score import flaps
from podtide.sim.timeline import Order, Timeline
from tests.core import ticks
from tests.sim import worlds

STEP = worlds.trace([2] * 120 + [30] * 180 + [2] * 300)


def test_instants_of_one_time_go_world_first_and_then_in_order() -> None:
    line, seen = Timeline(0.0), list[str]()
    for name, order in (("decide", Order.DECIDE), ("a", Order.WORLD), ("read", Order.READ), ("b", Order.WORLD)):
        line.at(5.0, lambda name=name: seen.append(name), order)  # type: ignore[misc]
    line.at(5.1, lambda: seen.append("late"))
    line.run(5.1)
    assert seen == ["a", "b", "read", "decide"]
    assert line.now == 5.1


def test_a_step_of_the_load_is_followed_up_and_down() -> None:
    result = worlds.scenario(STEP).run(worlds.kpa())
    counts = [scaling.after for scaling in result.run.scalings]
    assert max(counts) >= 7
    assert counts[-1] < 4
    assert result.run.scalings[0].at - worlds.BEGIN < 130
    assert result.score.violations > 0
    assert result.score.bound_pod_hours < result.score.pod_hours
    assert set(result.run.started) == {10.0}


def test_equal_seeds_give_equal_runs_and_other_seeds_others() -> None:
    def figures(seed: int) -> Any:
        return worlds.scenario(STEP, seed=seed, lost=0.1).run(worlds.kpa()).score

    assert figures(1) == figures(1)
    assert figures(1) != figures(2)


def test_slower_pods_make_more_requests_late() -> None:
    fast, slow = (worlds.scenario(STEP, startup=startup).run(worlds.kpa()).score for startup in (5.0, 60.0))
    assert slow.violations > 2 * fast.violations


def test_lost_scrapes_are_failures_and_the_run_goes_on() -> None:
    seen: list[Any] = []
    worlds.scenario(STEP, lost=0.5).run(worlds.kpa(), tap=seen.append)
    readings = [each for each in seen if isinstance(each, Reading)]
    assert any(reading.failures for reading in readings)
    assert all(reading.expected == len(reading.values) + len(reading.failures) for reading in readings)


def test_a_tap_sees_the_ticks_in_order() -> None:
    seen: list[Any] = []
    result = worlds.scenario(worlds.trace([3] * 20)).run(worlds.kpa(), tap=seen.append)
    assert [type(each) for each in seen[:3]] == [TargetView, Reading, Decision]
    assert len(seen) == 3 * len(result.run.course.at)


def test_pods_wait_for_nodes() -> None:
    tight = worlds.scenario(STEP, room=3).run(worlds.kpa())
    assert max(tight.run.course.placed) == 3
    growing = worlds.scenario(STEP, room=3, provision=20.0).run(worlds.kpa())
    assert max(growing.run.course.placed) > 3
    assert growing.score.violations < tight.score.violations


def test_a_dry_run_never_scales() -> None:
    result = worlds.scenario(STEP).run(worlds.kpa(mode=Mode.DRY_RUN))
    assert result.run.scalings == []
    assert max(result.run.course.desired) > 1


def test_the_decision_at_a_time_is_kept() -> None:
    result = worlds.scenario(STEP).run(worlds.kpa(), explain=worlds.BEGIN + 125.0)
    assert result.run.explained is not None
    assert result.run.explained.at == worlds.BEGIN + 124.0


def test_nothing_is_decided_before_the_first_tick() -> None:
    assert worlds.scenario(STEP).run(worlds.kpa(), explain=worlds.BEGIN + 1.0).run.explained is None


def test_cpu_is_a_share_of_the_core_that_each_pod_asks_for() -> None:
    cpu = replace(
        ticks.metric(Resource("cpu"), interval=15.0), threshold=Threshold(50.0, 50_000, TargetType.UTILIZATION)
    )
    spec = ticks.spec("HPA", cpu, bounds=Bounds(1, 20))
    result = worlds.scenario(worlds.trace([10] * 900)).run(spec)
    # Two pods' worth of work at half a core each.
    assert 3 <= result.run.course.ready[-1] <= 5


def test_a_counter_is_read_as_a_rate() -> None:
    rate = ticks.metric(target=5.0, derive=Rate())
    result = worlds.scenario(worlds.trace([20] * 600), Requests(0.05)).run(ticks.spec("APA", rate))
    assert 3 <= result.run.course.ready[-1] <= 5


def test_llm_metrics_go_by_their_names() -> None:
    metric = replace(ticks.metric(target=2.0), select=Select("num_requests_running"))
    made = worlds.scenario(worlds.trace([2] * 300), Llm(answer=300.0), slo=5.0)
    links = gauges.links(ticks.spec("KPA", metric), made.service(), {})
    assert [(link.gauge, link.is_guess) for link in links] == [("vllm:num_requests_running", False)]
    assert made.run(ticks.spec("KPA", metric)).run.course.ready[-1] > 3


def test_a_metric_that_is_not_known_is_guessed_and_said() -> None:
    made = worlds.scenario(STEP)
    assert [link.is_guess for link in gauges.links(worlds.kpa(), made.service(), {})] == [True]
    assert [link.gauge for link in gauges.links(worlds.kpa(), made.service(), {"load": "rps"})] == ["rps"]
    with pytest.raises(gauges.UnknownMetric, match="the gauges are concurrency"):
        gauges.links(worlds.kpa(), made.service(), {"load": "speed"})


def test_the_bound_goes_by_what_a_schedule_allows() -> None:
    night = Schedule("night", "UTC", frozenset(), start=0, end=24 * 60, minimum=1, maximum=90)
    spec = worlds.kpa(bounds=Bounds(5, 50), schedules=(night,))
    assert widest(spec) == Bounds(1, 90)
    result = worlds.scenario(worlds.trace([1] * 600)).run(spec)
    assert result.score.bound_pod_hours <= result.score.pod_hours


def test_a_load_without_queue_has_an_exact_oracle() -> None:
    load = worlds.trace([10] * 10 + [30] * 10, width=60.0)
    result = worlds.scenario(load, Carrying(0.1), slo=1.0, startup=60.0).run(worlds.kpa(target=0.1))
    # 2 pods, then 5 from the eleventh minute on, which start a minute before.
    assert result.score.bound_pod_hours == pytest.approx((10 * 2 + 10 * 5 + 3) / 60)
    assert result.score.p50 is None


@pytest.mark.parametrize(
    ("delay", "low", "high"),
    [
        pytest.param(Fixed(30.0), 30.0, 30.0, id="fixed"),
        pytest.param(Between(20.0, 90.0), 20.0, 90.0, id="evenly"),
        pytest.param(Skewed(60.0, 180.0), 0.0, 1e4, id="skewed"),
    ],
)
def test_start_up_times(delay: Any, low: float, high: float) -> None:
    rng = generator(1)
    drawn = sorted(delay.draw(rng) for _ in range(999))
    assert low <= drawn[0] <= drawn[-1] <= high
    assert delay.least <= drawn[0]
    if isinstance(delay, Skewed):
        assert drawn[500] == pytest.approx(60, rel=0.1)
        assert drawn[949] == pytest.approx(180, rel=0.15)


def test_shrinking_takes_the_youngest_pods() -> None:
    line = Timeline(0.0)
    made = worlds.scenario(worlds.trace([1] * 100))
    service = made.service()
    assert isinstance(service, Queue)
    cluster = Cluster(Nodes(Fixed(10.0)), service, line, generator(1), replicas=2)
    cluster.scale(4)
    line.run(5.0)
    cluster.scale(3)
    line.run(50.0)
    assert [pod.name for pod in cluster.view(50.0).pods] == ["pod-0", "pod-1", "pod-2"]
    cluster.scale(1)
    line.run(51.0)
    assert [pod.name for pod in cluster.view(51.0).pods] == ["pod-0"]
    # 51 s of the first, 50 of the second and the third, and 5 of the one that never became ready.
    assert cluster.used(51.0) == 51 + 50 + 50 + 5


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([(0, 1, 2), (100, 2, 3), (200, 3, 2)], 1, id="one turn"),
        pytest.param([(0, 1, 2), (700, 2, 1)], 0, id="after ten minutes it is no flap"),
        pytest.param([(0, 1, 2), (60, 2, 1), (120, 1, 2)], 2, id="to and fro"),
    ],
)
def test_flaps(steps: list[tuple[int, int, int]], expected: int) -> None:
    assert flaps([Scaling(at, before, after, "") for at, before, after in steps]) == expected


def test_hardly_any_request_is_late_with_pods_to_spare() -> None:
    score = (
        worlds.scenario(STEP, Requests(0.1, "fixed", Pace(4)), replicas=20).run(worlds.kpa(bounds=Bounds(20, 50))).score
    )
    assert score.violations == 0
    assert score.p50 == pytest.approx(0.1, abs=1e-6)
    assert score.p99 == pytest.approx(0.1, abs=1e-6)
    assert score.over > 0
    assert score.under == 0
