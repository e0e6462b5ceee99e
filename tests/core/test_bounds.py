"""The bounds: always the last word, and the first one for a count that is outside them."""

import pytest

from podtide.core.limits import bounds as limits
from podtide.core.model.spec import Bounds


@pytest.mark.parametrize(
    ("replicas", "expected", "reason"),
    [
        pytest.param(5, 5, None, id="inside"),
        pytest.param(2, 2, None, id="the minimum itself"),
        pytest.param(10, 10, None, id="the maximum itself"),
        pytest.param(1, 2, "TooFewReplicas", id="below"),
        pytest.param(11, 10, "TooManyReplicas", id="above"),
        pytest.param(-5, 2, "TooFewReplicas", id="negative"),
        pytest.param(2**63, 10, "TooManyReplicas", id="beyond any integer of Kubernetes"),
    ],
)
def test_a_count_is_moved_to_the_nearest_bound(replicas: int, expected: int, reason: str | None) -> None:
    got, note = limits.clamp(replicas, Bounds(2, 10))
    assert (got, note.reason if note else None) == (expected, reason)
    if note is not None:
        assert (note.before, note.after) == (replicas, expected)


def test_a_minimum_above_the_maximum_ends_at_the_maximum() -> None:
    assert limits.clamp(5, Bounds(20, 10))[0] == 10


def test_no_bound_asks_for_more_than_kubernetes_can_store() -> None:
    assert limits.clamp(2**40, Bounds(0, 2**40))[0] == 2**31 - 1


def test_with_behavior_only_the_bound_ahead_counts() -> None:
    # Kubernetes leaves a count that stays outside the bounds, and checks only the minimum on the way down.
    assert limits.ahead(20, Bounds(2, 10), current=20) == (20, None)
    assert limits.ahead(15, Bounds(2, 10), current=20) == (15, None)
    assert limits.ahead(12, Bounds(2, 10), current=5)[0] == 10
    assert limits.ahead(1, Bounds(2, 10), current=5)[0] == 2


@pytest.mark.parametrize(
    ("current", "expected", "message"),
    [
        pytest.param(12, 10, "Current number of replicas above Spec.MaxReplicas", id="above"),
        pytest.param(1, 2, "Current number of replicas below Spec.MinReplicas", id="below"),
        pytest.param(7, 7, None, id="inside"),
    ],
)
def test_a_current_count_outside_goes_back_at_once(current: int, expected: int, message: str | None) -> None:
    got, note = limits.outside(current, Bounds(2, 10))
    assert (got, note.message if note else None) == (expected, message)
