"""The trail: every step's number and reason, from what the metrics asked for to what is done."""

import itertools

import pytest

from podtide.core.model.decision import Decision
from podtide.core.model.spec import Bounds, Cooldown
from tests.core.ticks import QUEUE, STRATEGIES, Loop, condition, metric, spec, stages

EVERY = pytest.mark.parametrize("strategy", sorted(STRATEGIES))
AROUND = ("combine", "fallback", "freshness", "starting", "stabilise", "rates", "bounds")


def around(decision: Decision) -> list[tuple[int | None, int | None]]:
    return [(note.before, note.after) for note in decision.trail if note.stage in AROUND]


@EVERY
def test_each_step_goes_on_with_the_number_of_the_one_before(strategy: str) -> None:
    loop = Loop(spec(strategy, bounds=Bounds(3, 9), cooldown=Cooldown(up=0.0, down=60.0)))
    for load in (40.0, 400.0, 400.0, 20.0, None, 20.0, 90.0):
        for _ in range(20):
            decision = loop.tick(load)
            steps = around(decision)
            for (_, after), (before, _) in itertools.pairwise(steps):
                assert before == after
            if steps and steps[-1][1] is not None:
                assert steps[-1][1] == decision.desired
            assert all(note.reason and note.stage for note in decision.trail)


@EVERY
def test_the_reason_is_the_last_step_that_changed_the_number(strategy: str) -> None:
    loop = Loop(spec(strategy, bounds=Bounds(3, 9)))
    loop.run(200, 40.0)
    decision = loop.run(100, 400.0)
    assert (decision.desired, decision.reason) == (9, "TooManyReplicas")
    assert decision.trail[-1].message == "the desired replica count is more than the maximum replica count"
    limited = condition(decision, "ScalingLimited")
    assert (limited.status, limited.reason) == (True, "TooManyReplicas")


def test_stabilising_is_told() -> None:
    loop = Loop(spec("HPA", cooldown=Cooldown(down=300.0)), replicas=8)
    loop.run(60, 80.0)
    decision = loop.tick(20.0)
    assert (decision.reason, condition(decision, "AbleToScale").reason) == ("ScaleDownStabilized",) * 2


def test_doubling_is_told() -> None:
    loop = Loop(spec("HPA"), follows=False)
    decision = loop.tick(400.0)
    assert (decision.desired, decision.reason, decision.message) == (8, "ScaleUpLimit", "0:load above target")


def test_the_metric_that_won_is_named() -> None:
    loop = Loop(spec("KPA", metric(), metric(QUEUE, place=1)))
    decision = loop.run(100, 20.0, 80.0)
    combined = next(note for note in decision.trail if note.stage == "combine")
    assert combined.message == "1:load"
    assert "1:load" in condition(decision, "ScalingActive").message


def test_a_metric_that_blocks_is_named() -> None:
    loop = Loop(spec("HPA", metric(), metric(QUEUE, place=1)))
    loop.tick(40.0, 40.0)
    decision = loop.tick(10.0, None)
    assert decision.reason == "FailedGetExternalMetric"
    assert decision.message == ("invalid metrics (1 invalid out of 2), first error is: no answer in 3 s")
    assert stages(decision)["combine"] == "MetricsMissing"
    available = condition(decision, "MetricsAvailable")
    assert (available.status, available.reason) == (False, "FailedGetExternalMetric")
    assert "Timeout: no answer in 3 s" in available.message


def test_stale_and_partial_metrics_are_told_apart() -> None:
    loop = Loop(spec("APA"))
    loop.run(100, 40.0)
    decision = loop.run(2, 40.0, silent=3)
    assert condition(decision, "MetricsAvailable").reason == "PartialMetrics"
    decision = loop.run(40, None)
    assert condition(decision, "MetricsAvailable").reason == "StaleMetrics"
    assert condition(decision, "ScalingActive").status is True
    decision = loop.run(60, None)
    assert condition(decision, "ScalingActive").status is False
