"""Rates: Kubernetes' policies, the arithmetic of doubles included, and saturation where it would wrap around."""

import pytest

from podtide.core.limits import rates
from podtide.core.limits.bounds import MOST
from podtide.core.model.history import History, Scaling
from podtide.core.model.spec import Bounds, Policy, ScalingRules, SelectPolicy

WIDE = Bounds(0, 100_000)


def rules(*policies: Policy, select: SelectPolicy = SelectPolicy.MAX) -> ScalingRules:
    return ScalingRules(window=0.0, select=select, policies=policies)


PODS = Policy("Pods", 4, 60)
PERCENT = Policy("Percent", 100, 60)


@pytest.mark.parametrize(
    ("policies", "select", "expected"),
    [
        pytest.param([PODS], SelectPolicy.MAX, 14, id="pods"),
        pytest.param([PERCENT], SelectPolicy.MAX, 20, id="percent"),
        pytest.param([PODS, PERCENT], SelectPolicy.MAX, 20, id="the largest change"),
        pytest.param([PODS, PERCENT], SelectPolicy.MIN, 14, id="the smallest change"),
        pytest.param([PODS, PERCENT], SelectPolicy.DISABLED, 10, id="none at all"),
        pytest.param([], SelectPolicy.MAX, 10, id="no policy permits nothing"),
        pytest.param([], SelectPolicy.MIN, MOST, id="no policy forbids nothing"),
        pytest.param([Policy("Pods", 2**31 - 1, 60)], SelectPolicy.MAX, MOST, id="saturates"),
        pytest.param([Policy("Percent", 2**31 - 1, 60)], SelectPolicy.MAX, 214_748_375, id="a very large share"),
    ],
)
def test_the_ceiling(policies: list[Policy], select: SelectPolicy, expected: int) -> None:
    assert rates.ceiling(rules(*policies, select=select), History(), current=10, now=1000) == expected


@pytest.mark.parametrize(
    ("policies", "select", "expected"),
    [
        pytest.param([PODS], SelectPolicy.MAX, 6, id="pods"),
        pytest.param([Policy("Percent", 10, 60)], SelectPolicy.MAX, 9, id="percent"),
        pytest.param([PODS, PERCENT], SelectPolicy.MAX, 0, id="the largest change"),
        pytest.param([PODS, PERCENT], SelectPolicy.MIN, 6, id="the smallest change"),
        pytest.param([PODS], SelectPolicy.DISABLED, 10, id="none at all"),
        pytest.param([], SelectPolicy.MAX, 10, id="no policy permits nothing"),
        pytest.param([], SelectPolicy.MIN, -MOST, id="no policy forbids nothing"),
    ],
)
def test_the_floor(policies: list[Policy], select: SelectPolicy, expected: int) -> None:
    assert rates.floor(rules(*policies, select=select), History(), current=10, now=1000) == expected


def test_percentages_are_computed_as_kubernetes_does() -> None:
    up, down = Policy("Percent", 10, 60), Policy("Percent", 90, 60)
    assert rates.ceiling(rules(up), History(), current=100, now=0) == 111
    assert rates.floor(rules(down), History(), current=100, now=0) == 9


def test_changes_of_both_directions_count_in_both_limits() -> None:
    history = History(grown=[Scaling(950, 3)], shrunk=[Scaling(960, 2)])
    assert rates.ceiling(rules(PODS), history, current=11, now=1000) == 11 - 3 + 2 + 4
    assert rates.floor(rules(PODS), history, current=11, now=1000) == 11 - 3 + 2 - 4


def test_the_start_of_the_period_is_outside() -> None:
    assert rates.ceiling(rules(PODS), History(grown=[Scaling(940, 4)]), current=14, now=1000) == 18
    assert rates.ceiling(rules(PODS), History(grown=[Scaling(940.25, 4)]), current=14, now=1000) == 14


def test_a_ceiling_is_never_below_the_current_count() -> None:
    history = History(grown=[Scaling(990, 9)])
    assert rates.ceiling(rules(PODS), history, current=10, now=1000) == 10


@pytest.mark.parametrize(
    ("wanted", "bounds", "expected", "reason"),
    [
        pytest.param(50, WIDE, 14, "ScaleUpLimit", id="up"),
        pytest.param(12, WIDE, 12, None, id="within the rate"),
        pytest.param(2, WIDE, 6, "ScaleDownLimit", id="down"),
        pytest.param(50, Bounds(0, 14), 50, None, id="a bound as near as the limit says so itself"),
        pytest.param(2, Bounds(6, 99), 2, None, id="a lower bound as near as the limit says so itself"),
        pytest.param(10, WIDE, 10, None, id="no change"),
    ],
)
def test_policies_pace_both_directions(wanted: int, bounds: Bounds, expected: int, reason: str | None) -> None:
    got, note = rates.policies(wanted, rules(PODS), rules(PODS), History(), current=10, bounds=bounds, now=1000)
    assert (got, note.reason if note else None) == (expected, reason)


@pytest.mark.parametrize(
    ("current", "wanted", "maximum", "expected"),
    [
        pytest.param(1, 50, 100, 4, id="four at least"),
        pytest.param(10, 50, 100, 20, id="twice the count"),
        pytest.param(10, 50, 20, 50, id="the maximum as near says so itself"),
        pytest.param(10, 1, 100, 1, id="shrinking is free"),
        pytest.param(2_000_000_000, 2**31 - 1, 2**31 - 1, 2**31 - 1, id="nothing wraps around"),
    ],
)
def test_without_behavior_the_count_at_most_doubles(current: int, wanted: int, maximum: int, expected: int) -> None:
    assert rates.doubling(wanted, current=current, bounds=Bounds(0, maximum))[0] == expected


def test_the_longest_period_decides_how_long_events_are_kept() -> None:
    assert rates.longest(rules(Policy("Pods", 1, 60), Policy("Pods", 1, 600))) == 600
    assert rates.longest(rules()) == 0
