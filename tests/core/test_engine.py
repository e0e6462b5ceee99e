"""The engine as a whole: readings in, decisions out, and what is remembered in between."""

from dataclasses import replace

import pytest

from podtide.core import engine
from podtide.core.memory import Memory
from podtide.core.model.decision import Action, Applied, Outcome
from podtide.core.model.reading import Reading
from podtide.core.model.spec import (
    Apa,
    Behavior,
    Bounds,
    Cooldown,
    Fallback,
    Kpa,
    Mode,
    Policy,
    ScalingRules,
    Schedule,
    SelectPolicy,
)
from podtide.core.model.view import PodView
from tests.core.ticks import DOWN, QUEUE, STRATEGIES, Loop, condition, metric, pods, spec, stages

EVERY = pytest.mark.parametrize("strategy", sorted(STRATEGIES))


@EVERY
def test_the_count_follows_the_load_up_and_down(strategy: str) -> None:
    loop = Loop(spec(strategy))
    loop.run(120, 40.0)
    assert loop.replicas == 4
    loop.run(200, 120.0)
    # APA stops inside its band, 10 % below the count that would hold the target.
    assert 11 <= loop.replicas <= 12
    loop.run(200, 50.0)
    assert 5 <= loop.replicas <= 6


@EVERY
def test_an_outage_holds_the_count(strategy: str) -> None:
    loop = Loop(spec(strategy), replicas=10)
    loop.run(120, 95.0)
    before = loop.replicas
    decision = loop.run(600, None)
    assert (loop.replicas, decision.action) == (before, Action.KEEP)
    assert condition(decision, "MetricsAvailable").status is False
    assert condition(decision, "ScalingActive").reason == "FailedGetPodsMetric"


@EVERY
def test_a_source_that_falls_silent_holds_the_count(strategy: str) -> None:
    loop = Loop(spec(strategy), replicas=10)
    loop.run(120, 95.0)
    loop.tick(20.0)
    before = loop.replicas
    decision = loop.run(600)
    assert (loop.replicas, decision.action) == (before, Action.KEEP)


def test_after_an_outage_the_windows_are_refilled_before_anything_shrinks() -> None:
    loop = Loop(spec("APA"), replicas=10)
    loop.run(120, 95.0)
    loop.run(40, None)
    decision = loop.tick(20.0)
    assert stages(decision)["freshness"] == "RefillingWindows"
    loop.run(38, 20.0)
    assert loop.replicas == 10
    loop.run(40, 20.0)
    assert loop.replicas < 10


def test_a_new_memory_shrinks_nothing_for_one_window() -> None:
    loop = Loop(spec("APA"), replicas=10)
    decision = loop.run(58, 20.0)
    assert loop.replicas == 10
    assert stages(decision)["freshness"] == "RefillingWindows"
    loop.run(10, 20.0)
    assert loop.replicas < 10


@EVERY
def test_few_pods_that_answer_shrink_nothing(strategy: str) -> None:
    loop = Loop(spec(strategy), replicas=10)
    loop.run(120, 100.0)
    loop.run(120, 30.0, silent=7)
    # Seven of ten are silent. At their target they are seven pods of load; HPA counts them so itself.
    assert loop.replicas >= 7


def test_most_pods_that_answer_stand_for_all() -> None:
    loop = Loop(spec("KPA"), replicas=10)
    loop.run(120, 100.0)
    loop.run(300, 150.0, silent=3)
    assert loop.replicas == 15


def test_a_reading_with_nothing_is_no_zero() -> None:
    loop = Loop(spec("KPA"))
    loop.run(100, 40.0)
    kept = loop.memory.metrics["0:load"].windows["stable"].average(loop.now)
    engine.absorb(loop.memory, loop.spec, Reading("0:load", loop.now, expected=4, failures={"uid-1": DOWN}))
    assert loop.memory.metrics["0:load"].windows["stable"].average(loop.now) == kept
    assert loop.memory.metrics["0:load"].failure == DOWN


def test_values_that_are_no_numbers_are_missing() -> None:
    loop = Loop(spec("KPA"))
    values = {"uid-0": 10.0, "uid-1": float("nan"), "uid-2": float("inf"), "uid-3": float("-inf")}
    engine.absorb(loop.memory, loop.spec, Reading("0:load", loop.now, values=values, expected=4))
    kept = loop.memory.metrics["0:load"]
    assert (dict(kept.values), kept.coverage) == ({"uid-0": 10.0}, 0.25)
    assert kept.windows["stable"].average(loop.now) == 40.0


def test_a_reading_out_of_order_is_ignored() -> None:
    loop = Loop(spec("KPA"))
    loop.tick(40.0)
    before = loop.memory.snapshot()
    engine.absorb(loop.memory, loop.spec, loop.read(4000.0, at=loop.now - 1.0))
    engine.absorb(loop.memory, loop.spec, loop.read(4000.0, at=loop.now - 3000.0))
    assert loop.memory.snapshot() == before


def test_a_reading_of_a_metric_that_is_gone_is_ignored() -> None:
    loop = Loop(spec("KPA"))
    loop.tick(40.0)
    before = loop.memory.snapshot()
    engine.absorb(loop.memory, loop.spec, Reading("7:gone", loop.now, total=4000.0))
    assert loop.memory.snapshot() == before


def test_a_metric_that_leaves_the_spec_is_forgotten() -> None:
    loop = Loop(spec("KPA", metric(), metric(QUEUE, place=1)))
    loop.run(20, 40.0, 4000.0)
    loop.spec = spec("KPA", metric(), metric(QUEUE, place=2))
    engine.absorb(loop.memory, loop.spec, Reading("2:load", loop.now, total=10.0))
    assert set(loop.memory.metrics) == {"0:load", "2:load"}
    assert set(loop.memory.states) == {"0:load"}


def test_values_of_pods_that_are_gone_do_not_count() -> None:
    loop = Loop(spec("HPA"), replicas=4)
    loop.tick(40.0)
    loop.replicas = 2
    decision = loop.decide()
    assert set(decision.signals[0].per_pod) == {"uid-0", "uid-1"}


def test_one_reading_shrinks_once() -> None:
    # HPA's mean over the pods is held against the count of now: on the same values it would shrink again and again.
    loop = Loop(spec("HPA"), replicas=16)
    loop.run(20, 160.0)
    assert loop.tick(80.0).desired == 8
    decision = loop.tick()
    assert (decision.desired, stages(decision)["freshness"]) == (8, "ValuesOfBefore")
    assert loop.tick(80.0).desired == 8
    # Nor on values that were read before somebody else changed the count.
    loop.replicas = 16
    loop.tick()
    assert loop.tick().desired == 16


def test_a_count_that_changed_under_a_refused_patch_waits_for_new_values() -> None:
    loop = Loop(spec("HPA"), replicas=16)
    loop.run(20, 160.0)
    loop.now += 2
    engine.absorb(loop.memory, loop.spec, loop.read(80.0))
    decision = engine.decide(loop.memory, loop.spec, loop.view, loop.now)
    engine.settle(loop.memory, decision, Applied(Outcome.REFUSED, 12), loop.now)
    loop.replicas = 12
    assert stages(loop.tick())["freshness"] == "ValuesOfBefore"


def test_pods_that_start_are_capacity_on_its_way() -> None:
    # A queue grows while the new pods load their model: nothing more is asked for until they are up.
    starting = pods(4, start=4, ready="False", created=10_000.0)
    loop = Loop(spec(Apa(window=60.0)), replicas=8, ready=4, extra=starting)
    decision = loop.run(60, 400.0)
    assert (loop.replicas, stages(decision)["starting"]) == (8, "PodsStarting")
    # Those that never come up are given up after a while.
    loop.run(700, 400.0)
    assert loop.replicas > 8


def test_a_rollout_does_not_ratchet_the_count_up() -> None:
    surge = pods(3, start=10)
    for strategy in STRATEGIES:
        loop = Loop(spec(strategy), replicas=10)
        loop.run(120, 98.0)
        loop.extra = surge
        loop.run(120, 98.0)
        assert loop.replicas == 10, strategy


# --- several metrics -------------------------------------------------------------------------------------------------


@EVERY
def test_the_highest_of_several_metrics_wins(strategy: str) -> None:
    loop = Loop(spec(strategy, metric(), metric(QUEUE, place=1)))
    decision = loop.run(200, 20.0, 80.0)
    assert loop.replicas == 8
    assert [proposal.replicas for proposal in decision.proposals][1] == 8


@EVERY
def test_a_failed_metric_permits_growth_only(strategy: str) -> None:
    loop = Loop(spec(strategy, metric(), metric(QUEUE, place=1)), replicas=8)
    loop.run(200, 80.0, 80.0)
    loop.run(200, 20.0, None)
    assert loop.replicas == 8
    loop.run(200, 160.0, None)
    assert loop.replicas > 12


# --- around every strategy -------------------------------------------------------------------------------------------


@EVERY
def test_a_current_count_outside_the_bounds_goes_back_without_metrics(strategy: str) -> None:
    loop = Loop(spec(strategy, bounds=Bounds(3, 8)), replicas=20)
    decision = loop.decide()
    assert (decision.desired, decision.reason, decision.action) == (8, "TooManyReplicas", Action.PATCH)
    assert decision.message == "Current number of replicas above Spec.MaxReplicas"
    loop.replicas = 1
    assert loop.decide().desired == 3


@EVERY
def test_the_cooldown_keeps_the_highest_recommendation(strategy: str) -> None:
    loop = Loop(spec(strategy, cooldown=Cooldown(down=300.0)), replicas=10)
    loop.run(400, 100.0)
    loop.tick(10.0)
    since = loop.now
    while loop.replicas == 10:
        decision = loop.tick(10.0)
        assert loop.now < since + 1000
    assert loop.now - since >= 290
    assert decision.desired < 10


@EVERY
@pytest.mark.parametrize("gone", [100.0, 900.0], ids=["shorter than the window", "longer"])
def test_after_an_outage_the_cooldown_begins_anew_with_the_current_count(strategy: str, gone: float) -> None:
    """What a metric that was away would have asked for meanwhile is unknown, whatever the others say."""
    one = Loop(spec(strategy, metric(), metric(QUEUE, place=1), cooldown=Cooldown(up=0.0, down=300.0)), replicas=6)
    one.run(400, 40.0, 60.0)
    assert one.replicas == 6
    one.run(gone, 5.0, None)
    decision = one.run(290, 5.0, 5.0)
    assert one.replicas == 6
    assert stages(decision)["stabilise"] == "ScaleDownStabilized"
    one.run(100, 5.0, 5.0)
    assert one.replicas < 6


@EVERY
def test_after_a_time_without_decisions_the_cooldown_begins_anew_with_the_current_count(strategy: str) -> None:
    """As when a patch was not answered for long: what was read meanwhile would have asked for more, and held."""
    one = Loop(spec(strategy, cooldown=Cooldown(up=0.0, down=300.0)), replicas=4)
    one.run(400, 40.0)
    one.run(200, 10.0)
    for _ in range(50):
        one.now += 2.0
        engine.absorb(one.memory, one.spec, one.read(40.0))
    decision = one.run(290, 5.0)
    assert one.replicas == 4
    assert stages(decision)["stabilise"] == "ScaleDownStabilized"
    one.run(100, 5.0)
    assert one.replicas < 4


@EVERY
def test_a_clock_that_is_put_back_makes_no_value_younger(strategy: str) -> None:
    one = Loop(spec(strategy, cooldown=Cooldown(up=0.0, down=0.0)), replicas=4)
    one.run(400, 40.0)
    one.follows = False
    one.run(60, 10.0)
    one.now += 60.0
    assert one.decide().desired == 4
    one.now -= 59.0
    assert one.decide().desired == 4


def test_a_late_decision_holds_nothing_up() -> None:
    one = Loop(spec("HPA", metric(), cooldown=Cooldown(up=0.0, down=300.0)), replicas=4)
    one.run(400, 40.0)
    one.run(200, 10.0)
    one.now += 2.0
    one.run(110, 10.0)
    assert one.replicas == 1


def test_a_metric_that_is_missed_once_holds_nothing_up() -> None:
    one = Loop(spec("HPA", metric(), cooldown=Cooldown(up=0.0, down=300.0)), replicas=4)
    one.run(400, 40.0)
    one.run(200, 10.0)
    one.tick(None)
    one.run(110, 10.0)
    assert one.replicas == 1


@pytest.mark.parametrize("strategy", ["HPA", "APA"])
def test_after_an_outage_growing_waits_no_longer_than_without(strategy: str) -> None:
    one = Loop(spec(strategy, metric(), cooldown=Cooldown(up=60.0, down=0.0)), replicas=4)
    one.run(400, 40.0)
    one.run(900, None)
    one.run(4, 400.0)
    assert one.replicas > 4


@EVERY
def test_a_clock_an_hour_ahead_is_a_restart_and_shrinks_nothing_on_what_is_read_then(strategy: str) -> None:
    one = Loop(spec(strategy, cooldown=Cooldown(up=0.0, down=300.0)), replicas=6)
    one.run(400, 60.0)
    one.now += 3600.0
    one.run(290, 5.0)
    assert one.replicas == 6
    one.run(200, 5.0)
    assert one.replicas < 6


def test_growing_waits_for_its_own_window() -> None:
    loop = Loop(spec("HPA", cooldown=Cooldown(up=60.0, down=0.0)), replicas=4)
    loop.run(100, 40.0)
    loop.run(56, 80.0)
    assert loop.replicas == 4
    loop.run(10, 80.0)
    assert loop.replicas == 8


@EVERY
def test_behavior_applies_to_every_strategy(strategy: str) -> None:
    slow = ScalingRules(0.0, SelectPolicy.MAX, (Policy("Pods", 1, 60.0),))
    loop = Loop(spec(strategy, behavior=Behavior(slow, slow)), replicas=4)
    loop.run(120, 40.0)
    counts = [loop.tick(400.0).desired for _ in range(59)]
    assert counts[-1] <= 6
    assert loop.memory.history.grown


def test_a_failed_write_leaves_no_scaling_and_keeps_the_recommendation() -> None:
    slow = ScalingRules(0.0, SelectPolicy.MAX, (Policy("Pods", 2, 60.0),))
    loop = Loop(spec("HPA", behavior=Behavior(slow, slow)), replicas=4)
    for outcome in (Outcome.FAILED, Outcome.REFUSED):
        loop.now += 2
        engine.absorb(loop.memory, loop.spec, loop.read(400.0))
        assert loop.decide(outcome).desired == 6
        assert not loop.memory.history.grown
        assert loop.memory.history.recommendations[-1].replicas == 40
    loop.tick(400.0)
    assert [event.change for event in loop.memory.history.grown] == [2]


def test_a_manual_scale_is_the_new_current_count() -> None:
    loop = Loop(spec("KPA"), replicas=10)
    loop.run(200, 100.0)
    loop.replicas = 20
    decision = loop.tick(100.0)
    assert decision.current == 20
    loop.run(100, 100.0)
    assert loop.replicas == 10


@pytest.mark.parametrize("mode", [Mode.DRY_RUN, Mode.PAUSED])
@EVERY
def test_a_mode_only_sets_the_action(strategy: str, mode: Mode) -> None:
    active, idle = Loop(spec(strategy), follows=False), Loop(spec(strategy, mode=mode))
    for load in (40.0, 80.0, 80.0):
        wanted, got = active.tick(load), idle.tick(load)
    assert wanted.action is Action.PATCH
    assert got.action is Action.SUPPRESS
    assert (got.desired, got.reason, got.trail, got.proposals) == (
        wanted.desired,
        wanted.reason,
        wanted.trail,
        wanted.proposals,
    )
    assert condition(got, mode.value).status is True
    assert idle.replicas == 4


def test_an_older_autoscaler_on_the_target_acts_alone() -> None:
    loop = Loop(spec("HPA"), rivals=("HorizontalPodAutoscaler ns/web",))
    decision = loop.tick(80.0)
    assert (decision.desired, decision.action) == (8, Action.SUPPRESS)
    conflict = condition(decision, "MultiPodAutoscalerConflict")
    assert conflict.status is True
    assert "HorizontalPodAutoscaler ns/web" in conflict.message


def test_a_younger_hpa_that_scales_the_target_too_is_told_of() -> None:
    loop = Loop(spec("HPA"), younger=("HorizontalPodAutoscaler ns/web",))
    decision = loop.tick(80.0)
    assert (decision.desired, decision.action) == (8, Action.PATCH)
    conflict = condition(decision, "MultiPodAutoscalerConflict")
    assert (conflict.status, conflict.reason) == (True, "YoungerAutoscaler")
    assert "HorizontalPodAutoscaler ns/web" in conflict.message


def test_a_target_that_cannot_be_read_keeps_its_count() -> None:
    loop = Loop(spec("KPA"), replicas=6)
    loop.run(20, 60.0)
    before = loop.memory.snapshot()
    loop.failure = "FailedGetScale: deployments.apps web not found"
    decision = loop.tick()
    assert (decision.current, decision.desired, decision.action) == (6, 6, Action.KEEP)
    able = condition(decision, "AbleToScale")
    assert (able.status, able.reason) == (False, "FailedGetScale")
    assert able.message == "deployments.apps web not found"
    assert loop.memory.snapshot() == before


# --- fallback --------------------------------------------------------------------------------------------------------


@EVERY
def test_the_fallback_lifts_a_workload_whose_metrics_stay_away(strategy: str) -> None:
    loop = Loop(spec(strategy, fallback=Fallback(8, after=120.0), bounds=Bounds(1, 7)))
    loop.run(60, 40.0)
    loop.run(100, None)
    assert loop.replicas == 4
    decision = loop.run(200, None)
    assert loop.replicas == 7
    assert condition(decision, "Fallback").status is True
    decision = loop.run(20, 40.0)
    assert all(each.type != "Fallback" for each in decision.conditions)


@EVERY
def test_the_fallback_never_shrinks(strategy: str) -> None:
    loop = Loop(spec(strategy, fallback=Fallback(2, after=60.0)), replicas=8)
    loop.run(120, 80.0)
    loop.run(600, None)
    assert loop.replicas == 8


# --- clocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-90_000.0, -3600.0, -120.0, -40.0, 40.0, 600.0, 3600.0, 90_000.0])
@EVERY
def test_a_clock_that_steps_shrinks_nothing(strategy: str, jump: float) -> None:
    loop = Loop(spec(strategy), replicas=10)
    loop.run(200, 95.0)
    before = loop.replicas
    loop.now += jump
    assert loop.decide().desired >= before
    for _ in range(100):
        assert loop.tick(95.0).desired >= before


@EVERY
def test_after_a_clock_stepped_back_the_count_follows_the_load_again(strategy: str) -> None:
    loop = Loop(spec(strategy), replicas=4)
    loop.run(200, 40.0)
    loop.now -= 86_400.0
    loop.run(300, 80.0)
    assert loop.replicas == 8


# --- decisions -------------------------------------------------------------------------------------------------------


@EVERY
def test_asking_changes_nothing(strategy: str) -> None:
    loop = Loop(spec(strategy))
    loop.run(60, 40.0)
    before = loop.memory.snapshot()
    first = engine.decide(loop.memory, loop.spec, loop.view, loop.now + 2)
    assert engine.decide(loop.memory, loop.spec, loop.view, loop.now + 2) == first
    assert loop.memory.snapshot() == before


@EVERY
def test_a_recorded_decision_can_be_replayed(strategy: str) -> None:
    """The same readings, views and outcomes, given to another memory, end in identical decisions."""
    loop = Loop(spec(strategy))
    other = Memory(loop.now)
    for tick in range(120):
        load = 40.0 + (tick * 7919) % 60
        loop.now += 2.0
        reading, view = loop.read(load), loop.view
        engine.absorb(other, loop.spec, reading)
        expected = engine.decide(other, loop.spec, view, loop.now)
        engine.absorb(loop.memory, loop.spec, reading)
        decision = loop.decide()
        assert decision == expected
        is_patch = expected.action is Action.PATCH
        outcome = Outcome.PATCHED if is_patch else Outcome.UNCHANGED
        engine.settle(other, expected, Applied(outcome, expected.desired), loop.now)


def test_a_decision_carries_what_a_patch_needs() -> None:
    loop = Loop(spec("KPA"), extra=(PodView("web-9", "uid-9", ready="False", created=10_000.0),))
    decision = loop.tick(40.0)
    assert (decision.version, decision.ready, decision.starting) == ("7", 4, 1)
    assert str(decision.key) == "ns/web"


def test_a_schedules_bounds_are_in_force() -> None:
    noon = 12 * 3600.0
    lunch = Schedule("lunch", "UTC", frozenset(), 12 * 60, 13 * 60, 6, None)
    loop = Loop(spec("KPA", schedules=(lunch,)), replicas=4, now=noon - 4, memory=Memory(noon - 4))
    before = loop.tick(40.0)
    assert (before.bounds, before.schedule, before.next_transition) == (Bounds(1, 100), None, noon)
    after = loop.tick(40.0)
    assert (after.desired, after.schedule, after.next_transition) == (6, "lunch", noon + 3600)


def test_an_object_without_metrics_is_kept_within_its_bounds() -> None:
    loop = Loop(replace(spec("KPA", bounds=Bounds(2, 8)), metrics=()), replicas=5)
    decision = loop.tick()
    assert (decision.desired, decision.reason) == (5, "FailedGetMetrics")
    assert condition(decision, "ScalingActive").status is False
    loop.replicas = 20
    assert loop.tick().desired == 8


def test_windows_follow_the_spec() -> None:
    loop = Loop(spec("KPA"))
    loop.run(100, 40.0)
    rules = Kpa(stable_window=60.0, panic_window=6.0)
    loop.spec = replace(loop.spec, algorithm=replace(rules, stable_window=30.0))
    loop.tick(40.0)
    assert loop.memory.metrics["0:load"].windows["stable"].window == 30.0
    loop.spec = replace(loop.spec, algorithm=replace(rules, weighted=True))
    decision = loop.tick(40.0)
    assert decision.proposals[0].replicas is not None


def test_another_strategy_begins_with_another_state() -> None:
    loop = Loop(spec("KPA"))
    loop.run(100, 40.0)
    for strategy in ("APA", "HPA", "KPA"):
        loop.spec = spec(strategy)
        assert loop.run(100, 40.0).desired == 4
