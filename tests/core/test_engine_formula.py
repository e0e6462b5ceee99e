"""A formula over several metrics, in the engine: one number a round, missing where an input is."""

from dataclasses import replace
from typing import Any

import pytest

from podtide.api import explain
from podtide.core import engine
from podtide.core.memory import Memory
from podtide.core.model.decision import Decision
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.core.model.spec import Bounds, External, Formula, MetricSpec, Select, Source, TargetType, Threshold
from tests.core import ticks
from tests.core.ticks import PAGE, QUEUE, Loop


def loop(
    expression: str,
    *sources: Source,
    strategy: str = "KPA",
    target: float = 10.0,
    kind: TargetType = TargetType.AVERAGE_VALUE,
    intervals: tuple[float, ...] = (2.0, 2.0),
    **changes: Any,
) -> Loop:
    """A workload that scales on a formula over inputs a, b, …"""
    inputs = [
        replace(ticks.metric(source, place=place, interval=intervals[place]), is_input=True)
        for place, source in enumerate(sources or (PAGE, PAGE))
    ]
    names = tuple(("ab"[place], each.id) for place, each in enumerate(inputs) if "ab"[place] in expression)
    needs_pods = any(not isinstance(each.source, External) for each in inputs)
    formula = MetricSpec(
        id=f"{len(inputs)}:formula",
        source=Formula(expression, names, needs_pods),
        select=Select("formula"),
        threshold=Threshold(target, round(target * 1000), kind),
        interval=min(intervals[: len(inputs)]),
        activation=1.0,
    )
    return Loop(ticks.spec(strategy, *inputs, formula, **changes))


def formula_of(decision: Decision) -> float | None:
    """The formula's number of this tick."""
    return decision.signals[-1].total


@pytest.mark.parametrize("strategy", ["KPA", "HPA", "APA"])
def test_the_count_follows_the_formula(strategy: str) -> None:
    workload = loop("a + 2 * b", strategy=strategy)
    decision = workload.run(120, 40.0, 20.0)
    assert formula_of(decision) == pytest.approx(80.0)
    assert decision.desired == 8
    # The inputs, of which b alone would have asked for 2 and a for 4, ask for nothing.
    assert [proposal.metric for proposal in decision.proposals] == ["2:formula"]
    assert workload.run(400, 10.0, 10.0).desired == 3


@pytest.mark.parametrize("strategy", ["KPA", "HPA", "APA"])
def test_a_target_of_the_whole(strategy: str) -> None:
    """Twice the target with 4 pods asks for 8."""
    workload = loop("a / b", QUEUE, QUEUE, strategy=strategy, kind=TargetType.VALUE)
    workload.follows = False
    assert workload.run(120, 100.0, 5.0).desired == 8


def test_an_input_without_a_value_is_never_zero() -> None:
    workload = loop("a + b")
    workload.run(120, 40.0, 40.0)
    assert workload.replicas == 8
    decision = workload.run(600, 40.0, None)
    assert decision.desired == 8
    failure = decision.signals[-1].failure
    assert failure is not None
    assert (failure.reason, failure.detail) == (Reason.TIMEOUT, "b: no answer in 3 s")
    assert not ticks.condition(decision, "MetricsAvailable").status


def test_a_division_by_zero_is_missing() -> None:
    workload = loop("a / b", QUEUE, QUEUE)
    workload.run(120, 80.0, 1.0)
    assert workload.replicas == 8
    decision = workload.run(600, 80.0, 0.0)
    assert decision.desired == 8
    assert "comes to a division by zero with a = 80, b = 0" in str(decision.signals[-1].failure)


def test_halves_of_two_rounds_are_not_added() -> None:
    """Load moves from a to b: at no moment was it more than 80, and at none less."""
    workload = loop("a + b", QUEUE, QUEUE)
    workload.run(60, 80.0, 0.0)
    workload.now += 2.0
    engine.absorb(workload.memory, workload.spec, workload.read(0.0, place=0))
    assert formula_of(workload.decide()) == 80.0
    engine.absorb(workload.memory, workload.spec, workload.read(80.0, place=1, at=workload.now + 0.1))
    assert formula_of(workload.decide()) == 80.0
    assert workload.memory.metrics["2:formula"].asked == workload.now + 0.1


def test_a_slow_input_counts_with_its_newest_value() -> None:
    workload = loop("a + b", QUEUE, QUEUE, intervals=(2.0, 30.0))
    workload.tick(10.0, 30.0)
    for load in (20.0, 30.0, 40.0):
        assert formula_of(workload.tick(load)) == load + 30.0
    # Three of its intervals later it says nothing of now.
    decision = workload.run(92, 40.0)
    assert "b: the newest value is" in str(decision.signals[-1].failure)


def test_an_input_that_falls_silent_holds_nothing_up_for_good() -> None:
    """No reading at all, not even a failed one: the formula is missing, and says of which input."""
    workload = loop("a + b", QUEUE, QUEUE)
    workload.run(60, 40.0, 40.0)
    decision = workload.run(60, 40.0)
    assert "b: the newest value is" in str(decision.signals[-1].failure)
    assert decision.desired == 8


def test_few_pods_that_answer_for_one_input_shrink_nothing() -> None:
    workload = loop("a + b")
    workload.run(120, 40.0, 40.0)
    assert workload.replicas == 8
    for _ in range(100):
        workload.now += 2.0
        engine.absorb(workload.memory, workload.spec, workload.read(1.0, place=0))
        engine.absorb(workload.memory, workload.spec, workload.read(1.0, place=1, silent=6))
        decision = workload.decide()
    assert decision.signals[-1].coverage == 0.25
    assert decision.desired == 8
    assert ticks.condition(decision, "MetricsAvailable").reason == "PartialMetrics"


def test_a_formula_over_sources_without_pods_wakes_a_workload() -> None:
    workload = loop("a + b", QUEUE, QUEUE, bounds=Bounds(0, 10))
    workload.replicas = 0
    assert workload.run(20, 0.5, 0.5).desired == 0
    assert workload.run(20, 15.0, 10.0).desired == 3


def test_one_over_pods_cannot() -> None:
    workload = loop("a + b", QUEUE, PAGE, bounds=Bounds(0, 10))
    workload.replicas = 0
    decision = workload.run(20, 50.0, None)
    assert decision.desired == 0
    assert decision.reason == "ScalingDisabled"


def test_the_explanation_shows_the_inputs() -> None:
    workload = loop("(a + b) / 2")
    decision = workload.run(60, 40.0, 20.0)
    text = "\n".join(explain.lines(decision, spec=workload.spec))
    assert "formula    (a + b) / 2: a 40, b 20" in text
    decision = workload.run(20, 40.0, None)
    text = "\n".join(explain.lines(decision, spec=workload.spec))
    assert "formula    (a + b) / 2: a 40, b unknown" in text
    assert "[FailedComputeFormula]" in text


def test_a_restored_memory_goes_on() -> None:
    workload = loop("a + b")
    workload.run(60, 40.0, 40.0)
    workload.memory = Memory.restore(workload.memory.snapshot())
    assert workload.tick(40.0, 40.0).desired == 8


def test_an_input_of_one_formula_may_fail_for_one_pod() -> None:
    """The pods that answered stand for the others, as for any metric."""
    workload = loop("a + b")
    workload.now += 2.0
    engine.absorb(workload.memory, workload.spec, workload.read(40.0, place=0, silent=1))
    engine.absorb(workload.memory, workload.spec, workload.read(40.0, place=1))
    decision = workload.decide()
    assert formula_of(decision) == pytest.approx(80.0)
    assert decision.signals[-1].coverage == 0.75


def test_a_failed_source_as_a_whole_is_told_with_its_reason() -> None:
    workload = loop("a + b", QUEUE, QUEUE)
    workload.now += 2.0
    failure = Failure(Reason.API, "no adapter")
    engine.absorb(workload.memory, workload.spec, Reading("0:load", workload.now, failure=failure))
    engine.absorb(workload.memory, workload.spec, workload.read(1.0, place=1))
    assert str(workload.decide().signals[-1].failure) == "APIError: a: no adapter"
