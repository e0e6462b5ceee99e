"""Fallback: the least count while metrics stay away. It lifts, and never shrinks."""

import pytest

from podtide.core.limits import fallback
from podtide.core.model.spec import Fallback

RULE = Fallback(replicas=6, after=120.0)


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        pytest.param([], False, id="nothing fails"),
        pytest.param([900.0], False, id="not for long enough"),
        pytest.param([880.0], True, id="just long enough"),
        pytest.param([990.0, 100.0], True, id="one of several does"),
    ],
)
def test_when_it_is_due(failing: list[float], expected: bool) -> None:
    assert fallback.is_due(RULE, failing, now=1000.0) is expected


@pytest.mark.parametrize(
    ("replicas", "current", "expected"),
    [
        pytest.param(None, 3, 6, id="nothing is known: lifted"),
        pytest.param(None, 0, 6, id="from zero, too"),
        pytest.param(None, 9, None, id="a larger workload is held"),
        pytest.param(4, 3, 6, id="the other metrics ask for less"),
        pytest.param(8, 3, 8, id="the other metrics ask for more"),
    ],
)
def test_it_is_a_least_count(replicas: int | None, current: int, expected: int | None) -> None:
    assert fallback.lift(replicas, RULE, current=current)[0] == expected
