"""Stabilisation: a change must have been asked for all through its window."""

import pytest

from podtide.core.limits import stabilise
from podtide.core.model.history import History, Recommendation

Recent = list[tuple[float, int]]


def history(recent: Recent) -> History:
    return History(Recommendation(at, replicas) for at, replicas in recent)


@pytest.mark.parametrize(
    ("recent", "expected"),
    [
        pytest.param([], 3, id="no history, follow the proposal"),
        pytest.param([(900, 8)], 8, id="a recent higher proposal holds the count"),
        pytest.param([(700, 8)], 8, id="the edge of the window counts"),
        pytest.param([(699.75, 8)], 3, id="too old to matter"),
        pytest.param([(900, 2)], 3, id="a lower one does not"),
        pytest.param([(900, 8), (990, 5)], 8, id="the highest of several"),
        pytest.param([(1500, 8)], 8, id="one from the future, when the clock went back"),
    ],
)
def test_without_behavior_the_highest_of_the_window_counts(recent: Recent, expected: int) -> None:
    got, note = stabilise.hold_peak(3, history(recent), window=300, now=1000)
    assert got == expected
    assert (note.reason if note else None) == ("ScaleDownStabilized" if expected != 3 else None)


@pytest.mark.parametrize(
    ("replicas", "recent", "expected", "reason"),
    [
        pytest.param(3, [], 3, None, id="shrinks without history"),
        pytest.param(3, [(800, 8)], 8, "ScaleDownStabilized", id="shrinks to the highest of the window"),
        pytest.param(3, [(800, 40)], 10, "ScaleDownStabilized", id="never grows by stabilising"),
        pytest.param(3, [(700, 8)], 3, None, id="the far edge is outside"),
        pytest.param(3, [(800, 8), (900, 4)], 8, "ScaleDownStabilized", id="the highest, not the latest"),
        pytest.param(20, [], 20, None, id="grows without history"),
        pytest.param(20, [(950, 12)], 12, "ScaleUpStabilized", id="grows to the lowest of its window"),
        pytest.param(20, [(950, 2)], 10, "ScaleUpStabilized", id="never shrinks by stabilising"),
        pytest.param(20, [(940, 12)], 20, None, id="the far edge of growing is outside"),
        pytest.param(10, [(950, 2), (950, 40)], 10, None, id="stays"),
    ],
)
def test_growing_and_shrinking_have_windows_of_their_own(
    replicas: int, recent: Recent, expected: int, reason: str | None
) -> None:
    got, note = stabilise.between(replicas, history(recent), current=10, up=60, down=300, now=1000)
    assert (got, note.reason if note else None) == (expected, reason)


def test_no_window_looks_back_on_nothing() -> None:
    recent = history([(1000, 90), (1000, 1)])
    assert stabilise.between(3, recent, current=10, up=0, down=0, now=1000) == (3, None)
