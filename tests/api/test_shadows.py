from dataclasses import replace
from typing import Any

import pytest

from podtide.api import decode, explain, summary
from podtide.core.model.decision import Outlook
from podtide.core.model.spec import Apa, Bounds, Forecast, Foreseen, Hpa, Mode
from podtide.telemetry.meters import Meters
from tests.api import decisions
from tests.sim import tapes

METRIC = decisions.UP.proposals[0].metric


def problems(**fields: Any) -> list[str]:
    return [str(problem) for problem in decode.autoscaler(tapes.manifest(**fields)).problems]


def test_a_forecast_with_its_defaults() -> None:
    assert tapes.spec(tapes.manifest(forecast={})).forecast == Forecast()
    assert tapes.spec(tapes.manifest()).forecast is None


def test_a_forecast_in_full() -> None:
    found = tapes.spec(
        tapes.manifest(
            forecast={
                "methods": ["Daily", "Trend", "Daily"],
                "windowSeconds": 600,
                "horizonSeconds": 120,
                "maxErrorPercent": 20,
                "coveragePercent": 90,
            }
        )
    ).forecast
    assert found == Forecast((Foreseen.DAILY, Foreseen.TREND), 600.0, 120.0, 0.2, 0.9)


def test_a_shadow_is_the_object_with_some_fields_replaced() -> None:
    made = tapes.spec(tapes.manifest(shadow={"scalingStrategy": "HPA", "maxReplicas": 40, "targetValues": ["0.5"]}))
    shadow = made.shadow
    assert shadow is not None
    assert isinstance(shadow.algorithm, Hpa)
    assert shadow.bounds == Bounds(1, 40)
    assert shadow.metrics[0].threshold.value == 0.5
    assert shadow.mode is Mode.DRY_RUN
    assert shadow.shadow is None
    # It reads what is read anyway: HPA alone would be content with every 15 seconds.
    assert [metric.interval for metric in shadow.metrics] == [metric.interval for metric in made.metrics]
    assert [metric.id for metric in shadow.metrics] == [metric.id for metric in made.metrics]
    assert made.metrics[0].threshold.value == 0.7


def test_a_shadow_takes_over_what_it_does_not_say() -> None:
    shadow = tapes.spec(tapes.manifest(shadow={"scalingStrategy": "APA"})).shadow
    assert shadow is not None
    assert isinstance(shadow.algorithm, Apa)
    assert shadow.algorithm.window == 60.0


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        pytest.param(
            {"shadow": {"targetValues": ["1", "2"]}},
            'spec.shadow.targetValues: ["1", "2"] has 2 values for 1 metricsSources',
            id="too many targets",
        ),
        pytest.param({"shadow": {"minReplicas": 30}}, "spec.shadow.minReplicas: 30 is greater than", id="bounds"),
        pytest.param({"shadow": {"scalingStrategy": "XPA"}}, 'spec.shadow.scalingStrategy: "XPA"', id="strategy"),
        pytest.param({"forecast": {"methods": ["Tarot"]}}, 'spec.forecast.methods[0]: "Tarot"', id="method"),
        pytest.param({"forecast": {"windowSeconds": 5}}, "spec.forecast.windowSeconds: 5", id="window"),
        pytest.param({"shadow": {"mode": "Active"}}, "spec.shadow.mode", id="a shadow cannot act"),
    ],
)
def test_what_is_wrong_is_said_once_and_in_its_place(fields: dict[str, Any], problem: str) -> None:
    decoded = decode.autoscaler(tapes.manifest(**fields))
    found = [str(each) for each in (*decoded.problems, *decoded.warnings)]
    assert sum(each.startswith(problem) for each in found) == 1, found


def test_what_is_wrong_with_the_object_is_not_said_again_for_its_shadow() -> None:
    assert len(problems(maxReplicas=0, shadow={"scalingStrategy": "HPA"})) == 1


def test_both_are_explained_and_exported() -> None:
    outlook = Outlook(
        METRIC, "TrendForecast", "40 in 92 s (30 to 50), errors of late 12%", 92.0, 40.0, 30.0, 50.0, 0.12, 9
    )
    other = replace(decisions.UP, desired=3, reason="PlainScaled", message="")
    decision = replace(decisions.UP, outlooks=(outlook,), shadow=other)
    told = summary.summarise(decision)
    assert told["forecast"] == [
        {
            "metric": METRIC,
            "reason": "TrendForecast",
            "message": "40 in 92 s (30 to 50), errors of late 12%",
            "replicas": 9,
            "errorPercent": 12,
        }
    ]
    assert told["shadow"]["desired"] == 3
    text = "\n".join(explain.lines(decision))
    assert "needs 9 [TrendForecast]: 40 in 92 s" in text
    assert f"  Shadow   would want 3, not {decision.desired} [PlainScaled]" in text
    meters = Meters()
    meters.decided(decision, decisions.PATCHED)
    labels = {"namespace": decision.key.namespace, "name": decision.key.name}

    def sample(name: str, **more: str) -> float | None:
        return meters.registry.get_sample_value(f"podtide_autoscaler_{name}", labels | more)

    assert sample("shadow_desired_replicas") == 3
    assert [sample(f"forecast_{name}", metric=METRIC) for name in ("load", "load_low", "load_high", "error_ratio")] == [
        40.0,
        30.0,
        50.0,
        0.12,
    ]
    silent = replace(outlook, load=None, low=None, high=None, error=None, replicas=None)
    meters.decided(replace(decision, outlooks=(silent,), shadow=None), decisions.PATCHED)
    assert sample("forecast_load", metric=METRIC) is None
    assert sample("shadow_desired_replicas") is None
    meters.decided(decision, decisions.PATCHED)
    assert sample("forecast_error_ratio", metric=METRIC) == 0.12
    meters.decided(decisions.UP, decisions.PATCHED)
    assert sample("forecast_error_ratio", metric=METRIC) is None
    assert sample("forecast_load", metric=METRIC) is None
    assert sample("metric_value", metric=METRIC) is not None
    meters.decided(decision, decisions.PATCHED)
    meters.forget(decision.key)
    assert sample("shadow_desired_replicas") is None
    assert sample("forecast_error_ratio", metric=METRIC) is None
