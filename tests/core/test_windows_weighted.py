"""The weighted window over scraped values, the kinds' snapshots, and the maximum over a while."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtide.core.windows import spec
from podtide.core.windows.buckets import Gaps
from podtide.core.windows.ring import Ring
from podtide.core.windows.spec import WindowSpec
from podtide.core.windows.weighted import Weighted

eighths = st.integers(0, 4000).map(lambda n: n / 8)
records = st.lists(st.tuples(eighths, st.floats(-1e6, 1e6)), max_size=40)
modes = st.sampled_from(["zero", "skip"])


def filled(*records: tuple[float, float], window: float = 60.0, gaps: Gaps = "skip") -> Weighted:
    weighted = Weighted(window, gaps=gaps)
    for at, value in records:
        weighted.record(at, value)
    return weighted


@pytest.mark.parametrize(
    ("records", "now", "expected"),
    [
        pytest.param([], 0.0, None, id="nothing is nothing"),
        pytest.param([(0, 10)], 0.0, 10.0, id="one value is the average"),
        pytest.param([(0, 10), (2, 10), (30, 10)], 40.0, 10.0, id="a steady load, with holes"),
        pytest.param([(0, 10), (1, 20)], 1.0, (20 + 0.8 * 10) / 1.8, id="the newest counts most"),
        pytest.param([(0, 10), (1, 20)], 30.0, (20 + 0.8 * 10) / 1.8, id="silence decays nothing"),
        pytest.param([(0, 10)], 60.0, None, id="silence for a window is no data"),
        pytest.param([(0, 1.7e308), (1, 1.7e308)], 1.0, 1.7e308, id="the largest values"),
    ],
)
def test_average(records: list[tuple[float, float]], now: float, expected: float | None) -> None:
    assert filled(*records).average(now) == (expected if expected is None else pytest.approx(expected, rel=1e-12))


@settings(max_examples=300, deadline=None)
@given(before=records, after=records, gaps=modes)
def test_a_restored_window_answers_as_the_original(
    before: list[tuple[float, float]], after: list[tuple[float, float]], gaps: Gaps
) -> None:
    window = filled(*before, gaps=gaps)
    twin = Weighted.restore(json.loads(json.dumps(window.snapshot())))
    for at, value in after:
        window.record(at, value)
        twin.record(at, value)
        assert twin.average(at) == window.average(at)


@settings(max_examples=300, deadline=None)
@given(records=st.lists(st.tuples(eighths, st.floats()), max_size=40), gaps=modes, now=eighths)
def test_no_value_makes_it_crash_or_answer_what_is_no_number(
    records: list[tuple[float, float]], gaps: Gaps, now: float
) -> None:
    average = filled(*records, gaps=gaps).average(now)
    assert average is None or math.isfinite(average)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_window_of_each_kind_survives_as_its_kind(weighted: bool) -> None:
    wanted = WindowSpec("stable", 60.0, weighted=weighted)
    window = spec.build(wanted)
    window.record(0, 5)
    twin = spec.restore(json.loads(json.dumps(spec.snapshot(window))))
    assert type(twin) is type(window) is (Weighted if weighted else Ring)
    assert twin.average(0) == 5
    assert spec.fits(twin, wanted)
    assert not spec.fits(twin, WindowSpec("stable", 60.0, weighted=not weighted))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind 'cubic'"):
        spec.restore({"kind": "cubic"})
