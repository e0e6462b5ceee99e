"""Freshness: what a shrink must rest on. Growing is never held."""

import math

import pytest

from podtide.core.limits import freshness
from podtide.core.limits.freshness import Evidence
from podtide.core.model.signal import Signal


def evidence(
    *, age: float = 0.0, coverage: float = 1.0, refilled: float = 0.0, interval: float = 2.0, is_windowed: bool = True
) -> Evidence:
    signal = Signal("0:load", 1000.0 - age, age=age, coverage=coverage, expected=10)
    return Evidence(signal, interval, refilled, is_windowed)


def hold(replicas: int, *found: Evidence) -> tuple[int, str | None]:
    got, note = freshness.hold(replicas, found, current=10, min_coverage=0.5, now=1000.0)
    return got, note.reason if note else None


@pytest.mark.parametrize(
    ("found", "expected", "reason"),
    [
        pytest.param(evidence(), 4, None, id="new, complete and full: free to shrink"),
        pytest.param(evidence(age=17.0), 4, None, id="as old as it may be"),
        pytest.param(evidence(age=17.1), 10, "StaleMetrics", id="too old"),
        pytest.param(evidence(age=45.0, interval=15.0), 4, None, id="a slow source may be older"),
        pytest.param(evidence(age=math.inf), 10, "StaleMetrics", id="never read"),
        pytest.param(evidence(age=-3600.0), 10, "StaleMetrics", id="from the future"),
        pytest.param(evidence(age=math.nan), 10, "StaleMetrics", id="of no age"),
        pytest.param(evidence(refilled=1000.1), 10, "RefillingWindows", id="windows not full yet"),
        pytest.param(evidence(refilled=1000.0), 4, None, id="windows just full"),
        pytest.param(evidence(coverage=0.4), 10, "PartialMetrics", id="too few pods"),
        pytest.param(evidence(coverage=0.5), 7, "MissingPodsAtTarget", id="half of the pods: the others keep theirs"),
        pytest.param(evidence(coverage=0.9), 5, "MissingPodsAtTarget", id="one of ten is silent"),
        pytest.param(evidence(coverage=0.2, is_windowed=False), 4, None, id="HPA guesses for silent pods itself"),
        pytest.param(evidence(age=60.0, is_windowed=False), 10, "StaleMetrics", id="but stale is stale"),
    ],
)
def test_a_shrink_needs_evidence(found: Evidence, expected: int, reason: str | None) -> None:
    assert hold(4, found) == (expected, reason)


def test_pods_that_hpa_sets_aside_while_they_start_count_at_the_target() -> None:
    aside = evidence(is_windowed=False)._replace(leaves_out_starting=True)
    got, note = freshness.hold(1, [aside], current=10, coming=7, min_coverage=0.5, now=1000.0)
    assert (got, note and note.reason) == (8, "MissingPodsAtTarget")


@pytest.mark.parametrize("replicas", [10, 11, 100])
def test_growing_and_staying_need_none(replicas: int) -> None:
    worst = evidence(age=math.inf, coverage=0.0, refilled=math.inf)
    assert hold(replicas, worst) == (replicas, None)


def test_every_metric_must_be_fresh() -> None:
    assert hold(4, evidence(), evidence(age=100.0)) == (10, "StaleMetrics")
    assert hold(4, evidence(), evidence(coverage=0.9)) == (5, "MissingPodsAtTarget")


def test_a_share_that_is_no_binary_number_asks_for_no_pod() -> None:
    signal = Signal("0:load", 0.0, coverage=2 / 3, expected=3)
    assert freshness.at_target(3, signal) == 3


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        pytest.param(Signal("0:load", 0.0, coverage=1.0, expected=4), 3 + 2, id="on their way, at the target"),
        pytest.param(Signal("0:load", 0.0, coverage=0.5, expected=4), 2 + 2 + 2, id="silent ones as well"),
        pytest.param(Signal("0:load", 0.0, coverage=1.0, total=30.0), 3, id="a value that no pod was asked for"),
    ],
)
def test_pods_on_their_way_count_at_the_target(signal: Signal, expected: int) -> None:
    assert freshness.at_target(3, signal, coming=2) == expected
