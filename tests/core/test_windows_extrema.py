"""The maximum over a while. Knative's own cases are in `kpa_delay_window`."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtide.core.windows.extrema import Maximum


def recorded(*records: tuple[float, int], window: float = 300.0) -> Maximum:
    maximum = Maximum(window)
    for at, value in records:
        maximum = maximum.record(at, value)
    return maximum


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param([], None, id="nothing yet"),
        pytest.param([(3, 9), (301.9, 1)], 9, id="within the window, counted in buckets of 2 s"),
        pytest.param([(3, 9), (302, 1)], 1, id="its last bucket is over"),
        pytest.param([(3, 9), (5, 4), (302, 1)], 4, id="the next highest takes over"),
        pytest.param([(3, 4), (3.5, 9), (3.9, 1)], 9, id="a bucket keeps its largest"),
        pytest.param([(7203, 9), (3603, 1)], 9, id="an hour back keeps the maximum"),
        pytest.param([(7203, 9), (3603, 1), (3901.9, 1)], 9, id="and its age"),
        pytest.param([(7203, 9), (3603, 1), (3903, 1)], 1, id="so that it ends when it would have"),
    ],
)
def test_maximum(records: list[tuple[float, int]], expected: int | None) -> None:
    assert recorded(*records).value == expected


def test_only_a_record_moves_the_window() -> None:
    maximum = recorded((0, 9), (2, 1))
    assert maximum.value == 9
    assert maximum.record(3600, 1).value == 1
    assert maximum.value == 9, "a value: recording gives another one"


def test_another_length_keeps_what_was_recorded() -> None:
    assert recorded((0, 9), (100, 1)).resized(60.0).record(102, 1).value == 1
    assert recorded((0, 9), (100, 1)).resized(600.0).record(500, 1).value == 9


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 8000).map(lambda n: n / 8), st.integers(0, 50)), max_size=60).map(sorted),
    st.sampled_from([1.0, 2.0, 3.0, 30.0, 300.0]),
)
def test_it_is_the_maximum_of_the_records_whose_bucket_is_held(records: list[tuple[float, int]], window: float) -> None:
    maximum = Maximum(window)
    for number, (at, value) in enumerate(records):
        maximum = maximum.record(at, value)
        oldest = at // 2 - maximum.capacity
        assert maximum.value == max(other for then, other in records[: number + 1] if then // 2 > oldest)
        assert msgspec.convert(msgspec.to_builtins(maximum), Maximum) == maximum
