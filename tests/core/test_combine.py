"""Several metrics: the highest wins, and what is unknown never shrinks the workload."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtide.core.limits.combine import combine
from podtide.core.model.decision import Proposal


def proposals(*counts: int | None) -> list[Proposal]:
    return [Proposal(str(place), count, "ValidMetricFound") for place, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("counts", "current", "expected", "winner"),
    [
        pytest.param([3], 5, 3, "0", id="a single metric decides"),
        pytest.param([3, 7, 4], 5, 7, "1", id="the highest wins"),
        pytest.param([7, 7], 5, 7, "0", id="of equals the first is named"),
        pytest.param([0, 0], 5, 0, "1", id="of zeros the last, as upstream"),
        pytest.param([None, 7], 5, 7, "1", id="a failed metric lets the others grow"),
        pytest.param([None, 5], 5, 5, "1", id="and hold"),
        pytest.param([3, None], 5, None, "0", id="but not shrink"),
        pytest.param([None, None], 5, None, None, id="nobody knows"),
        pytest.param([], 5, None, None, id="nobody was asked"),
        pytest.param([-20, -4], 5, -4, "1", id="negative values are counts like others"),
    ],
)
def test_one_count_from_several_metrics(
    counts: list[int | None], current: int, expected: int | None, winner: str | None
) -> None:
    combined = combine(proposals(*counts), current)
    assert combined.replicas == expected
    assert (combined.winner.metric if combined.winner else None) == winner
    assert combined.is_blocked is (expected is None and winner is not None)
    assert [failed.metric for failed in combined.failed] == [str(n) for n, count in enumerate(counts) if count is None]


@given(st.lists(st.none() | st.integers(0, 50), max_size=6), st.integers(0, 50), st.integers(0, 5))
def test_losing_a_metric_never_lowers_the_count_in_force(counts: list[int | None], current: int, lost: int) -> None:
    def in_force(known: list[int | None]) -> int:
        replicas = combine(proposals(*known), current).replicas
        return current if replicas is None else replicas

    known = [None if place == lost else count for place, count in enumerate(counts)]
    assert in_force(known) >= min(in_force(counts), current)
