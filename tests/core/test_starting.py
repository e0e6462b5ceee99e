"""Starting pods are capacity on its way: the load they were asked for does not ask for more."""

import pytest

from podtide.core.limits import starting


@pytest.mark.parametrize(
    ("replicas", "coming", "expected"),
    [
        pytest.param(40, 0, 40, id="all are up"),
        pytest.param(40, 5, 10, id="half are on their way: twice the others is what there is"),
        pytest.param(40, 2, 16, id="twice those that are up"),
        pytest.param(12, 2, 12, id="below that"),
        pytest.param(10, 9, 10, id="staying is free"),
        pytest.param(3, 9, 3, id="so is shrinking"),
        pytest.param(40, 10, 10, id="none is up yet"),
    ],
)
def test_growth_waits_for_the_pods_on_their_way(replicas: int, coming: int, expected: int) -> None:
    got, note = starting.hold(replicas, current=10, coming=coming, rate=2.0)
    assert got == expected
    assert (note.reason if note else None) == ("PodsStarting" if expected != replicas else None)
