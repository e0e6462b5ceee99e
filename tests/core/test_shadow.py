"""Another policy beside the acting one: it sees the same, and never does anything."""

from dataclasses import replace

from hypothesis import given, settings

from podtide.core.memory import Memory
from podtide.core.model.decision import Action
from podtide.core.model.spec import AutoscalerSpec, Bounds, Forecast, Foreseen, Hpa, Kpa, Mode
from tests.core import ticks
from tests.core.test_properties import GENTLE, HOSTILE, TICKS, Tick, assert_within, specs, world

KPA = ticks.spec("KPA", bounds=Bounds(1, 10))
HPA = ticks.spec("HPA", bounds=Bounds(1, 50), mode=Mode.DRY_RUN)
HPA_ACTING = replace(HPA, mode=Mode.ACTIVE)


def test_the_shadow_says_what_it_would_do_and_changes_nothing() -> None:
    with_shadow = ticks.Loop(replace(KPA, shadow=HPA), replicas=4)
    without = ticks.Loop(KPA, replicas=4)
    for load in (5.0, 5.0, 90.0, 90.0, 90.0):
        decision, plain = (loop.tick(load * loop.replicas) for loop in (with_shadow, without))
        assert replace(decision, shadow=None) == plain
        assert decision.shadow is not None
        assert decision.shadow.action is not Action.PATCH
    assert (with_shadow.replicas, without.replicas) == (10, 10)
    assert decision.shadow is not None
    assert decision.shadow.desired > 10


def test_the_shadow_decides_as_it_would_alone_on_the_same_target() -> None:
    loop = ticks.Loop(replace(KPA, shadow=HPA), replicas=4, follows=False)
    alone = ticks.Loop(HPA, replicas=4, follows=False)
    for load in (5.0, 40.0, 40.0, 3.0, 3.0):
        decision, other = loop.tick(load * 4), alone.tick(load * 4)
        assert decision.shadow is not None
        assert (decision.shadow.desired, decision.shadow.trail) == (other.desired, other.trail)


def test_what_the_shadow_remembers_survives_a_restart() -> None:
    loop = ticks.Loop(replace(KPA, shadow=ticks.spec("APA", mode=Mode.DRY_RUN)), replicas=4)
    loop.run(60.0, 48.0)
    again = Memory.restore(loop.memory.snapshot())
    assert again.shadow is not None
    assert again.snapshot() == loop.memory.snapshot()


def test_without_a_shadow_nothing_of_it_is_kept() -> None:
    loop = ticks.Loop(replace(KPA, shadow=HPA), replicas=4)
    loop.tick(20.0)
    assert loop.memory.shadow is not None
    loop.spec = KPA
    loop.tick(20.0)
    assert loop.memory.shadow is None


def asleep(acting: AutoscalerSpec) -> ticks.Loop:
    """A workload that its own autoscaler has brought to zero."""
    loop = ticks.Loop(acting, replicas=2)
    loop.run(120.0, 0.0)
    assert loop.replicas == 0
    return loop


SLEEPY = ticks.spec("KPA", ticks.metric(ticks.QUEUE), bounds=Bounds(0, 10))


def test_a_shadow_that_never_sleeps_would_wake_what_the_object_brought_to_zero() -> None:
    shadow = ticks.spec("HPA", ticks.metric(ticks.QUEUE), bounds=Bounds(2, 10), mode=Mode.DRY_RUN)
    decision = asleep(replace(SLEEPY, shadow=shadow)).tick(0.0)
    assert decision.shadow is not None
    assert (decision.desired, decision.shadow.desired) == (0, 2)


def test_a_shadow_wakes_from_the_objects_own_zero_after_a_restart_too() -> None:
    shadow = ticks.spec(Hpa(scale_to_zero=True), ticks.metric(ticks.QUEUE), bounds=Bounds(0, 10), mode=Mode.DRY_RUN)
    loop = asleep(replace(SLEEPY, shadow=shadow))
    loop.memory = Memory.restore(loop.memory.snapshot()).resume()
    decision = loop.tick(25.0)
    assert decision.shadow is not None
    assert decision.shadow.desired == 3


def test_a_shadow_that_is_written_while_the_object_sleeps_knows_whose_zero_it_is() -> None:
    loop = asleep(SLEEPY)
    loop.spec = replace(SLEEPY, shadow=ticks.spec("KPA", ticks.metric(ticks.QUEUE), bounds=Bounds(1, 10)))
    decision = loop.tick(0.0)
    assert decision.shadow is not None
    assert decision.shadow.desired == 1


def test_a_zero_of_somebody_else_is_respected_by_the_shadow() -> None:
    loop = ticks.Loop(replace(KPA, shadow=replace(KPA, bounds=Bounds(3, 10))), replicas=4)
    loop.tick(40.0)
    loop.replicas = 0
    decision = loop.tick(None)
    assert decision.shadow is not None
    assert (decision.desired, decision.shadow.desired) == (0, 0)


def test_what_is_usual_for_the_shadow_survives_a_pause() -> None:
    shadow = ticks.spec("KPA", forecast=Forecast(methods=(Foreseen.DAILY,), horizon=30.0))
    loop = ticks.Loop(replace(KPA, shadow=shadow), replicas=4)
    loop.run(900.0, 20.0)
    loop.now += 5000.0
    loop.tick(20.0)
    assert loop.memory.shadow is not None
    (kept,) = loop.memory.shadow.save().forecasts.values()
    assert len(kept["seasons"]["Daily"]) >= 2
    assert kept["points"] == []


def test_a_shadow_panics_by_itself() -> None:
    panicky = Kpa(stable_window=60.0, panic_window=6.0, panic_threshold=2.0, scale_to_zero_grace=0.0)
    loop = ticks.Loop(replace(HPA_ACTING, shadow=ticks.spec(panicky, mode=Mode.DRY_RUN)), replicas=4, follows=False)
    loop.run(120.0, 40.0)
    decision = loop.run(10.0, 200.0)
    assert decision.shadow is not None
    assert not any(proposal.panicking for proposal in decision.proposals)
    assert any(proposal.panicking for proposal in decision.shadow.proposals)
    calm = loop.run(30.0, 40.0)
    assert calm.shadow is not None
    # It holds what it asked for in panic, although nobody carried that out.
    assert calm.shadow.desired > calm.desired


@settings(max_examples=150, deadline=None)
@given(specs(), specs(), TICKS)
def test_whatever_the_shadow_is_the_object_decides_as_without(
    acting: AutoscalerSpec, other: AutoscalerSpec, numbers: list[int]
) -> None:
    shadow = replace(other, metrics=acting.metrics, mode=Mode.DRY_RUN)
    one, alone = world(replace(acting, shadow=shadow)), world(acting)
    for tick in map(Tick, numbers):
        decision = one.live(tick, (*GENTLE, *HOSTILE))
        assert replace(decision, shadow=None) == alone.live(tick, (*GENTLE, *HOSTILE))
        assert decision.shadow is not None
        assert decision.shadow.action is not Action.PATCH
        assert_within(decision.shadow, shadow.bounds)
        one.memory = Memory.restore(one.memory.snapshot())
        assert one.memory.shadow is not None
