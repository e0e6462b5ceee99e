"""Rates, increases and quantiles: equal to a real Prometheus server's, and safe where there is little to go by."""

import gzip
import itertools
import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtide.core import derive
from podtide.core.derive import Counters, growth, histogram
from podtide.core.model.reading import Failure, Reason, Sample
from podtide.core.model.spec import Aggregation, Gauge, Increase, Quantile, Rate

_FILE = Path(__file__).parent.parent / "data" / "promql" / "promql.json.gz"


@cache
def _recorded() -> dict[str, Any]:
    recorded = json.loads(gzip.decompress(_FILE.read_bytes()))
    assert isinstance(recorded, dict)
    return recorded


def _counters(pods: Mapping[str, Mapping[str, list[tuple[float, float]]]], window: float) -> Counters:
    """What a controller remembers that has read these points: pod → `le` (or "") → points."""
    counters = Counters(window)
    for pod, series in pods.items():
        for at in sorted({at for points in series.values() for at, _ in points}):
            samples = [
                Sample("x", {"le": bound} if bound else {}, value)
                for bound, points in series.items()
                for moment, value in points
                if moment == at
            ]
            counters.absorb({pod: samples}, at)
    return counters


def _is_lengthened(points: list[tuple[float, float]], start: float) -> bool:
    """Whether the server, older than 2.52, lets the limit at zero lengthen the bridge to the window's start.

    prometheus/prometheus#13725 mended that; the condition is the one described there.
    """
    inside = [point for point in points if point[0] > start]
    if len(inside) < 2:
        return False
    grown = sum(after - before if after >= before else after for (_, before), (_, after) in itertools.pairwise(inside))
    sampled = inside[-1][0] - inside[0][0]
    interval = sampled / (len(inside) - 1)
    to_zero = sampled * inside[0][1] / grown if grown else math.inf
    return inside[0][0] - start >= 1.1 * interval and interval / 2 < to_zero < 1.1 * interval


@pytest.mark.parametrize("query", ["rate", "increase"])
def test_rate_and_increase_equal_prometheus(query: str) -> None:
    recorded = _recorded()
    window, now = recorded["window"], recorded["now"]
    for name, points in recorded["counters"].items():
        counters = _counters({"pod": {"": points}}, window)

        result = counters.value(Rate() if query == "rate" else Increase(), now).per_pod.get("pod")

        answer = recorded[query].get(name)
        if answer is None:
            assert result is None or result == Failure(Reason.NO_HISTORY), name
        elif _is_lengthened(points, now - window):
            assert isinstance(result, float), name
            assert result < float(answer), name
        else:
            # The server counts whole milliseconds; a double of today's seconds is good to a quarter of a microsecond.
            assert result == pytest.approx(float(answer), rel=1e-7), name


@pytest.mark.parametrize("q", [0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0])
def test_a_quantile_over_pods_equals_prometheus(q: float) -> None:
    recorded = _recorded()
    now, window = recorded["now"], recorded["window"]
    compared = 0
    for name, pods in recorded["histograms"].items():
        if any(_is_lengthened(points, now - window) for pod in pods.values() for points in pod.values()):
            continue
        result = _counters(pods, window).value(Quantile(q), now).total

        answer = recorded["quantiles"][str(q)].get(name)
        if answer is None:
            assert result == Failure(Reason.NO_HISTORY), name
        elif answer == "NaN":
            assert result == Failure(Reason.NO_DATA), name
        else:
            assert result == pytest.approx(float(answer), rel=1e-7), name
            compared += 1
    assert compared >= 15


def test_the_recorded_answers_hold_every_kind_of_case() -> None:
    recorded = _recorded()
    start = recorded["now"] - recorded["window"]
    counted = [points for name, points in recorded["counters"].items() if name in recorded["rate"]]
    resets = [points for points in counted if any(b[1] < a[1] for a, b in itertools.pairwise(points))]

    assert len(counted) > 250
    assert len(resets) > 50
    assert 0 < sum(_is_lengthened(points, start) for points in counted) < 20
    assert len(counted) < len(recorded["counters"])
    assert {"NaN"} < set(recorded["quantiles"]["0.95"].values())


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([(50, 7)], None, id="one point"),
        pytest.param([(0, 0), (50, 5), (100, 10)], 10, id="the whole window is covered"),
        pytest.param([(0, 100), (50, 105), (100, 110)], 10, id="where it began does not matter"),
        pytest.param([(10, 100), (50, 104), (90, 108)], 10, id="short gaps at both ends are bridged"),
        pytest.param([(60, 100), (70, 101), (80, 102)], 3, id="long gaps are bridged by half an interval each"),
        pytest.param([(0, 8), (50, 10), (100, 3)], 5, id="a reset: what was counted since it counts"),
        pytest.param([(10, 1), (50, 41), (90, 81)], 91, id="never below zero at the start: 80 + 1 + 10"),
        pytest.param([(0, 5), (100, 5)], 0, id="no growth is zero, not missing"),
    ],
)
def test_growth(points: list[tuple[float, float]], expected: float | None) -> None:
    times, values = [at for at, _ in points], [value for _, value in points]

    assert growth.increase(times, values, start=0, end=100) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("q", "buckets", "expected"),
    [
        pytest.param(0.5, [(1, 10), (2, 20), (math.inf, 20)], 1.0, id="at a bound"),
        pytest.param(0.75, [(1, 10), (2, 20), (math.inf, 20)], 1.5, id="within a bucket, evenly"),
        pytest.param(0.25, [(1, 10), (math.inf, 20)], 0.5, id="the lowest bucket begins at zero"),
        pytest.param(0.1, [(-1, 10), (math.inf, 20)], -1, id="unless its bound is not above it"),
        pytest.param(0.99, [(1, 10), (2, 15), (math.inf, 20)], 2, id="beyond the last bound: that bound"),
        pytest.param(0.5, [(1, 5), (1, 5), (2, 20), (math.inf, 20)], 1.0, id="equal bounds are one bucket"),
        pytest.param(0.75, [(1, 10), (2, 8), (3, 20), (math.inf, 20)], 2.5, id="a count that falls is held"),
        pytest.param(0.5, [(1, 10), (2, 20)], math.nan, id="no bucket for +Inf"),
        pytest.param(0.5, [(math.inf, 20)], math.nan, id="one bucket"),
        pytest.param(0.5, [(1, 0), (math.inf, 0)], math.nan, id="no observations"),
        pytest.param(0.5, [], math.nan, id="no buckets"),
        pytest.param(1.5, [(1, 10), (math.inf, 20)], math.inf, id="more than all"),
        pytest.param(-1.0, [(1, 10), (math.inf, 20)], -math.inf, id="less than none"),
    ],
)
def test_quantile(q: float, buckets: list[tuple[float, float]], expected: float) -> None:
    assert histogram.quantile(q, buckets) == pytest.approx(expected, nan_ok=True)


@given(
    st.lists(
        st.tuples(st.floats(0.2, 40.0), st.none() | st.floats(0, 1e6) | st.sampled_from((0.0, math.nan))), max_size=40
    ),
    st.integers(1, 150),
)
def test_what_is_remembered_is_enough(steps: list[tuple[float, float | None]], window: int) -> None:
    counters, at = Counters(window), 0.0
    points: list[tuple[float, float]] = []
    for step, value in steps:
        at += step
        counters.absorb({"pod": [] if value is None else _samples(value)}, at)
        if value is not None and math.isfinite(value):
            points.append((at, value))
    inside = [(moment, value) for moment, value in points if at - window < moment]
    times, values = [moment for moment, _ in inside], [value for _, value in inside]
    expected = growth.increase(times, values, start=at - window, end=at)

    result = counters.value(Increase(), at).per_pod.get("pod", Failure(Reason.NO_HISTORY))

    assert result == (Failure(Reason.NO_HISTORY) if expected is None else pytest.approx(expected, abs=1e-6))
    assert Counters.restore(counters.snapshot()).value(Increase(), at) == counters.value(Increase(), at)


def _samples(value: float, **labels: str) -> list[Sample]:
    return [Sample("x", labels, value)]


def test_a_pod_without_two_readings_has_no_rate() -> None:
    counters = Counters(60)
    counters.absorb({"old": _samples(1.0), "new": []}, 0.0)
    counters.absorb({"old": _samples(61.0), "new": _samples(5.0)}, 60.0)

    result = counters.value(Rate(), 60.0, 120)

    assert isinstance(result.per_pod["old"], float)
    assert result.per_pod["new"] == Failure(Reason.NO_HISTORY)
    assert result.total is None


def test_readings_older_than_the_window_do_not_count() -> None:
    counters = Counters(60)
    for at in range(0, 1000, 10):
        counters.absorb({"pod": _samples(at if at < 900 else 900.0)}, float(at))

    assert counters.value(Increase(), 1000.0).per_pod["pod"] == 0.0
    assert counters.value(Increase(), 2000.0).per_pod["pod"] == Failure(Reason.NO_HISTORY)


def test_series_of_a_pod_are_aggregated() -> None:
    counters = Counters(100)
    for at in (0.0, 50.0, 100.0):
        counters.absorb({"pod": _samples(1e6 + at, model="a") + _samples(1e6 + 3 * at, model="b")}, at)

    def value(aggregation: Aggregation) -> object:
        return counters.value(Rate(), 100.0, 100.5, aggregation=aggregation).per_pod["pod"]

    assert value(Aggregation.SUM) == pytest.approx(4.0, rel=0.01)
    assert value(Aggregation.AVG) == pytest.approx(2.0, rel=0.01)
    assert value(Aggregation.MAX) == pytest.approx(3.0, rel=0.01)
    assert value(Aggregation.MIN) == pytest.approx(1.0, rel=0.01)


def test_a_value_that_is_no_number_is_a_missed_reading() -> None:
    with_gap, without = Counters(100), Counters(100)
    for at, value in ((10.0, 1.0), (40.0, math.nan), (50.0, math.inf), (90.0, 9.0)):
        with_gap.absorb({"pod": _samples(value)}, at)
        if math.isfinite(value):
            without.absorb({"pod": _samples(value)}, at)

    assert with_gap.value(Rate(), 100.0) == without.value(Rate(), 100.0)


def test_the_same_reading_twice_and_one_out_of_order_change_nothing() -> None:
    counters = Counters(100)
    for at, value in ((10.0, 1.0), (90.0, 9.0)):
        counters.absorb({"pod": _samples(value)}, at)
    before = counters.snapshot()

    counters.absorb({"pod": _samples(100.0)}, 90.0)
    counters.absorb({"pod": _samples(100.0)}, 50.0)

    assert counters.snapshot() == before


def test_pods_that_are_gone_are_forgotten() -> None:
    counters = Counters(100)
    counters.absorb({"a": _samples(1.0), "b": _samples(1.0)}, 0.0)

    counters.keep({"b", "c"})

    assert list(counters) == ["b"]


def test_a_snapshot_gives_the_same_answers_and_is_json() -> None:
    counters = _counters(_recorded()["histograms"]["5"], 180)
    counters.absorb({"late": _samples(1.0, le="+Inf", model='"ä"')}, _recorded()["now"])

    restored = Counters.restore(json.loads(json.dumps(counters.snapshot())))

    assert restored.snapshot() == counters.snapshot()
    assert restored.window == 180
    for what in (Rate(), Quantile(0.9)):
        assert restored.value(what, _recorded()["now"]) == counters.value(what, _recorded()["now"])


def test_a_snapshot_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="x has 1 values at 2 times"):
        Counters.restore({"window": 1, "pods": {"a": {"times": [1, 2], "series": [["x", {}, [1]]]}}})


def test_memory_is_bounded_however_often_is_scraped() -> None:
    counters = Counters(10)
    for index in range(30_000):
        counters.absorb({"pod": _samples(float(index), pod=str(index // 5000))}, index / 1000)

    saved = counters.snapshot()["pods"]["pod"]
    assert len(saved["times"]) < 1300
    assert len(saved["series"]) < 5
    assert counters.value(Rate(), 29.999, aggregation=Aggregation.MAX).per_pod["pod"] == pytest.approx(500, rel=0.02)


def test_a_window_may_change() -> None:
    counters = Counters(1000)
    for at in range(0, 1000, 10):
        counters.absorb({"pod": _samples(float(at))}, float(at))

    counters.resize(100)

    assert counters.window == 100
    assert counters.value(Increase(), 990.0).per_pod["pod"] == pytest.approx(100)


def test_a_quantile_asks_for_buckets() -> None:
    assert derive.candidates("time_to_first_token_seconds", Quantile(0.9)) == (
        "time_to_first_token_seconds_bucket",
        "vllm:time_to_first_token_seconds_bucket",
    )
    assert derive.candidates("x_bucket", Quantile(0.9)) == ("x_bucket",)
    assert derive.candidates("x", Rate()) == ("x",)
    assert derive.is_derived(Rate())
    assert not derive.is_derived(Gauge())


def test_series_without_a_bound_are_left_out_of_a_quantile() -> None:
    counters = Counters(100)
    for at, seen in ((10.0, 0.0), (90.0, 8.0)):
        series = _samples(seen, le="1") + _samples(seen, le="+Inf") + _samples(9.0, le="low") + _samples(seen)
        counters.absorb({"pod": series}, at)

    assert counters.value(Quantile(0.5), 100.0).total == 0.5
    assert counters.value(Quantile(7.0), 100.0).total == Failure(Reason.NOT_A_NUMBER)


def test_a_gauge_has_no_past() -> None:
    with pytest.raises(ValueError, match="Gauge"):
        Counters(1).value(Gauge(), 0.0)


def _many(count: int, start: int = 0, *, value: float = 1.0) -> list[Sample]:
    return [Sample("x", {"id": str(start + at)}, value) for at in range(count)]


def _remembered(counters: Counters) -> int:
    return sum(len(pod["series"]) for pod in counters.snapshot()["pods"].values())


def test_series_that_are_others_on_every_page_are_not_remembered_without_end() -> None:
    counters = Counters(180)
    refused = []
    for page in range(6):
        refused.append(counters.absorb({"pod": _many(5_000, page * 5_000)}, page * 5.0))
        assert _remembered(counters) <= 20_000

    assert [page for page, failures in enumerate(refused) if failures] == [4]
    assert refused[4]["pod"].reason is Reason.TOO_LARGE
    assert "more than 20000 series" in refused[4]["pod"].detail


def test_series_that_are_gone_for_as_long_as_the_window_make_room() -> None:
    counters = Counters(30)
    for page in range(6):
        assert not counters.absorb({"pod": _many(6_000, page * 6_000)}, page * 10.0)


def test_a_pod_with_more_than_its_share_of_series_has_no_number_and_costs_the_others_nothing() -> None:
    counters = Counters(60)
    for at in (0.0, 30.0, 60.0):
        few = {f"pod-{number}": _samples(1e6 + at) for number in range(19)}
        assert not counters.absorb({**few, "most": _many(5_000, value=at)}, at)
    refused = counters.absorb({**few, "most": _many(5_001)}, 90.0)

    assert refused.keys() == {"most"}
    rates = counters.value(Rate(), 90.0).per_pod
    assert rates["most"] == Failure(Reason.NO_HISTORY)
    assert isinstance(rates["pod-0"], float)


@pytest.mark.parametrize(
    "labels", [{"a": "x" * 500_000}, {f"a{at}": "" for at in range(20_000)}], ids=["a long value", "many labels"]
)
def test_a_series_with_much_text_counts_as_many(labels: dict[str, str]) -> None:
    counters = Counters(60)
    series = [Sample("x", {**labels, "id": str(at)}, 1.0) for at in range(21)]

    assert not counters.absorb({"pod": series[:15]}, 0.0)
    assert counters.absorb({"pod": series}, 10.0).keys() == {"pod"}
    assert not _remembered(counters)


@given(st.lists(st.sampled_from((0.0, 1.0, 5.0)), max_size=60))
def test_a_counter_may_be_reset_by_every_reading(values: list[float]) -> None:
    counters = Counters(30)
    for at, value in enumerate(values):
        counters.absorb({"pod": _samples(value)}, float(at))
    now = float(len(values) - 1)
    inside = [(float(at), value) for at, value in enumerate(values) if now - 30 < at]
    expected = growth.increase([at for at, _ in inside], [value for _, value in inside], start=now - 30, end=now)

    result = counters.value(Increase(), now).per_pod.get("pod", Failure(Reason.NO_HISTORY))

    assert result == (Failure(Reason.NO_HISTORY) if expected is None else pytest.approx(expected))
