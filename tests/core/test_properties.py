"""What always holds, whatever the load, the pods, the failures and the clock, with every strategy and limit.

One run is a list of whole numbers, one per tick, each of which says all that happens in it: so a run is drawn in one
piece, and a failing one shrinks to few and small numbers. All of this takes about half a minute on one core.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podtide.core import engine
from podtide.core.memory import Memory
from podtide.core.model.decision import Action, Applied, Decision, Outcome
from podtide.core.model.reading import Reading
from podtide.core.model.spec import (
    Algorithm,
    Apa,
    AutoscalerSpec,
    Behavior,
    Bounds,
    Cooldown,
    Fallback,
    Hpa,
    Kpa,
    Policy,
    ScalingRules,
    SelectPolicy,
    TargetType,
    Threshold,
)
from podtide.core.model.view import PodView, TargetView
from tests.core.ticks import DOWN, QUEUE, metric, pods, spec

EXAMPLES = settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])

START = 100_000.0
HOSTILE = (
    *(math.nan, math.inf, -math.inf, -1.0, -1e308, 1e308, 1.7976931348623157e308),
    *(5e-324, -5e-324, 1e-300, 0.0, -0.0, 1e18, 2**63 + 0.0),
)
GENTLE = (0.0, 1.0, 9.0, 10.0, 10.5, 11.0, 12.0, 20.0, 35.0, 100.0)

ALGORITHMS: tuple[Algorithm, ...] = (
    Kpa(stable_window=20.0, panic_window=4.0, scale_to_zero_grace=0.0),
    Kpa(stable_window=40.0, panic_window=10.0, scale_down_delay=20.0, activation_scale=3, weighted=True),
    Hpa(),
    Apa(window=20.0),
    Apa(window=10.0, max_scale_up_rate=1.0, max_scale_down_rate=8.0),
)
SLOW = ScalingRules(None, SelectPolicy.MAX, (Policy("Pods", 2, 10.0), Policy("Percent", 50, 30.0)))
LEAST = ScalingRules(8.0, SelectPolicy.MIN, (Policy("Pods", 2, 10.0), Policy("Percent", 50, 30.0)))
NEVER = ScalingRules(8.0, SelectPolicy.DISABLED, ())
BEHAVIORS = (None, None, None, Behavior(SLOW, SLOW), Behavior(LEAST, LEAST), Behavior(SLOW, NEVER))
COOLDOWNS = (Cooldown(0.0, 0.0), Cooldown(0.0, 12.0), Cooldown(6.0, 20.0))
LIMITS = (Bounds(1, 40), Bounds(0, 40), Bounds(3, 7), Bounds(5, 5), Bounds(1, 2**31 - 1))

TICKS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=12)


@st.composite
def specs(draw: st.DrawFn) -> AutoscalerSpec:
    """Any strategy under any limits, on one metric or two."""
    pick = draw(st.integers(0, 5 * 6 * 3 * 5 * 3 * 4 - 1))
    pick, algorithm = divmod(pick, 5)
    pick, behavior = divmod(pick, 6)
    pick, cooldown = divmod(pick, 3)
    pick, limits = divmod(pick, 5)
    pick, kind = divmod(pick, 3)
    kinds = (TargetType.AVERAGE_VALUE, TargetType.AVERAGE_VALUE, TargetType.VALUE)
    first = replace(metric(), threshold=Threshold(10.0, 10_000, kinds[kind]))
    return spec(
        ALGORITHMS[algorithm],
        *((first, metric(QUEUE, place=1)) if pick % 2 else (first,)),
        behavior=BEHAVIORS[behavior],
        cooldown=COOLDOWNS[cooldown],
        bounds=LIMITS[limits],
        fallback=Fallback(4, after=6.0) if pick > 1 else None,
    )


@dataclass(frozen=True, slots=True)
class Tick:
    """What one number says."""

    seed: int

    def part(self, place: int, size: int) -> int:
        """One of `size` values; each place is a digit of its own."""
        return (self.seed * 2654435761 >> (5 * place)) % 2**27 % size if place else self.seed % size

    @property
    def step(self) -> float:
        return (2.0, 2.0, 2.0, 2.0, 1.0, 15.0, 60.0, 0.0)[self.part(1, 8)]

    @property
    def silent(self) -> int:
        return (0, 0, 0, 0, 1, 2, 5)[self.part(2, 7)]

    @property
    def unready(self) -> int:
        return (0, 0, 0, 1, 3)[self.part(3, 5)]

    @property
    def manual(self) -> int | None:
        """The count that somebody sets."""
        return {0: 0, 1: 2, 2: 9, 3: 60}.get(self.part(4, 24))

    @property
    def outcome(self) -> Outcome:
        """What becomes of a patch."""
        return {0: Outcome.FAILED, 1: Outcome.REFUSED}.get(self.part(5, 10), Outcome.PATCHED)

    def value(self, place: int, values: tuple[float, ...]) -> float | None:
        """A load per pod; None where the source gives nothing."""
        chosen = self.part(6 + place, len(values) + 2)
        return values[chosen] if chosen < len(values) else None


@dataclass(slots=True)
class World:
    """A workload that does as it is told, and what is known of it."""

    spec: AutoscalerSpec
    memory: Memory
    now: float = START
    replicas: int = 4

    def view(self, unready: int = 0) -> TargetView:
        ready = max(0, min(self.replicas, 60) - unready)
        young = pods(min(self.replicas, 60) - ready, start=ready, ready="False", created=self.now - 30.0)
        return TargetView(self.now, self.replicas, self.replicas, "1", (*pods(ready), *young))

    def readings(self, tick: Tick, values: tuple[float, ...], view: TargetView) -> Iterator[Reading]:
        ready = [pod.uid for pod in view.pods if pod.is_ready]
        for place, wanted in enumerate(self.spec.metrics):
            value = tick.value(place, values)
            if value is None:
                yield Reading(wanted.id, self.now, expected=len(ready), failure=DOWN)
            elif place:
                yield Reading(wanted.id, self.now, total=value * 4)
            else:
                answering = ready[: max(0, len(ready) - tick.silent)]
                yield Reading(wanted.id, self.now, dict.fromkeys(answering, value), expected=len(ready))

    def settle(self, decision: Decision, outcome: Outcome) -> None:
        applied = Applied(Outcome.UNCHANGED, self.replicas)
        if decision.action is Action.PATCH:
            self.replicas = decision.desired if outcome is Outcome.PATCHED else self.replicas
            applied = Applied(outcome, self.replicas)
        engine.settle(self.memory, decision, applied, self.now)

    def live(self, tick: Tick, values: tuple[float, ...] = GENTLE) -> Decision:
        """One whole tick."""
        self.now += tick.step
        if tick.manual is not None:
            self.replicas = tick.manual
        view = self.view(tick.unready)
        for reading in self.readings(tick, values, view):
            engine.absorb(self.memory, self.spec, reading)
        decision = engine.decide(self.memory, self.spec, view, self.now)
        self.settle(decision, tick.outcome)
        return decision


def world(wanted: AutoscalerSpec) -> World:
    return World(wanted, Memory(START))


def assert_sound(decision: Decision, bounds: Bounds) -> None:
    """Within the bounds, and no shrink where a metric failed."""
    assert_within(decision, bounds)
    if any(proposal.replicas is None for proposal in decision.proposals):
        assert decision.desired >= decision.current


def assert_within(decision: Decision, bounds: Bounds) -> None:
    if decision.current == 0 and decision.reason == "ScalingDisabled":
        assert decision.desired == 0
    elif decision.current == 0 and decision.desired == 0:
        assert bounds.minimum == 0
    else:
        assert bounds.minimum <= decision.desired <= bounds.maximum


@EXAMPLES
@given(specs(), TICKS)
def test_no_value_crashes_or_leaves_the_bounds_or_shrinks_beside_a_failure(
    wanted: AutoscalerSpec, ticks: list[int]
) -> None:
    one = world(wanted)
    for tick in map(Tick, ticks):
        decision = one.live(tick, HOSTILE)
        assert_sound(decision, wanted.bounds)
        assert all(isinstance(note.after, int | None) for note in decision.trail)


@EXAMPLES
@given(specs(), TICKS)
def test_decisions_are_sound_and_equal_for_equal_arguments(wanted: AutoscalerSpec, ticks: list[int]) -> None:
    one, other = world(wanted), world(wanted)
    for tick in map(Tick, ticks):
        decision = one.live(tick)
        assert_sound(decision, wanted.bounds)
        assert decision == other.live(tick)
    one.now += 2.0
    first = engine.decide(one.memory, wanted, one.view(), one.now)
    assert engine.decide(one.memory, wanted, one.view(), one.now) == first
    assert engine.decide(other.memory, wanted, one.view(), one.now) == first


@EXAMPLES
@given(specs(), TICKS, st.integers(0, 12))
def test_a_restored_snapshot_changes_no_later_decision(wanted: AutoscalerSpec, ticks: list[int], at: int) -> None:
    one, other = world(wanted), world(wanted)
    for place, tick in enumerate(map(Tick, ticks)):
        if place == at:
            other.memory = Memory.restore(other.memory.snapshot())
        assert one.live(tick, (*GENTLE, *HOSTILE[3:])) == other.live(tick, (*GENTLE, *HOSTILE[3:]))


@EXAMPLES
@given(specs(), TICKS, st.lists(st.integers(0, 400), min_size=12, max_size=12))
def test_more_load_never_lowers_a_proposal(wanted: AutoscalerSpec, ticks: list[int], more: list[int]) -> None:
    """The domain: the same targets at the same times, and each reading with the same pods and no lower values."""
    low, high = world(wanted), world(wanted)
    for tick, extra in zip(map(Tick, ticks), more, strict=False):
        low.now = high.now = low.now + tick.step
        view = low.view(tick.unready)
        for reading in low.readings(tick, GENTLE, view):
            engine.absorb(low.memory, wanted, reading)
            engine.absorb(high.memory, wanted, _raised(reading, extra / 10.0))
        below = engine.decide(low.memory, wanted, view, low.now)
        above = engine.decide(high.memory, wanted, view, low.now)
        for lesser, greater in zip(below.proposals, above.proposals, strict=True):
            assert (lesser.replicas is None) == (greater.replicas is None)
            if lesser.replicas is not None and greater.replicas is not None:
                assert lesser.replicas <= greater.replicas
        for one, decision in ((low, below), (high, above)):
            engine.settle(one.memory, decision, Applied(Outcome.SUPPRESSED, one.replicas), one.now)


def _raised(reading: Reading, by: float) -> Reading:
    return replace(
        reading,
        values={uid: value + by for uid, value in reading.values.items()},
        total=None if reading.total is None else reading.total + by,
    )


@EXAMPLES
@given(specs(), st.integers(2, 30), st.integers(0, 30), st.sampled_from(GENTLE), st.sampled_from(GENTLE))
def test_silent_pods_turn_no_decision_round(
    wanted: AutoscalerSpec, ready: int, silent: int, value: float, other: float
) -> None:
    """The domain: gauges of pods. The known pods ask for what they would if the others did as they do on average."""
    silent = min(silent, ready - 1)
    wanted = replace(wanted, metrics=wanted.metrics[:1], fallback=None)
    values = {f"uid-{number}": value if number % 2 else other for number in range(ready - silent)}
    mean = math.fsum(values.values()) / len(values)
    everything = {f"uid-{number}": values.get(f"uid-{number}", mean) for number in range(ready)}
    known, all_of_them = world(wanted), world(wanted)
    for one, found in ((known, values), (all_of_them, everything)):
        one.replicas = ready
        for _ in range(5):
            one.now += 10.0
            engine.absorb(one.memory, wanted, Reading("0:load", one.now, found, expected=ready))
            decision = engine.decide(one.memory, wanted, one.view(), one.now)
            engine.settle(one.memory, decision, Applied(Outcome.SUPPRESSED, ready), one.now)
    got = engine.decide(known.memory, wanted, known.view(), known.now)
    asked = engine.decide(all_of_them.memory, wanted, known.view(), known.now)
    change, wish = got.desired - ready, asked.desired - ready
    assert change * wish >= 0
    assert abs(change) <= abs(wish)


JUMPS = st.sampled_from(
    [-90_000.0, -7200.0, -3600.0, -600.0, -61.0, -59.0, -16.0, -1.0, 59.0, 61.0, 600.0, 901.0, 3600.0]
)


@EXAMPLES
@given(specs(), TICKS, JUMPS, st.booleans())
def test_a_clock_that_jumps_shrinks_nothing(
    wanted: AutoscalerSpec, ticks: list[int], jump: float, is_read_first: bool
) -> None:
    """At the jump itself, whatever came before: not while nothing new is read, nor on the load there was.

    A step of up to a minute may be a correction: it adds no shrink to what would be decided without it.
    """
    one = world(wanted)
    for tick in map(Tick, ticks):
        one.live(tick)
    if not wanted.bounds.minimum <= one.replicas <= wanted.bounds.maximum:
        return
    view = one.view()
    # The load as the current pods should carry it, so that the count has no reason to change.
    steady = {pod.uid: 10.0 for pod in view.pods}
    least = one.replicas
    if abs(jump) <= 60.0:
        least = min(least, engine.decide(one.memory, wanted, view, one.now).desired)
    one.now += jump
    if is_read_first:
        engine.absorb(one.memory, wanted, Reading("0:load", one.now, steady, expected=len(steady)))
    decision = engine.decide(one.memory, wanted, view, one.now)
    assert decision.desired >= least


@EXAMPLES
@given(specs(), TICKS)
def test_nothing_shrinks_while_no_metric_is_read(wanted: AutoscalerSpec, ticks: list[int]) -> None:
    one = world(wanted)
    for tick in map(Tick, ticks):
        one.live(tick)
    # Past what is fresh, and still within the windows; then out of them.
    for step in (18.0, 1.0, 1.0, 15.0, 60.0):
        one.now += step
        decision = engine.decide(one.memory, wanted, one.view(), one.now)
        assert decision.desired >= min(one.replicas, wanted.bounds.maximum)
        one.settle(decision, Outcome.PATCHED)


def test_the_numbers_of_a_run_reach_every_case() -> None:
    """So that the properties above are about something: ticks that fail, jump, shrink and grow are all drawn."""
    ticks = [Tick(seed * 7919) for seed in range(4000)]
    assert {tick.step for tick in ticks} == {2.0, 1.0, 15.0, 60.0, 0.0}
    assert {tick.manual for tick in ticks} == {None, 0, 2, 9, 60}
    assert {tick.silent for tick in ticks} == {0, 1, 2, 5}
    assert {tick.outcome for tick in ticks} == {Outcome.PATCHED, Outcome.FAILED, Outcome.REFUSED}
    assert {tick.value(0, GENTLE) for tick in ticks} == {None, *GENTLE}
    assert {tick.value(1, GENTLE) for tick in ticks} == {None, *GENTLE}
    assert PodView("web-0", "uid-0").is_ready
