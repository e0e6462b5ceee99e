"""KPA's arithmetic beyond Knative's own cases (`kpa_decisions`): what it says, and what no input can make it do."""

import math
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtide.core.algorithms import ratio
from podtide.core.algorithms.kpa import decider
from podtide.core.algorithms.kpa.state import State, start
from podtide.core.model.spec import Kpa

RULES = Kpa(stable_window=60.0, panic_window=6.0)
CALM = State()


def scale(
    stable: float, panic: float | None = None, *, ready: int = 10, rules: Kpa = RULES, state: State = CALM
) -> decider.Scaled:
    scaled = decider.scale(
        rules, state, ready=ready, stable=stable, panic=stable if panic is None else panic, target=10.0, now=100.0
    )
    assert scaled is not None
    return scaled


@pytest.mark.parametrize(
    ("scaled", "reasons", "count"),
    [
        pytest.param(scale(95), ["Stable"], 10, id="stable"),
        pytest.param(scale(10), ["Stable", "ScaleDownRate"], 5, id="not faster down than the rate"),
        pytest.param(scale(150, ready=1), ["Stable", "ScaleUpRate", "Panic"], 2, id="not faster up, and in panic"),
        pytest.param(scale(100, 200), ["Stable", "Panic"], 20, id="the panic window asks for more"),
        pytest.param(
            scale(95, state=State(high=15, panic_since=99.0)), ["Stable", "HoldHighest"], 15, id="panic holds the peak"
        ),
        pytest.param(
            scale(95, state=State(high=15, panic_since=39.0)), ["Stable", "PanicEnded"], 10, id="panic has ended"
        ),
        pytest.param(
            scale(1, ready=1, rules=replace(RULES, activation_scale=3)),
            ["Stable", "ActivationScale"],
            3,
            id="activation",
        ),
        pytest.param(
            scale(95, state=start(replace(RULES, scale_down_delay=30.0), 1, 0.0)), ["Stable"], 10, id="a delay in vain"
        ),
    ],
)
def test_every_step_says_why(scaled: decider.Scaled, reasons: list[str], count: int) -> None:
    assert [note.reason for note in scaled.notes] == reasons
    assert scaled.replicas == scaled.notes[-1].after == count


def test_the_delay_says_why() -> None:
    rules = replace(RULES, scale_down_delay=30.0)
    before = scale(100, rules=rules, state=start(rules, 1, 0.0))
    after = scale(60, rules=rules, state=before.state)
    assert (after.replicas, after.notes[-1].reason, after.notes[-1].before) == (10, "ScaleDownDelay", 6)


def test_an_unreachable_workload_shrinks_at_once() -> None:
    rules = replace(RULES, reachable=False, scale_down_delay=30.0)
    assert scale(10, rules=rules, state=start(rules, 1, 0.0)).replicas == 1


def test_a_rate_below_1_neither_shrinks_nor_grows_an_idle_workload() -> None:
    rules = replace(RULES, max_scale_down_rate=0.5)
    assert scale(0, rules=rules).replicas == 10


@pytest.mark.parametrize(
    ("stable", "panic", "target", "ready"),
    [
        pytest.param(None, None, 10.0, 3, id="no data"),
        pytest.param(5.0, None, 10.0, 3, id="no data in one window"),
        pytest.param(5.0, 5.0, 10.0, None, id="no ready count"),
        pytest.param(math.nan, 5.0, 10.0, 3, id="NaN"),
        pytest.param(5.0, math.nan, 10.0, 3, id="NaN in the panic window"),
        pytest.param(math.inf, 5.0, 10.0, 3, id="infinite"),
        pytest.param(5.0, -math.inf, 10.0, 3, id="infinitely little"),
        pytest.param(0.0, 0.0, 0.0, 3, id="no load over no target"),
        pytest.param(1.0, 0.0, 0.0, 3, id="no urgent load over no target"),
    ],
)
def test_what_says_nothing_decides_nothing(
    stable: float | None, panic: float | None, target: float, ready: int | None
) -> None:
    state = State(high=9, panic_since=1.0)
    assert decider.scale(RULES, state, ready=ready, stable=stable, panic=panic, target=target, now=500.0) is None


# --- properties ------------------------------------------------------------------------------------------------------

loads = st.one_of(st.floats(0, 1e4), st.sampled_from([5e-324, 1e-300, 1e300, 1.7e308]))
anything = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324]))
rules = st.builds(
    Kpa,
    stable_window=st.sampled_from([6.0, 60.0, 180.0]),
    panic_threshold=st.sampled_from([1.1, 2.0, 10.0]),
    max_scale_up_rate=st.sampled_from([1.0, 1.5, 2.0, 10.0, 1000.0]),
    max_scale_down_rate=st.sampled_from([1.0, 1.5, 2.0, 10.0, 1000.0]),
    activation_scale=st.integers(0, 4),
    scale_down_delay=st.sampled_from([0.0, 3.0, 60.0]),
    reachable=st.booleans(),
)
states = st.builds(
    State,
    high=st.integers(0, 40),
    panic_since=st.one_of(st.none(), st.floats(0, 1000)),
    at=st.just(0.0),
)


@settings(max_examples=2000, deadline=None)
@given(rules, states, st.integers(0, 50), loads, loads, loads, loads, st.sampled_from([0.01, 1.0, 10.0, 1e3]))
def test_more_load_never_asks_for_less(
    rules: Kpa, state: State, ready: int, stable: float, panic: float, more: float, urgent: float, target: float
) -> None:
    """Domain: the same rules, state and ready count; loads that are not negative; a target above zero."""
    light = decider.scale(rules, state, ready=ready, stable=stable, panic=panic, target=target, now=500.0)
    stable, panic = min(stable + more, 1.7e308), min(panic + urgent, 1.7e308)
    heavy = decider.scale(rules, state, ready=ready, stable=stable, panic=panic, target=target, now=500.0)
    assert light is not None
    assert heavy is not None
    assert light.replicas <= heavy.replicas


@settings(max_examples=500, deadline=None)
@given(rules, st.integers(0, 5), st.lists(st.tuples(st.integers(0, 30), loads, loads, loads), max_size=30))
def test_more_load_at_every_tick_never_asks_for_less(
    rules: Kpa, initial: int, ticks: list[tuple[int, float, float, float]]
) -> None:
    """The same over a whole run, with the states that came of it: panics, peaks and delays keep the order."""
    lighter = heavier = start(rules, initial, 0.0)
    for number, (ready, stable, panic, more) in enumerate(ticks):
        now = 7.0 * number
        light = decider.scale(rules, lighter, ready=ready, stable=stable, panic=panic, target=10.0, now=now)
        stable, panic = min(stable + more, 1.7e308), min(panic + more, 1.7e308)
        heavy = decider.scale(rules, heavier, ready=ready, stable=stable, panic=panic, target=10.0, now=now)
        assert light is not None
        assert heavy is not None
        assert light.replicas <= heavy.replicas
        lighter, heavier = light.state, heavy.state


@settings(max_examples=1000, deadline=None)
@given(rules, states, st.integers(0, 2**31), anything, anything, anything, st.floats(-1e12, 1e12))
def test_no_number_makes_it_crash_or_leave_the_range_of_a_count(
    rules: Kpa, state: State, ready: int, stable: float, panic: float, target: float, now: float
) -> None:
    scaled = decider.scale(rules, state, ready=ready, stable=stable, panic=panic, target=target, now=now)
    if scaled is not None:
        assert 0 <= scaled.replicas <= ratio.MAX_COUNT
        assert math.isfinite(scaled.excess_burst_capacity)
        assert all(abs(note.after or 0) <= ratio.MAX_COUNT for note in scaled.notes)


@settings(max_examples=500, deadline=None)
@given(rules, st.integers(0, 5), st.lists(st.tuples(st.integers(0, 30), loads, loads), min_size=1, max_size=30))
def test_a_state_survives_at_any_tick(rules: Kpa, initial: int, ticks: list[tuple[int, float, float]]) -> None:
    state = start(rules, initial, 0.0)
    for number, (ready, stable, panic) in enumerate(ticks):
        twin = msgspec.json.decode(msgspec.json.encode(state), type=State)
        assert twin == state
        answers = [
            decider.scale(rules, each, ready=ready, stable=stable, panic=panic, target=10.0, now=3.0 * number)
            for each in (state, twin)
        ]
        assert answers[0] == answers[1]
        assert answers[0] is not None
        state = answers[0].state
