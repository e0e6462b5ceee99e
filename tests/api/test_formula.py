"""`spec.formula`, from the manifest to the metric or the problem."""

from typing import Any

import pytest

from podtide.api import decode
from podtide.core.model import spec
from tests.api import manifests

WAITING = {"name": "waiting", "metricSourceType": "pod", "port": "8000", "targetMetric": "num_requests_waiting"}
RUNNING = {"name": "running", "metricSourceType": "pod", "port": "8000", "targetMetric": "num_requests_running"}
QUEUE = {"name": "queue", "metricSourceType": "external", "targetMetric": "queue_length", "intervalSeconds": 5}
CPU = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "500m"}


def read(*sources: dict[str, Any], **formula: Any) -> decode.Decoded:
    return decode.autoscaler(manifests.manifest(metricsSources=list(sources), formula=formula))


def said(decoded: decode.Decoded) -> list[str]:
    return [str(problem) for problem in decoded.problems]


def test_a_formula_is_a_metric_of_its_own() -> None:
    decoded = read(WAITING, RUNNING, CPU, expression="(waiting + running) / 1", targetValue="20", activationValue="3")
    assert said(decoded) == []
    assert decoded.spec is not None
    waiting, running, cpu, formula = decoded.spec.metrics
    assert (waiting.is_input, running.is_input, cpu.is_input, formula.is_input) == (True, True, False, False)
    assert formula.id == "formula"
    assert formula.source == spec.Formula(
        "(waiting + running) / 1",
        (("waiting", "num_requests_waiting"), ("running", "num_requests_running")),
        needs_pods=True,
    )
    assert formula.threshold == spec.Threshold(20.0, 20_000, spec.TargetType.AVERAGE_VALUE)
    assert (formula.activation, formula.interval) == (3.0, 2.0)
    assert cpu.threshold.value == 0.5


def test_a_formula_over_sources_without_pods_needs_none() -> None:
    decoded = read(QUEUE, expression="ceil(queue / 3)", targetValue=7, targetType="Value")
    assert decoded.spec is not None
    source = decoded.spec.metrics[-1].source
    assert isinstance(source, spec.Formula)
    assert not source.needs_pods
    assert decoded.spec.metrics[-1].threshold.kind is spec.TargetType.VALUE
    assert decoded.spec.metrics[-1].interval == 5.0


@pytest.mark.parametrize(
    ("sources", "formula", "problem"),
    [
        pytest.param(
            [WAITING],
            {"expression": "waiting +", "targetValue": "1"},
            'spec.formula.expression: "waiting +" ends where a number, a name or a parenthesis is expected; write for '
            'example "(waiting + running) / 2"',
            id="no formula",
        ),
        pytest.param(
            [WAITING, RUNNING],
            {"expression": "waiting + runing", "targetValue": "1"},
            'spec.formula.expression: "waiting + runing" uses the name "runing", which no source has; did you mean '
            "running?",
            id="a slip",
        ),
        pytest.param(
            [WAITING | {"targetValue": "5"}],
            {"expression": "waiting + cpu", "targetValue": "1"},
            'spec.formula.expression: "waiting + cpu" uses the name "cpu", which no source has; the sources\' names '
            "are waiting; write name: cpu on the source that is meant",
            id="a source without a name",
        ),
        pytest.param(
            [WAITING | {"targetValue": "5"}],
            {"expression": "1 + 1", "targetValue": "1"},
            'spec.formula.expression: "1 + 1" names no source, so it is always the same; use the name of at least one',
            id="no source",
        ),
        pytest.param(
            [WAITING, RUNNING | {"name": "waiting"}],
            {"expression": "waiting", "targetValue": "1"},
            'spec.metricsSources[1].name: "waiting" is the name of two sources; give each its own',
            id="one name for two",
        ),
        pytest.param(
            [WAITING | {"name": "max", "targetValue": "1"}, RUNNING],
            {"expression": "running", "targetValue": "1"},
            'spec.metricsSources[0].name: "max" is a function\'s name in a formula; choose another',
            id="a function's name",
        ),
        pytest.param(
            [WAITING | {"name": "wait-ing", "targetValue": "1"}, RUNNING],
            {"expression": "running", "targetValue": "1"},
            'spec.metricsSources[0].name: "wait-ing" is not a name; write letters, digits and underscores, for example '
            '"waiting"',
            id="no name",
        ),
        pytest.param(
            [WAITING],
            {"expression": "waiting", "targetValue": "0"},
            'spec.formula.targetValue: "0" is not greater than 0; write for example "50"',
            id="a target of nothing",
        ),
        pytest.param(
            [WAITING],
            {"expression": "waiting"},
            'spec.formula.targetValue: is missing; write for example "50"',
            id="no target",
        ),
        pytest.param(
            [WAITING],
            {"targetValue": "5"},
            'spec.formula.expression: is missing; write for example "(waiting + running) / 2"',
            id="no expression",
        ),
        pytest.param(
            [WAITING],
            {"expression": "waiting", "targetValue": "5", "activationValue": "some"},
            'spec.formula.activationValue: "some" is not a number; write for example "1"',
            id="no activation value",
        ),
        pytest.param(
            [WAITING, RUNNING],
            {"expression": "waiting", "targetValue": "5"},
            'spec.metricsSources[1].targetValue: is missing; write for example "50"',
            id="a source that it does not use needs a target",
        ),
    ],
)
def test_problems_of_formulas(sources: list[dict[str, Any]], formula: dict[str, Any], problem: str) -> None:
    decoded = read(*sources, **formula)
    assert decoded.spec is None
    assert problem in said(decoded)


def test_a_problem_of_an_input_is_told_once() -> None:
    decoded = read(WAITING | {"port": "99999"}, expression="waiting", targetValue="5")
    assert said(decoded) == ['spec.metricsSources[0].port: "99999" is not a port; write a number from 1 to 65535']


def test_a_broken_formula_is_one_problem() -> None:
    for expression in ("waiting +", "waiting + runing"):
        assert len(read(WAITING, RUNNING, expression=expression, targetValue="5").problems) == 1


def test_a_metric_that_is_called_formula_keeps_its_name() -> None:
    decoded = read(WAITING | {"targetMetric": "formula"}, expression="waiting", targetValue="5")
    assert decoded.spec is not None
    assert [metric.id for metric in decoded.spec.metrics] == ["formula", "spec.formula"]


def test_what_an_input_does_not_need_is_warned_of() -> None:
    decoded = read(WAITING | {"targetType": "Value"}, expression="waiting", targetValue="5")
    assert [str(warning) for warning in decoded.warnings] == [
        'spec.metricsSources[0].targetType: "Value" is not used of a source that the formula names'
    ]


def test_a_missing_target_is_told_once_per_source() -> None:
    decoded = decode.autoscaler(manifests.manifest(source={"targetValue": None}))
    assert said(decoded) == ['spec.metricsSources[0].targetValue: is missing; write for example "50"']
    decoded = decode.autoscaler(manifests.manifest(source={"targetValue": [5]}))
    assert len(decoded.problems) == 1


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        pytest.param({}, None, id="a quantile is of the whole"),
        pytest.param({"targetType": "Value"}, None, id="and may say so"),
        pytest.param(
            {"targetType": "AverageValue"},
            'spec.metricsSources[0].targetType: "AverageValue" does not go with a quantile; write Value or leave '
            "it out",
            id="it has no share per pod",
        ),
    ],
)
def test_the_target_of_a_quantile(more: dict[str, Any], problem: str | None) -> None:
    decoded = decode.autoscaler(manifests.manifest(source={"valueType": "quantile", "quantile": "0.95"} | more))
    assert said(decoded) == ([problem] if problem else [])
    if decoded.spec is not None:
        assert decoded.spec.metrics[0].threshold.kind is spec.TargetType.VALUE
