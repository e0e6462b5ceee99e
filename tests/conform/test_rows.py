"""Rows of our own where the kept ones have none: random rows under upstream's rules found each of them."""

from typing import Any

import pytest

from podtide.core.algorithms.hpa.answer import Answer
from tests.conform import hpa_reconcile, hpa_replicas
from tests.conform.outcome import Outcome

MOST, LARGEST = 2**31 - 1, 2**63 - 1


def replicas(kind: str, **given: Any) -> Any:
    """What the core answers to a row of one value for the whole workload: the count and the reported usage."""
    row = {
        "id": "ours",
        "kind": kind,
        "current_replicas": 3,
        "status_replicas": 3,
        "target": {"average_value_milli" if "average" in kind else "value_milli": 3},
        "tolerance_up": 0.1,
        "tolerance_down": 0.1,
        "now_s": 1000,
        "cpu_initialization_period_s": 300,
        "initial_readiness_delay_s": 30,
        "pods": [{"name": "p0", "phase": "Running", "ready": True, "containers": []}],
        "metrics_error": None,
        **given,
    }
    row["pods"] = [
        dict.fromkeys(("ready_transition_s", "start_s"), 0) | {"deleting": False} | pod for pod in row["pods"]
    ]
    got = hpa_replicas.answer(row)
    assert isinstance(got, Answer)
    return got.replicas, got.usage


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        pytest.param("external_average_value", [-5, -1500], (MOST, LARGEST), id="the first sum below zero is the last"),
        pytest.param("external_average_value", [LARGEST, 1, -(2**62)], (MOST, LARGEST), id="so is an overflow"),
        pytest.param("external_value", [LARGEST, 1, -(2**62)], (MOST, LARGEST), id="the cap stands"),
        pytest.param("external_value", [2**62, -(2**62), 3], (3, 3), id="below the cap all are added up"),
    ],
)
def test_external_values_are_added_up_in_their_order(kind: str, values: list[int], expected: tuple[int, int]) -> None:
    assert replicas(kind, values_milli=values) == expected


def test_a_share_of_the_largest_value_is_only_unknown_where_it_may_be_a_saturated_sum() -> None:
    assert replicas("external_average_value", values_milli=[LARGEST]) == (MOST, LARGEST)
    assert replicas("object_average_value", value_milli=LARGEST) == (MOST, 3074457345618258432)
    assert replicas("object_average_value", value_milli=LARGEST, status_replicas=1) == (MOST, LARGEST)


def passes(*ticks: dict[str, Any], expected: list[int | None]) -> Outcome:
    """A reconcile row, of which only the counts written are compared."""
    row: dict[str, Any] = {
        "id": "ours",
        "hpa_spec": {"minReplicas": 0, "maxReplicas": 9, "metrics": [EXTERNAL]},
        "scale_to_zero_enabled": True,
        "tolerance": 0.1,
        "downscale_stabilization_s": 60,
        "cpu_initialization_period_s": 300,
        "initial_readiness_delay_s": 30,
        "ticks": [{"status_replicas": tick["spec_replicas"], "pods": [], **tick} for tick in ticks],
    }
    wanted = ("status_current_replicas", "status_desired_replicas", "last_scale_time_s", "error")
    row["expected"] = [
        dict.fromkeys(wanted) | {"scale_to": count, "events": [], "current_metrics": [], "conditions": {}}
        for count in expected
    ]
    return hpa_reconcile.run(row)


EXTERNAL = {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"averageValue": "10"}}}


def tick(at: float, current: int, milli: int | None, **more: Any) -> dict[str, Any]:
    data = {"error": "away"} if milli is None else {"values_milli": [milli]}
    return {"t": at, "spec_replicas": current, "metric_data": [data], **more}


def written(outcome: Outcome) -> dict[str, object]:
    """The counts written that are not the expected ones."""
    return {each.where: each.got for each in outcome.mismatches if each.where.endswith("scale_to")}


@pytest.mark.parametrize(
    "ticks",
    [
        pytest.param(
            (tick(0, 4, 40_000), tick(15, 4, None), tick(90, 4, None), tick(120, 4, 10_000)),
            id="after an outage as long as its window it shrinks at once",
        ),
        pytest.param(
            (tick(0, 4, 40_000), tick(4000, 4, 10_000)),
            id="a pause is no restart",
        ),
    ],
)
def test_what_podtide_adds_is_off_in_kubernetes_own_pass(ticks: tuple[dict[str, Any], ...]) -> None:
    assert written(passes(*ticks, expected=[None] * (len(ticks) - 1) + [1])) == {}


def test_a_zero_that_could_not_be_written_leaves_nothing_open() -> None:
    """To Podtide it may have been carried out all the same; upstream takes the zero that follows for a person's."""
    refused = tick(75, 1, 0, scale_update_error="conflict")
    ticks = (tick(0, 1, 0), refused, tick(200, 1, 0), tick(215, 0, 0))
    assert written(passes(*ticks, expected=[None, None, 0, None])) == {}
    switched_off = (tick(0, 1, 0), refused, tick(90, 0, 0), tick(105, 0, 50_000))
    assert written(passes(*switched_off, expected=[None, None, None, None])) == {}
