"""To zero and back: what may wake a workload, and whose zero is respected."""

from dataclasses import replace

import pytest

from podtide.core import engine
from podtide.core.engine import conditions
from podtide.core.memory import Memory
from podtide.core.model.decision import Action, Applied, Outcome
from podtide.core.model.spec import (
    Behavior,
    Bounds,
    Custom,
    Endpoint,
    Fallback,
    Hpa,
    Http,
    ObjectRef,
    Policy,
    Query,
    ScalingRules,
    Schedule,
    SelectPolicy,
    Source,
)
from tests.core.ticks import PAGE, QUEUE, STRATEGIES, Loop, condition, metric, spec, stages

EVERY = pytest.mark.parametrize("strategy", sorted(STRATEGIES))
FROM_ZERO = Bounds(0, 100)


def loop(strategy: str, source: Source = QUEUE, **changes: object) -> Loop:
    return Loop(spec(strategy, metric(source, activation=3.0), bounds=FROM_ZERO, **changes), replicas=4)


@EVERY
def test_an_idle_workload_goes_to_zero_and_wakes_above_the_activation_value(strategy: str) -> None:
    one = loop(strategy)
    one.run(200, 40.0)
    decision = one.run(400, 0.0)
    assert one.replicas == 0
    assert condition(decision, "ScaledToZero").status is True
    decision = one.run(100, 3.0)
    assert one.replicas == 0
    one.run(100, 3.1)
    assert one.replicas == 1
    decision = one.run(300, 99.0)
    assert 9 <= one.replicas <= 10
    assert condition(decision, "ScaledToZero").status is False


def test_a_load_that_rounds_to_nothing_wakes_one_pod() -> None:
    """KPA's averages have six decimals."""
    one = Loop(spec("KPA", metric(QUEUE), bounds=FROM_ZERO), replicas=0)
    one.run(10, 3e-7)
    assert one.replicas == 1


def test_a_gate_that_closes_over_a_zero_of_ours_makes_it_a_persons() -> None:
    """As in Kubernetes, where HPAScaleToZero is a feature gate."""
    one = Loop(spec("HPA", metric(QUEUE), bounds=FROM_ZERO), replicas=0)
    one.memory.scaled_to_zero = True
    one.spec = replace(one.spec, algorithm=Hpa(scale_to_zero=False), bounds=Bounds(2, 10))
    assert one.tick(400.0).reason == "ScalingDisabled"
    assert one.replicas == 0
    one.spec = replace(one.spec, algorithm=Hpa())
    assert one.tick(400.0).reason == "ScalingDisabled", "it stays a person's"


@EVERY
def test_pods_that_are_gone_wake_nothing_and_the_object_says_so(strategy: str) -> None:
    one = loop(strategy, PAGE)
    one.replicas = 0
    decision = one.tick(None)
    assert (decision.desired, decision.action) == (0, Action.KEEP)
    active = condition(decision, "ScalingActive")
    assert (active.status, active.reason) == (False, "ScalingDisabled")
    assert "every metric needs pods" in active.message


@pytest.mark.parametrize(
    "source",
    [
        QUEUE,
        Endpoint(Http(), "http://queue/metrics"),
        Query(Http(), "http://prometheus", "sum(queue)"),
        Custom("hits", ObjectRef("v1", "Service", "web")),
    ],
    ids=lambda source: type(source).__name__,
)
def test_every_source_without_pods_can_wake(source: Source) -> None:
    one = loop("KPA", source)
    one.replicas = 0
    # The loop's readings of other sources than External are per pod; these are totals.
    for _ in range(5):
        one.now += 2.0
        reading = one.read(40.0)
        total = reading if reading.total is not None else type(reading)(reading.metric, one.now, total=40.0)
        engine.absorb(one.memory, one.spec, total)
        one.decide()
    assert one.replicas > 0


@EVERY
def test_a_persons_zero_is_respected_where_the_minimum_is_above(strategy: str) -> None:
    one = Loop(spec(strategy, metric(QUEUE), bounds=Bounds(2, 10)))
    one.run(100, 40.0)
    one.replicas = 0
    decision = one.run(100, 400.0)
    assert one.replicas == 0
    assert condition(decision, "ScalingActive").reason == "ScalingDisabled"


@EVERY
def test_our_own_zero_ends_when_the_minimum_rises(strategy: str) -> None:
    noon = 12 * 3600.0
    day = Schedule("day", "UTC", frozenset(), 12 * 60, 18 * 60, 2, None)
    start = noon - 1000
    one = Loop(
        spec(strategy, metric(QUEUE), bounds=FROM_ZERO, schedules=(day,)), replicas=4, now=start, memory=Memory(start)
    )
    one.run(990, 0.0)
    assert one.replicas == 0
    # The source fails meanwhile: the minimum needs no metric.
    decision = one.run(14, None)
    assert (one.replicas, decision.bounds) == (2, Bounds(2, 100))


@EVERY
def test_a_night_at_zero_ends_in_the_morning_without_any_source_that_wakes(strategy: str) -> None:
    """The minimum of the day needs no metric; that no source could wake the workload matters at night only."""
    night = Schedule("night", "UTC", frozenset(), 22 * 60, 6 * 60, 0, None)
    start = 5 * 3600.0
    one = Loop(
        spec(strategy, metric(), bounds=Bounds(2, 10), schedules=(night,)), replicas=4, now=start, memory=Memory(start)
    )
    one.run(1000, 0.0)
    assert one.replicas == 0
    one.run(2700, None)
    assert one.replicas == 2


@EVERY
@pytest.mark.parametrize("source", [QUEUE, PAGE], ids=["may be woken", "needs pods"])
def test_a_zero_that_a_new_object_has_found_and_kept_ends_when_the_minimum_rises(strategy: str, source: Source) -> None:
    """As when an autoscaler is deleted and made anew by night: nobody remembers whose zero it was."""
    night = Schedule("night", "UTC", frozenset(), 22 * 60, 6 * 60, 0, None)
    start = 6 * 3600.0 - 100.0
    policy = spec(strategy, metric(source), bounds=Bounds(2, 10), schedules=(night,))
    one = Loop(policy, replicas=0, now=start, memory=Memory(start))
    decision = one.run(90, 0.0 if source is QUEUE else None)
    assert one.replicas == 0
    assert condition(decision, "ScaledToZero").status is True
    one.run(20, None)
    assert one.replicas == 2


@EVERY
def test_a_new_object_that_may_not_be_zero_respects_the_zero_it_has_found(strategy: str) -> None:
    one = Loop(spec(strategy, metric(QUEUE), bounds=Bounds(2, 10)), replicas=0)
    decision = one.run(100, 40.0)
    assert one.replicas == 0
    assert "ScaledToZero" not in {each.type for each in decision.conditions}


def test_hpa_knows_its_own_zero_from_a_persons() -> None:
    one = loop("HPA")
    one.run(100, 40.0)
    one.replicas = 0
    one.run(100, 400.0)
    assert one.replicas == 0


def test_hpa_wakes_what_it_may_have_scaled_down_before_it_began() -> None:
    one = loop("HPA")
    one.replicas = 0
    one.run(20, 40.0)
    assert one.replicas == 4


def test_the_status_says_whose_zero_it_was() -> None:
    one = loop("HPA")
    one.replicas, one.memory = 0, Memory(one.now, scaled_to_zero=False)
    one.run(20, 40.0)
    assert one.replicas == 0
    one.memory = Memory(one.now, scaled_to_zero=True)
    one.run(20, 40.0)
    assert one.replicas == 4


@pytest.mark.parametrize("silence", [0.0, 3600.0], ids=["a moment ago", "too long ago for the rest of its memory"])
def test_a_zero_that_the_last_owner_may_have_asked_for_unseen_is_not_taken_for_a_persons(silence: float) -> None:
    """It may have ended between its patch and its word of it."""
    one = loop("HPA")
    one.run(100, 40.0)
    one.memory = Memory.restore(one.memory.snapshot()).resume()
    one.replicas = 0
    one.now += silence
    one.run(20, 40.0)
    assert one.replicas == 4


def about_to_ask_for_zero() -> Loop:
    """A workload that has been idle for so long that the next decision is zero."""
    one = loop("HPA")
    one.memory.scaled_to_zero = False
    one.run(200, 40.0)
    one.follows = False
    while one.tick(0.0).desired:
        pass
    one.follows = True
    one.now += 2.0
    return one


def test_a_zero_whose_answer_was_lost_is_not_taken_for_a_persons() -> None:
    """What gave no answer, as a server that restarts, may have carried it out all the same."""
    one = about_to_ask_for_zero()
    assert one.decide(Outcome.FAILED).desired == 0
    one.replicas = 0
    decision = one.run(4, 0.0)
    assert condition(decision, "ScaledToZero").status is True
    one.run(20, 40.0)
    assert one.replicas == 4


def test_nor_if_a_patch_is_refused_before_the_count_is_known() -> None:
    """A dead watch still tells the old count; the second patch is then refused, since the first has been made."""
    one = about_to_ask_for_zero()
    one.decide(Outcome.FAILED)
    one.now += 2.0
    assert one.decide(Outcome.REFUSED).desired == 0
    one.replicas = 0
    one.run(20, 40.0)
    assert one.replicas == 4


def test_a_zero_that_somebody_else_asked_for_first_is_theirs() -> None:
    one = about_to_ask_for_zero()
    assert one.decide(Outcome.REFUSED).desired == 0
    one.replicas = 0
    one.run(20, 40.0)
    assert one.replicas == 0


def test_a_persons_zero_survives_a_handover() -> None:
    one = loop("HPA")
    one.run(100, 40.0)
    one.replicas = 0
    one.run(20, 40.0)
    one.memory = Memory.restore(one.memory.snapshot()).resume()
    one.run(20, 40.0)
    assert one.replicas == 0


@EVERY
def test_a_source_that_fails_at_zero_wakes_nothing_but_the_fallback_does(strategy: str) -> None:
    one = loop(strategy, fallback=Fallback(3, after=60.0))
    one.run(200, 40.0)
    one.run(400, 0.0)
    assert one.replicas == 0
    decision = one.run(40, None)
    assert one.replicas == 0
    assert condition(decision, "MetricsAvailable").status is False
    decision = one.run(200, None)
    assert one.replicas == 3
    assert stages(decision) is not None


@EVERY
def test_zero_is_no_failure(strategy: str) -> None:
    one = loop(strategy, PAGE, fallback=Fallback(3, after=60.0))
    one.replicas = 0
    one.run(600, None)
    assert one.replicas == 0
    one.replicas = 4
    # Somebody starts it again: what failed while there were no pods does not count.
    assert one.tick(None).desired == 4


@EVERY
def test_what_pods_tell_is_not_missing_while_there_are_to_be_none(strategy: str) -> None:
    asking = metric(QUEUE, activation=3.0), metric(PAGE, place=1)
    one = Loop(spec(strategy, *asking, bounds=FROM_ZERO, fallback=Fallback(3, after=60.0)), replicas=4)
    one.run(200, 40.0, 40.0)
    one.run(400, 0.0, 0.0)
    decision = one.run(400, 0.0, None)
    assert one.replicas == 0
    assert condition(decision, "MetricsAvailable").status is True
    decision = one.run(20, 40.0, None)
    assert one.replicas > 0
    assert condition(decision, "MetricsAvailable").status is False


@EVERY
def test_a_policy_of_shares_alone_lets_a_workload_wake(strategy: str) -> None:
    """400 % of no pods is none: nothing would ever wake it."""
    shares = ScalingRules(0.0, SelectPolicy.MAX, (Policy("Percent", 400, 15.0),))
    none = ScalingRules(0.0, SelectPolicy.DISABLED, ())
    one = loop(strategy, behavior=Behavior(shares, none))
    one.replicas = 0
    one.run(20, 40.0)
    assert one.replicas > 0
    one = loop(strategy, behavior=Behavior(none, none))
    one.replicas = 0
    one.run(20, 40.0)
    assert one.replicas == 0


@pytest.mark.parametrize(("outcome", "told"), [(Outcome.PATCHED, True), (Outcome.REFUSED, False)])
def test_a_zero_is_told_of_with_the_tick_that_made_it(outcome: Outcome, *, told: bool) -> None:
    one = loop("HPA")
    one.memory.scaled_to_zero = False
    one.run(200, 40.0)
    decision = one.tick(0.0)
    while decision.desired:
        decision = one.tick(0.0)
    assert condition(conditions.told(decision, Applied(outcome, 0)), "ScaledToZero").status is told
