"""APA beyond AIBrix's own cases (`apa_decisions`): its defects answered safely, and what surrounds it."""

import math
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtide.core.algorithms import apa, ratio, registry
from podtide.core.algorithms.carriers import Carriers
from podtide.core.model.decision import Proposal
from podtide.core.model.spec import Apa, MetricSpec, TargetType, Tolerance
from podtide.core.model.view import TargetView
from tests.core.kpa_views import CPU, QUEUE, metric, signal, view

RULES = Apa()


def count(value: float, *, current: int = 4, rules: Apa = RULES, target: float = 10.0) -> int:
    return apa.scale(rules, current=current, value=value, target=target)[0]


def propose(
    average: float | None,
    *,
    on: TargetView,
    of: MetricSpec | None = None,
    total: float | None = None,
    rules: Apa = RULES,
    state: Any = None,
    now: float = 1000.0,
) -> Proposal:
    return apa.RatioBand(rules).propose(of or metric(), signal(total, average=average), on, state, now)


@pytest.mark.parametrize(
    ("value", "expected", "reason"),
    [
        (10.0, 4, "WithinTolerance"),
        (11.0, 4, "WithinTolerance"),
        (12.0, 5, "AboveTolerance"),
        (50.0, 8, "ScaleUpRate"),
        (7.0, 3, "BelowTolerance"),
        (1.0, 2, "ScaleDownRate"),
        (-5.0, 2, "ScaleDownRate"),
    ],
)
def test_every_step_says_why(value: float, expected: int, reason: str) -> None:
    got, note = apa.scale(RULES, current=4, value=value, target=10.0)
    assert (got, note.after, note.reason) == (expected, expected, reason)


def test_a_huge_value_never_wraps_around_to_the_minimum() -> None:
    """AIBrix makes the wanted count 32 bits before it limits it: 2^31 and more come out negative."""
    assert count(1e11) == 8
    assert count(1e308, current=2**31 - 1, rules=replace(RULES, max_scale_up_rate=1e308)) == ratio.MAX_COUNT


@pytest.mark.parametrize("rate", [0.0, 0.5, -1.0])
def test_a_rate_below_1_never_shrinks_under_load_and_never_grows_an_idle_workload(rate: float) -> None:
    """AIBrix does not check its rates: 4 pods and an up rate of 0.5 made 2."""
    assert count(50.0, rules=replace(RULES, max_scale_up_rate=rate)) == 4
    assert count(1.0, rules=replace(RULES, max_scale_down_rate=rate)) <= 4


def test_a_value_too_large_for_a_ratio_on_no_pods_is_still_no_pods() -> None:
    assert count(1e308, current=0, target=0.1) == 0


def test_it_asks_for_one_window() -> None:
    assert [(each.name, each.length) for each in registry.for_spec(RULES).windows()] == [("average", 180.0)]


def test_the_load_is_shared_by_the_pods_asked_for() -> None:
    proposal = propose(60.0, on=view(4))
    assert (proposal.replicas, proposal.reason, proposal.value) == (6, "AboveTolerance", 15.0)


def test_pods_on_their_way_do_not_make_it_grow_again() -> None:
    """The mean per serving pod is still 20, twice the target: AIBrix goes on from 8 to 16."""
    assert propose(80.0, on=view(4, starting=4)).replicas == 8


@pytest.mark.parametrize("average", [None, math.nan, math.inf, -math.inf])
def test_a_window_that_says_nothing_decides_nothing(average: float | None) -> None:
    proposal = propose(average, on=view(4))
    assert (proposal.replicas, proposal.reason) == (None, "FailedGetPodsMetric")


@pytest.mark.parametrize(("total", "expected"), [(0.0, 0), (6.0, 1), (1e9, 2)])
def test_from_zero_it_counts_as_from_one(total: float, expected: int) -> None:
    assert propose(total, on=view(0), of=metric(QUEUE), total=total).replicas == expected


def test_utilization_is_measured_against_requests() -> None:
    proposal = propose(2.0, on=view(4), of=metric(CPU, target=80.0, kind=TargetType.UTILIZATION))
    assert (proposal.replicas, proposal.value) == (5, 100.0)  # half a core each, as requested


def test_utilization_without_requests_decides_nothing() -> None:
    bare = replace(view(2), pods=tuple(replace(pod, containers=()) for pod in view(2).pods))
    assert propose(2.0, on=bare, of=metric(CPU, target=80.0, kind=TargetType.UTILIZATION)).replicas is None


def test_a_value_of_the_whole_multiplies_the_pods_that_brought_it_about() -> None:
    of = metric(QUEUE, target=50.0, kind=TargetType.VALUE)
    first = propose(75.0, on=view(4), of=of)
    assert (first.replicas, first.value) == (6, 75.0)
    second = propose(75.0, on=view(6), of=of, state=first.state, now=1015.0)
    assert second.replicas == 6, "4 pods made the 75; the 6 of now have not shown what they make"


def test_the_pods_that_shared_the_load_are_a_mean_over_time() -> None:
    shared = Carriers().record(0.0, 4, keep=60.0).record(30.0, 8, keep=60.0)
    assert shared.mean(40.0, 60.0) == pytest.approx((30 * 4 + 10 * 8) / 40)
    assert shared.mean(100.0, 60.0) == 8.0
    assert shared.record(100.0, 8, keep=60.0).steps == ((30.0, 8),)
    assert msgspec.json.decode(msgspec.json.encode(shared), type=Carriers) == shared


# --- properties ------------------------------------------------------------------------------------------------------

rules = st.builds(
    Apa,
    tolerance=st.builds(Tolerance, up=st.floats(0, 1), down=st.floats(0, 1)),
    max_scale_up_rate=st.floats(0, 1000),
    max_scale_down_rate=st.floats(0, 1000),
)
currents = st.integers(0, 2**31 - 1)


@settings(max_examples=2000, deadline=None)
@given(rules, currents, st.floats(-1e308, 1e308), st.floats(0, 1e308), st.floats(5e-324, 1e308))
def test_more_load_never_asks_for_less(rules: Apa, current: int, value: float, more: float, target: float) -> None:
    """Domain: the same rules and count; any finite value and any positive target."""
    heavier = min(value + more, 1.7e308)
    assert count(value, current=current, rules=rules, target=target) <= count(
        heavier, current=current, rules=rules, target=target
    )


@settings(max_examples=1000, deadline=None)
@given(rules, currents, st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False))
def test_no_number_makes_it_crash_or_leave_the_range_of_a_count(
    rules: Apa, current: int, value: float, target: float
) -> None:
    got = count(value, current=current, rules=rules, target=target)
    assert 0 <= got <= ratio.MAX_COUNT
    if value >= target > 0:
        assert got >= current
    if 0 <= value <= target:
        assert got <= current


@settings(max_examples=1000, deadline=None)
@given(
    st.builds(view, st.integers(0, 12), starting=st.integers(0, 12), replicas=st.integers(0, 12)),
    st.sampled_from([TargetType.AVERAGE_VALUE, TargetType.VALUE]),
    st.floats(),
    st.floats(),
)
def test_nothing_makes_a_proposal_crash(on: TargetView, kind: TargetType, first: float, second: float) -> None:
    of, state = metric(QUEUE, kind=kind), None
    for now, value in ((1000.0, first), (-2600.0, second), (5000.0, first)):
        proposal = propose(value, on=on, of=of, total=value, state=state, now=now)
        assert proposal.replicas is None or 0 <= proposal.replicas < 2**31
        state = proposal.state
