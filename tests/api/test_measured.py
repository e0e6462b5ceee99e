"""Answers of the metrics APIs: a part never passes for the whole, and what cannot be read is named."""

import pytest

from podtide.api import measured
from podtide.core.model.reading import Failure, Reason, Span

APP = ("app", {"cpu": "100m", "memory": "10Mi"})
SIDE = ("side", {"cpu": "1n"})
BARE = ("bare", {"memory": "1Mi"})


@pytest.mark.parametrize(
    ("containers", "container", "expected"),
    [
        pytest.param([APP, SIDE], None, 101, id="each container is rounded before adding"),
        pytest.param([APP, BARE], None, None, id="one without leaves the pod without"),
        pytest.param([], None, None, id="no containers, no value"),
        pytest.param([APP, BARE], "app", 100, id="the named one alone"),
        pytest.param([APP, BARE], "bare", None, id="the named one without"),
        pytest.param([APP], "nope", None, id="not there"),
    ],
)
def test_a_pods_usage(
    containers: list[tuple[str, dict[str, str]]], container: str | None, expected: int | None
) -> None:
    got = measured.usage([measured.PodUsage("a", 10.0, 30.0, containers)], "cpu", container)
    assert isinstance(got, measured.Measured)
    assert got.values == ({} if expected is None else {"a": expected})
    assert got.spans == ({} if expected is None else {"a": Span(10.0, 30.0)})
    assert got.failures == {}


def test_a_usage_that_is_no_quantity_costs_its_pod_only() -> None:
    items = [measured.PodUsage("a", 1.0, 1.0, [("app", {"cpu": "lots"})]), measured.PodUsage("b", 1.0, 1.0, [APP])]
    got = measured.usage(items, "cpu")
    assert isinstance(got, measured.Measured)
    assert got.values == {"b": 100}
    assert got.failures == {"a": Failure(Reason.PARSE)}
    assert '"lots" is not a quantity' in got.failures["a"].detail


def test_of_two_values_for_one_pod_the_later_counts_and_a_window_is_assumed() -> None:
    items = [measured.Value("1", "a", 1.0, 10.0), measured.Value("2500m", "a", 2.0), measured.Value("x", "b")]
    got = measured.of_pods(items)
    assert isinstance(got, measured.Measured)
    assert (got.values, got.spans) == ({"a": 2500}, {"a": Span(2.0, measured.DEFAULT_WINDOW)})
    assert got.failures == {"b": Failure(Reason.PARSE)}


def test_values_of_a_workload_keep_their_order_and_fail_together() -> None:
    assert measured.of_workload([measured.Value("1500u"), measured.Value("-2")]) == [2, -2000]
    assert measured.of_workload([measured.Value("1"), measured.Value("NaN")]) == Failure(Reason.PARSE)


@pytest.mark.parametrize(
    ("got", "words"),
    [
        pytest.param(measured.usage([], "cpu"), "resource metrics API", id="usage"),
        pytest.param(measured.of_pods([]), "custom metrics API", id="of pods"),
        pytest.param(measured.of_workload([]), "external metrics API", id="of the workload"),
    ],
)
def test_an_empty_answer_is_a_failure_not_zero(got: object, words: str) -> None:
    assert got == Failure(Reason.NO_DATA)
    assert isinstance(got, Failure)
    assert words in got.detail
