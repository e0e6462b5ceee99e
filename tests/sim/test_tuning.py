import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from podtide.api import decode
from podtide.sim import tuning
from podtide.sim.draws import generator
from podtide.sim.tuning import Trial
from tests.sim import tapes


@pytest.mark.parametrize(
    ("one", "other", "better"),
    [
        pytest.param((0.0, 5.0), (0.0, 6.0), True, id="fewer pod-hours within the bound"),
        pytest.param((0.009, 5.0), (0.0, 6.0), True, id="late ones do not count within the bound"),
        pytest.param((0.02, 5.0), (0.0, 6.0), False, id="the bound first"),
        pytest.param((0.02, 9.0), (0.03, 1.0), True, id="beyond it, fewer late ones"),
    ],
)
def test_which_trial_is_better(one: tuple[float, float], other: tuple[float, float], better: bool) -> None:
    assert Trial({}, *one).is_better(Trial({}, *other), allowed=0.01) is better


@pytest.mark.parametrize("strategy", ["KPA", "HPA", "APA"])
@pytest.mark.parametrize("end", [0, -1])
def test_every_value_of_every_knob_makes_a_valid_object(strategy: str, end: int) -> None:
    space = tuning.knobs(strategy, forecast=True)
    made = tuning.turned(tapes.manifest(scalingStrategy=strategy), {knob.name: knob.values[end] for knob in space})
    decoded = decode.autoscaler(made)
    assert decoded.problems == ()


def test_numbers_go_where_they_belong() -> None:
    before = tapes.manifest(behavior={"scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Max"}})
    picks = {
        "target": 1.5,
        "annotation:scale-down-cooldown-window": "2m",
        "observeWindowSeconds": 30,
        "forecast.coveragePercent": 80,
    }
    made = tuning.turned(before, picks)
    assert made["spec"]["metricsSources"][0]["targetValue"] == "1.05"
    assert made["metadata"]["annotations"] == {"autoscaling.aibrix.ai/scale-down-cooldown-window": "2m"}
    assert made["spec"]["behavior"] == {"scaleDown": {"selectPolicy": "Max"}}
    assert made["spec"]["observeWindowSeconds"] == 30
    assert made["spec"]["forecast"] == {"coveragePercent": 80}
    assert before == tapes.manifest(behavior={"scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Max"}})


def test_a_panic_window_fits_into_the_observe_window() -> None:
    made = tuning.turned(tapes.manifest(), {"observeWindowSeconds": 60, "panicWindowSeconds": 90})
    assert made["spec"]["panicWindowSeconds"] == 60


@pytest.mark.parametrize(
    ("text", "factor", "expected"),
    [
        pytest.param("500m", 1.5, "750m", id="its suffix stays"),
        pytest.param("1000", 1.5, "1500", id="a thousand is written out"),
        pytest.param("1000m", 1.0, "1000m", id="thousandths are"),
        pytest.param("1234567", 0.5, "617000", id="three digits are enough"),
        pytest.param("2e3", 0.9, "1800", id="an exponent is a number as well"),
        pytest.param("1E6", 0.5, "500000", id="written large too"),
        pytest.param("1E", 0.5, "0.5E", id="and is no suffix"),
        pytest.param("1.5Gi", 0.5, "0.75Gi", id="two to the thirtieth"),
        pytest.param("0.00004", 0.5, "0.00002", id="small"),
        pytest.param("1e999999999", 0.5, "4610000000000000000", id="more than Kubernetes counts"),
        pytest.param(40, 0.7, "28", id="without quotes"),
    ],
)
def test_a_target_stays_a_quantity(text: Any, factor: float, expected: str) -> None:
    source = {"metricSourceType": "custom", "targetMetric": "load", "targetValue": text}
    made = tuning.turned(tapes.manifest(metricsSources=[source]), {"target": factor})
    assert made["spec"]["metricsSources"][0]["targetValue"] == expected
    assert decode.autoscaler(made).problems == ()


def test_the_target_of_a_formula_is_turned_and_its_inputs_need_none() -> None:
    source = {"metricSourceType": "pod", "port": "8000", "name": "busy", "targetMetric": "busy"}
    before = tapes.manifest(metricsSources=[source], formula={"expression": "busy * 2", "targetValue": "8"})
    assert decode.autoscaler(before).problems == ()
    made = tuning.turned(before, {"target": 0.5})
    assert made["spec"]["formula"]["targetValue"] == "4"
    assert made["spec"]["metricsSources"] == [source]


def test_what_the_api_server_wrote_is_left_out() -> None:
    before = tapes.manifest(behavior=None)
    before["metadata"] |= {
        "resourceVersion": "7",
        "uid": "u",
        "generation": 3,
        "managedFields": [{}],
        "labels": {"a": "b"},
    }
    before["metadata"] |= {"creationTimestamp": None, "annotations": None}
    before["status"] = {"desiredScale": 3}
    made = tuning.turned(before, {"annotation:scale-down-cooldown-window": "2m"})
    assert made["metadata"] == {
        "name": "web",
        "namespace": "default",
        "labels": {"a": "b"},
        "annotations": {"autoscaling.aibrix.ai/scale-down-cooldown-window": "2m"},
    }
    assert "status" not in made
    before["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "a"}
    assert tuning.turned(before, {})["metadata"]["annotations"] == {"team": "a"}


def test_the_search_finds_the_best_and_begins_with_the_present() -> None:
    space = (tuning.Knob("a", tuple(range(10))), tuning.Knob("b", tuple(range(10))))
    seen: list[Mapping[str, Any]] = []

    def trial(picks: Mapping[str, Any]) -> Trial:
        seen.append(picks)
        a, b = picks.get("a", 0), picks.get("b", 0)
        return Trial(picks, 0.0 if a >= 3 else 1.0, 100.0 + (a - 3) ** 2 + (b - 7) ** 2)

    found = list(tuning.search(trial, space, generator(1), trials=80, allowed=0.01))
    assert seen[0] == {}
    assert len(seen) == 80
    assert len({frozenset(picks.items()) for picks in seen}) == 80
    assert found[-1].picks == {"a": 3, "b": 7}
    assert all(after.is_better(before, allowed=0.01) for before, after in itertools.pairwise(found))


@pytest.mark.parametrize(("violations", "rises"), [(0.0, True), (0.5, False)])
def test_near_the_best_the_target_goes_where_it_is_better(violations: float, rises: bool) -> None:
    seen: list[float] = []

    def trial(picks: Mapping[str, Any]) -> Trial:
        seen.append(picks.get(tuning.TARGET, 1.0))
        return Trial(picks, violations, 100.0 + len(seen))

    space = (tuning.Knob(tuning.TARGET, (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5)),)
    list(tuning.search(trial, space, generator(1), trials=6, allowed=0.01))
    near = seen[2:4]
    assert len(near) == 2
    assert all((target > 1.0) is rises for target in near)


def test_a_small_space_is_searched_once() -> None:
    def trial(picks: Mapping[str, Any]) -> Trial:
        return Trial(picks, 0.0, 1.0)

    assert len(list(tuning.search(trial, (tuning.Knob("a", (1,)),), generator(1), trials=9, allowed=0.0))) == 1
