"""The linear window: what a scraped metric's average is, and what it never is."""

import json
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtide.core.windows import exact
from podtide.core.windows.buckets import Gaps
from podtide.core.windows.ring import Ring

HOSTILE = [math.nan, math.inf, -math.inf, 1e308, -1e308, 1.7976931348623157e308, 5e-324, -5e-324, 0.0, -0.0]


def filled(*records: tuple[float, float], window: float = 60.0, gaps: Gaps = "skip") -> Ring:
    ring = Ring(window, gaps=gaps)
    for at, value in records:
        ring.record(at, value)
    return ring


@pytest.mark.parametrize(
    ("records", "now", "expected"),
    [
        pytest.param([], 100.0, None, id="nothing recorded is nothing, not zero"),
        pytest.param([(0, 10), (2, 20), (4, 30)], 4.0, 20.0, id="the holes between scrapes say nothing"),
        pytest.param([(0, 10), (15, 20), (45, 30)], 50.0, 20.0, id="a lost scrape says nothing"),
        pytest.param([(0, 10), (0.25, 20), (0.75, 30), (1, 4)], 1.0, 12.0, id="values of one bucket become their mean"),
        pytest.param([(0, 10), (30, 40)], 59.9, 25.0, id="all of the window counts"),
        pytest.param([(0, 10), (30, 40)], 60.0, 40.0, id="what is a window old does not"),
        pytest.param([(0, 10), (30, 40)], 90.0, None, id="silence for a window is no data"),
        pytest.param([(0, 10), (30, 40)], 3690.0, None, id="an hour forward is no data"),
        pytest.param([(3600, 10), (3630, 40)], 0.0, 25.0, id="an hour back, what is held still counts"),
        pytest.param([(10, 10), (8, 40)], 10.0, 25.0, id="a reading that comes late takes its place"),
        pytest.param([(0, 0.1), (1, 0.2), (2, 0.3)], 2.0, 0.2, id="six decimals"),
        pytest.param([(0, 0.0), (1, 0.0)], 1.0, 0.0, id="a measured zero is zero"),
        pytest.param([(0, -4), (1, -2)], 1.0, -3.0, id="negative loads"),
    ],
)
def test_average(records: list[tuple[float, float]], now: float, expected: float | None) -> None:
    assert filled(*records).average(now) == expected
    assert filled(*records).is_empty(now) is (expected is None)


def test_a_clock_that_went_back_keeps_the_ages_of_what_is_held() -> None:
    ring = filled((7200, 10), (7230, 10))
    ring.record(3600, 10)
    assert ring.average(3600) == 10
    assert ring.since(3600) == 3570
    ring.record(3650, 40)
    assert ring.average(3650) == 25, "the oldest is gone; the two at 3600 share a bucket"


def test_an_hour_forward_forgets_and_begins_with_the_next_value() -> None:
    ring = filled((0, 10), (30, 40))
    ring.record(3630, 7)
    assert ring.average(3630) == 7
    assert ring.since(3630) == 3630


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_no_measurement(value: float) -> None:
    assert filled((0, value)).is_empty(0)
    assert filled((0, 5), (0, value), (1, value)).average(1) == 5


def test_what_has_left_leaves_no_residue() -> None:
    """A running float sum would answer 0 or 2 here: 1.0 is lost beside 1e17."""
    ring = filled((0, 1e17), (30, 1.0))
    assert ring.average(60) == 1.0
    ring.record(60, 0.0)
    assert ring.average(60) == 0.5


def test_the_sum_of_the_largest_values_is_no_infinity() -> None:
    assert filled((0, 1.7e308), (1, 1.7e308)).average(1) == 1.7e308
    assert filled((0, 1.7e308), (0, 1.7e308), (1, 0.0)).average(1) == pytest.approx(1.7976931348623157e308 / 4)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        pytest.param(60.0, 25.0, id="the same"),
        pytest.param(120.0, 25.0, id="growing keeps all"),
        pytest.param(10.0, 40.0, id="shrinking keeps the newest"),
    ],
)
def test_resize(window: float, expected: float) -> None:
    ring = filled((0, 10), (30, 40))
    ring.resize(window, 30)
    assert ring.window == window
    assert ring.average(30) == expected


def test_a_resize_after_a_long_silence_clears() -> None:
    ring = filled((0, 10))
    ring.resize(600, 100)
    assert ring.is_empty(100)
    ring.record(101, 5)
    assert ring.average(101) == 5


def test_a_resize_during_a_silence_leaves_knative_no_first_record_until_a_bucket_is_opened() -> None:
    """A further value of the newest bucket opens none, so the whole window is divided by."""
    ring = filled((100, 6), window=10, gaps="zero")
    ring.resize(20, 111)
    ring.record(100.5, 4)
    assert ring.average(100) == 4 / 20
    assert Ring.restore(ring.snapshot()).average(110) == 4 / 10
    ring.record(101, 4)
    assert ring.average(101) == 8


def test_knative_rounds_where_there_are_no_decimals_as_well() -> None:
    """Times a million and back moves the last bit. Ours stays: a load that is just its target asks for no pod more."""
    value = 111111111111111.17
    assert filled((0, value), gaps="zero").average(0) == 111111111111111.16
    assert filled((0, value)).average(0) == value
    assert filled((0, 1e305), gaps="zero").average(0) == 1e305


@pytest.mark.parametrize(
    ("window", "granularity"), [(0.0, 1.0), (-1.0, 1.0), (60.0, 0.0), (math.inf, 1.0), (math.nan, 1.0)]
)
def test_a_window_without_sense_is_refused(window: float, granularity: float) -> None:
    with pytest.raises(ValueError, match="must be above zero and finite"):
        Ring(window, granularity)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(0.0078125, 0.007813, id="halves go away from zero, not to even"),
        pytest.param(-0.0078125, -0.007813, id="below zero as well"),
        pytest.param(4.99999e-07, 0.0, id="just below a half"),
        pytest.param(3e-07, 0.0, id="a residue asks for no pod"),
        pytest.param(1e300, 1e300, id="beyond the decimals"),
    ],
)
def test_rounding(value: float, expected: float) -> None:
    assert exact.rounded(value) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_steps_are_exact(value: float) -> None:
    assert Fraction(exact.steps(value), 2**1074) == Fraction(value)
    assert exact.mean(exact.steps(value), 1) == value


# --- properties ------------------------------------------------------------------------------------------------------

eighths = st.integers(0, 4000).map(lambda n: n / 8)
loads = st.floats(-1e6, 1e6)
records = st.lists(st.tuples(eighths, loads), max_size=60)
wild = st.one_of(st.sampled_from(HOSTILE), st.floats())
modes = st.sampled_from(["zero", "skip"])


def reference(kept: list[tuple[float, float]], window: float, now: float) -> float | None:
    """The mean of the means of the buckets within the window, in exact arithmetic."""
    buckets: dict[int, list[float]] = {}
    for at, value in kept:
        buckets.setdefault(math.floor(at), []).append(value)
    newest = max(math.floor(now), max(buckets, default=0))
    means = [Fraction(sum(values) / len(values)) for at, values in buckets.items() if at > newest - math.ceil(window)]
    return float(sum(means) / len(means)) if means else None


@settings(max_examples=600, deadline=None)
@given(records=records, window=st.sampled_from([1.0, 3.0, 10.0, 60.0, 180.0]), later=eighths)
def test_it_is_the_mean_of_the_buckets_that_hold_something(
    records: list[tuple[float, float]], window: float, later: float
) -> None:
    ring, kept = Ring(window), []
    for at, value in sorted(records, key=lambda record: record[0]):
        ring.record(at, value)
        kept.append((at, value))
        expected = reference(kept, window, at)
        assert expected is not None
        assert ring.average(at) == exact.rounded(expected)
    now = kept[-1][0] + later if kept else later
    expected = reference(kept, window, now)
    assert ring.average(now) == (None if expected is None else exact.rounded(expected))


@settings(max_examples=400, deadline=None)
@given(before=records, after=records, gaps=modes, resized=st.sampled_from([7.0, 60.0, 90.0]))
def test_a_restored_window_answers_as_the_original(
    before: list[tuple[float, float]], after: list[tuple[float, float]], gaps: Gaps, resized: float
) -> None:
    ring = Ring(60.0, gaps=gaps)
    for at, value in before:  # in any order: some come late, some jump ahead
        ring.record(at, value)
    twin = Ring.restore(json.loads(json.dumps(ring.snapshot())))
    for number, (at, value) in enumerate(after):
        assert twin.average(at) == ring.average(at)
        assert twin.is_empty(at) is ring.is_empty(at)
        for each in (ring, twin):
            each.record(at, value)
            if number == 3:
                each.resize(resized, at)
        assert twin.average(at) == ring.average(at)
        assert twin.snapshot() == ring.snapshot()


@settings(max_examples=400, deadline=None)
@given(records=st.lists(st.tuples(eighths, wild), max_size=40), gaps=modes, now=eighths)
def test_no_value_makes_it_crash_or_answer_what_is_no_number(
    records: list[tuple[float, float]], gaps: Gaps, now: float
) -> None:
    ring = filled(*records, gaps=gaps)
    average = ring.average(now)
    assert average is None or math.isfinite(average)
    assert Ring.restore(json.loads(json.dumps(ring.snapshot()))).average(now) == average


@settings(max_examples=400, deadline=None)
@given(records=records, more=st.lists(st.floats(0, 1e6), min_size=60, max_size=60), now=eighths)
def test_more_load_never_lowers_the_average(records: list[tuple[float, float]], more: list[float], now: float) -> None:
    """Domain: the same instants; any finite values; "skip" mode, whose sum is exact."""
    heavier = [(at, value + extra) for (at, value), extra in zip(records, more, strict=False)]
    light, heavy = filled(*records).average(now), filled(*heavier).average(now)
    assert (light is None) is (heavy is None)
    assert light is None or heavy is None or light <= heavy


@pytest.mark.parametrize(
    "damage",
    [
        {"v": 2},
        {"window": 0},
        {"window": "long"},
        {"gaps": "maybe"},
        {"buckets": [[60, 1.0, 1]]},
        {"buckets": [[0, 1.0, 0]]},
        {"buckets": [[0, math.inf, 1]]},
        {"buckets": [[0]]},
        {"last": "yesterday"},
    ],
)
def test_a_damaged_snapshot_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"snapshot|must be|convert|invalid|unpack"):
        Ring.restore({**filled((0, 1.0)).snapshot(), **damage})


def test_a_snapshot_without_a_field_is_refused() -> None:
    with pytest.raises(ValueError, match="damaged"):
        Ring.restore({"v": 1})
