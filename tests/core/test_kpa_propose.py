"""KPA on a target: what surrounds the arithmetic. Restarts, silences, clocks, zero, and the kinds of target."""

import math
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtide.core.algorithms import registry
from podtide.core.algorithms.kpa.algorithm import KnativePods
from podtide.core.algorithms.kpa.state import State
from podtide.core.model.decision import Proposal
from podtide.core.model.reading import Failure, Reason
from podtide.core.model.spec import Kpa, MetricSpec, Resource, TargetType, Threshold, Tolerance
from podtide.core.model.view import TargetView
from podtide.core.windows import spec as windows
from tests.core.kpa_views import CPU, OBJECT, QUEUE, metric, signal, view

RULES = Kpa(stable_window=60.0, panic_window=6.0)
CALM = State(at=998.0)


def propose(
    stable: float | None,
    panic: float | None = None,
    *,
    on: TargetView,
    of: MetricSpec | None = None,
    total: float | None = None,
    rules: Kpa = RULES,
    state: State | None = CALM,
    now: float = 1000.0,
) -> Proposal:
    seen = signal(total, stable=stable, panic=stable if panic is None else panic)
    return KnativePods(rules).propose(of or metric(), seen, on, state, now)


def reasons(proposal: Proposal) -> list[str]:
    return [note.reason for note in proposal.notes]


def test_the_total_is_shared_by_pods_at_the_target() -> None:
    proposal = propose(95.0, on=view(6))
    assert (proposal.replicas, proposal.reason) == (10, "Stable")
    assert (proposal.value, proposal.target) == (95 / 6, 10.0)
    assert "6 ready" in proposal.message


def test_the_numbers_it_gives_have_four_digits() -> None:
    proposal = propose(830.13612, panic=1175.34003, on=view(6))
    assert proposal.message == "load 830.1 in 60 s, 1175 in 6 s, 6 ready"
    assert proposal.notes[0].message == "load 830.1 over target 10"


def test_it_asks_for_a_stable_and_a_panic_window() -> None:
    asked = registry.for_spec(replace(RULES, weighted=True)).windows()
    assert [(each.name, each.length, each.weighted) for each in asked] == [
        ("stable", 60.0, True),
        ("panic", 6.0, True),
    ]


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (metric(), "FailedGetPodsMetric"),
        (metric(CPU), "FailedGetResourceMetric"),
        (metric(Resource("cpu", "app")), "FailedGetContainerResourceMetric"),
        (metric(QUEUE), "FailedGetExternalMetric"),
        (metric(OBJECT), "FailedGetPodsMetric"),
    ],
)
def test_an_empty_window_decides_nothing(of: MetricSpec, reason: str) -> None:
    for stable, panic in ((None, 5.0), (None, None), (math.nan, math.nan), (math.inf, 1.0)):
        proposal = propose(stable, panic, of=of, on=view(3))
        assert (proposal.replicas, proposal.reason, proposal.state) == (None, reason, CALM)


def test_an_empty_panic_window_alone_decides_nothing() -> None:
    seen = signal(stable=5.0, panic=None)
    assert KnativePods(RULES).propose(metric(), seen, view(3), CALM, 1000.0).replicas is None


def test_the_reason_of_a_failure_is_told() -> None:
    seen = signal(stable=None, panic=None)._replace(failure=Failure(Reason.TIMEOUT, "after 3 s"))
    assert KnativePods(RULES).propose(metric(), seen, view(3), None, 0.0).message == "Timeout: after 3 s"


# --- restarts, silences and clocks -----------------------------------------------------------------------------------


def test_a_restart_on_several_pods_begins_in_panic_and_never_shrinks() -> None:
    proposal = propose(1.0, on=view(8), state=None)
    assert (proposal.replicas, proposal.panicking, reasons(proposal)[0]) == (8, True, "StartInPanic")


def test_pods_that_are_on_their_way_at_a_restart_count() -> None:
    assert propose(1.0, on=view(3, starting=7), state=None).replicas == 10


def test_a_restart_on_one_pod_is_calm() -> None:
    proposal = propose(1.0, on=view(1), state=None)
    assert (proposal.replicas, proposal.panicking, reasons(proposal)) == (1, False, ["Stable"])


def test_the_panic_of_a_restart_ends_after_a_stable_window() -> None:
    state, counts = None, []
    for now in (1000.0, 1030.0, 1060.0, 1062.0):
        proposal = propose(1.0, on=view(8), state=state, now=now)
        state = proposal.state
        counts.append(proposal.replicas)
    assert counts == [8, 8, 8, 4]


@pytest.mark.parametrize("panic_since", [None, 990.0])
def test_an_hour_without_data_is_a_restart(panic_since: float | None) -> None:
    state = State(high=12 if panic_since else 0, panic_since=panic_since, at=998.0)
    proposal = propose(1.0, on=view(12), state=state, now=4600.0)
    assert (proposal.replicas, proposal.panicking) == (12, True)


def test_a_source_slower_than_the_window_is_not_silent() -> None:
    state = State(at=1000.0)
    slow = metric(interval=90.0)
    assert propose(10.0, of=slow, on=view(2), state=state, now=1090.0).replicas == 1


def test_an_hour_back_keeps_the_age_of_the_panic() -> None:
    state: Any = State(high=12, panic_since=4600.0, at=4600.0)
    proposal = propose(1.0, on=view(12), state=state, now=1000.0)
    assert (proposal.replicas, proposal.panicking) == (12, True)
    proposal = propose(1.0, on=view(12), state=proposal.state, now=1060.0)
    assert proposal.replicas == 12, "a stable window after the last crossing is not strictly later"
    assert propose(1.0, on=view(12), state=proposal.state, now=1060.5).replicas == 6


def test_a_delay_that_the_user_changes_takes_effect() -> None:
    state = propose(100.0, on=view(10)).state
    late = replace(RULES, scale_down_delay=30.0)
    state = propose(100.0, on=view(10), rules=late, state=state, now=1002.0).state
    assert propose(60.0, on=view(10), rules=late, state=state, now=1004.0).replicas == 10
    assert propose(60.0, on=view(10), rules=replace(late, scale_down_delay=2.0), state=state, now=1004.0).replicas == 6
    assert propose(60.0, on=view(10), state=state, now=1004.0).replicas == 6


# --- around zero -----------------------------------------------------------------------------------------------------


def idle(rules: Kpa, seconds: list[float]) -> list[int | None]:
    state: State | None = CALM
    counts = []
    for each in seconds:
        proposal = propose(0.0, on=view(1), rules=rules, state=state, now=1000.0 + each)
        state = proposal.state
        counts.append(proposal.replicas)
    return counts


def test_the_last_pod_stays_for_the_grace() -> None:
    assert idle(replace(RULES, scale_to_zero_grace=30.0), [0, 10, 29.9, 30, 32]) == [1, 1, 1, 0, 0]


def test_the_last_pod_stays_for_its_retention() -> None:
    rules = replace(RULES, scale_to_zero_grace=30.0, last_pod_retention=60.0)
    assert idle(rules, [0, 40, 59.9, 60]) == [1, 1, 1, 0]


def test_load_in_between_starts_the_grace_anew() -> None:
    state = propose(0.0, on=view(1)).state
    state = propose(5.0, on=view(1), state=state, now=1020.0).state
    proposal = propose(0.0, on=view(1), state=state, now=1040.0)
    assert (proposal.replicas, proposal.reason) == (1, "ScaleToZeroGrace")


@pytest.mark.parametrize(("stable", "count"), [(0.0, 0), (3.0, 1), (300.0, 2)])
def test_from_zero_no_pod_is_kept_and_the_rates_count_from_one(stable: float, count: int) -> None:
    assert propose(stable, on=view(0), of=metric(QUEUE), total=stable).replicas == count


# --- what is ours ----------------------------------------------------------------------------------------------------


def test_a_growth_rate_never_takes_away_pods_on_their_way() -> None:
    proposal = propose(200.0, on=view(2, starting=8))
    assert (proposal.replicas, proposal.reason) == (10, "CapacityOnItsWay")
    assert propose(20.0, on=view(2, starting=8)).replicas == 2, "unless the load does not need them"


@pytest.mark.parametrize(
    ("stable", "count"),
    [
        pytest.param(109.0, 10, id="a little more"),
        pytest.param(91.0, 10, id="a little less"),
        pytest.param(100.0, 10, id="as wanted"),
        pytest.param(111.0, 12, id="above the band"),
        pytest.param(89.0, 9, id="below the band"),
    ],
)
def test_tolerance_where_asked_for(stable: float, count: int) -> None:
    rules = replace(RULES, tolerance=Tolerance(0.1, 0.1))
    assert propose(stable, on=view(10), rules=rules).replicas == count


def test_within_the_tolerance_no_float_residue_asks_for_a_pod() -> None:
    """Three times 0.1 over 0.1 is a little more than three in floats."""
    rules = replace(RULES, tolerance=Tolerance(0.1, 0.1))
    target = replace(metric(), threshold=Threshold(0.1, 100))
    assert propose(0.31, on=view(3), of=target, rules=rules).replicas == 3


def test_no_tolerance_unless_asked_for() -> None:
    assert propose(101.0, on=view(10)).replicas == 11


def test_an_unreachable_workload_shrinks_at_once() -> None:
    assert propose(1.0, on=view(10), rules=replace(RULES, reachable=False)).replicas == 1


@pytest.mark.parametrize(
    ("burst", "total", "expected"),
    [
        pytest.param(0.0, None, None, id="off"),
        pytest.param(-1.0, None, -1.0, id="unlimited"),
        pytest.param(30.0, None, 5 * 10 - 30 - 25, id="a pod carries its target"),
        pytest.param(30.0, 15.0, 5 * 15 - 30 - 25, id="a pod carries more than its target"),
        pytest.param(30.0, 0.0, 0 - 30 - 25, id="a pod carries nothing, as in Knative"),
    ],
)
def test_the_excess_burst_capacity_is_reported(burst: float, total: float | None, expected: float | None) -> None:
    rules = replace(RULES, target_burst_capacity=burst, total_value=total)
    assert propose(20.0, 25.0, on=view(5), rules=rules).excess_burst_capacity == expected


# --- the kinds of target ---------------------------------------------------------------------------------------------


def test_utilization_is_measured_against_requests() -> None:
    of = metric(CPU, target=80.0, kind=TargetType.UTILIZATION)
    proposal = propose(2.0, on=view(3), of=of)  # 2 cores in all; 80 % of half a core each
    assert proposal.replicas == 5
    assert proposal.value == pytest.approx(100 * 2.0 / 3 / 0.5)


def test_utilization_without_requests_decides_nothing() -> None:
    bare = replace(view(2), pods=tuple(replace(pod, containers=()) for pod in view(2).pods))
    proposal = propose(2.0, on=bare, of=metric(CPU, target=80.0, kind=TargetType.UTILIZATION))
    assert (proposal.replicas, "request" in proposal.message) == (None, True)


def test_a_whole_total_is_divided_by_its_target() -> None:
    assert propose(45.0, on=view(3), of=metric(QUEUE), total=45.0).replicas == 5


def test_a_value_of_the_whole_multiplies_the_pods_that_brought_it_about() -> None:
    of = metric(QUEUE, target=50.0, kind=TargetType.VALUE)
    proposal = propose(75.0, on=view(4), of=of, total=75.0)
    assert (proposal.replicas, proposal.value) == (6, 75.0)
    assert propose(25.0, on=view(4), of=of, total=25.0).replicas == 2


def test_a_value_of_the_whole_is_not_multiplied_anew_while_the_window_lags() -> None:
    """With the count of now, a value that stays at twice its target would double the workload at every tick."""
    of = metric(QUEUE, target=50.0, kind=TargetType.VALUE)
    state, ready = CALM, 4
    for tick in range(6):
        proposal = propose(100.0, on=view(ready), of=of, total=100.0, state=state, now=1000.0 + 2 * tick)
        assert proposal.replicas is not None
        state, ready = proposal.state, proposal.replicas
    assert ready < 32


# --- properties ------------------------------------------------------------------------------------------------------

rules = st.builds(
    Kpa,
    stable_window=st.just(60.0),
    max_scale_up_rate=st.sampled_from([1.0, 2.0, 10.0]),
    max_scale_down_rate=st.sampled_from([1.0, 2.0, 10.0]),
    activation_scale=st.integers(0, 3),
    scale_down_delay=st.sampled_from([0.0, 20.0]),
    tolerance=st.sampled_from([Tolerance(0.0, 0.0), Tolerance(0.1, 0.1), Tolerance(0.0, 0.3)]),
)
kinds = st.sampled_from([TargetType.AVERAGE_VALUE, TargetType.VALUE])
views = st.builds(view, st.integers(0, 12), starting=st.integers(0, 12), replicas=st.integers(0, 12))
loads = st.floats(0, 1e4)


@settings(max_examples=600, deadline=None)
@given(rules, kinds, views, loads, loads, st.floats(0, 1e3), st.one_of(st.none(), st.just(CALM)))
def test_more_load_never_asks_for_less(
    rules: Kpa, kind: TargetType, on: TargetView, stable: float, panic: float, more: float, state: State | None
) -> None:
    """Domain: the same rules, state and target; finite loads that are not negative."""
    of = metric(QUEUE, kind=kind)
    light = propose(stable, panic, on=on, of=of, total=panic, rules=rules, state=state)
    heavy = propose(stable + more, panic + more, on=on, of=of, total=panic + more, rules=rules, state=state)
    assert light.replicas is not None
    assert heavy.replicas is not None
    assert light.replicas <= heavy.replicas


@settings(max_examples=600, deadline=None)
@given(
    rules,
    st.lists(st.tuples(views, st.one_of(st.none(), st.floats()), st.floats(-4000, 4000)), max_size=20),
)
def test_nothing_makes_it_crash(rules: Kpa, ticks: list[tuple[TargetView, float | None, float]]) -> None:
    """Any float, any view, any clock; and a state that went through JSON at every tick decides alike."""
    state: State | None = None
    now = 10_000.0
    for on, load, step in ticks:
        now += step
        proposal = propose(load, on=on, of=metric(QUEUE), total=load, rules=rules, state=state, now=now)
        thawed = None if state is None else msgspec.json.decode(msgspec.json.encode(state), type=State)
        assert propose(load, on=on, of=metric(QUEUE), total=load, rules=rules, state=thawed, now=now) == proposal
        assert proposal.replicas is None or 0 <= proposal.replicas < 2**31
        state = proposal.state


@settings(max_examples=500, deadline=None)
@given(rules, st.integers(2, 12), loads, st.sampled_from([-3600.0, 3600.0]), st.integers(0, 40))
def test_a_clock_that_jumps_an_hour_never_shrinks(rules: Kpa, pods: int, load: float, jump: float, ticks: int) -> None:
    """Domain: a workload that its load keeps at its size until the jump. The windows jump as the clock does.

    The load drops to nothing just after the jump, so that the first tick on the new clock sees only that.
    """
    algorithm, state, now = KnativePods(rules), None, 10_000.0
    held = {each.name: windows.build(each) for each in algorithm.windows()}
    of, on = metric(QUEUE), view(pods)
    before = None
    for _ in range(ticks):
        for window in held.values():
            window.record(now, 10.0 * pods)
        seen = signal(0.0, **{name: window.average(now) for name, window in held.items()})
        proposal = algorithm.propose(of, seen, on, state, now)
        before, state, now = proposal.replicas, proposal.state, now + 2.0
    assert before is None or before >= pods
    now += jump
    seen = signal(0.0, **{name: window.average(now) for name, window in held.items()})
    unread = algorithm.propose(of, seen, on, state, now)
    assert unread.replicas is None or unread.replicas >= pods, "the jump alone"
    for window in held.values():
        window.record(now, min(load, 10.0 * pods))
    seen = signal(0.0, **{name: window.average(now) for name, window in held.items()})
    first = algorithm.propose(of, seen, on, state, now)
    assert first.replicas is not None
    assert first.replicas >= pods
