from dataclasses import replace

from podtide.api import explain, figures, remedies, status
from podtide.core.model.decision import Applied, Outcome
from podtide.core.model.reading import Failure, Reason
from podtide.core.model.signal import Signal
from tests.api import decisions
from tests.api.decisions import NOW, PATCHED, UNCHANGED, UP

SPEC = decisions.spec()


def test_a_scaling_explained() -> None:
    assert explain.lines(UP, PATCHED, SPEC) == [
        "shop/web: 4 → 8 replicas, decided at 2026-01-02T03:04:05Z",
        "  Seen     4 of 4 pods ready, 1 starting; bounds 1 to 10",
        "  Asked    vllm:num_requests_waiting at 143.8, target 50, asks for 12, panicking [Panic]: panic since 3 s",
        "  Steps    kpa           4 → 12   Panic  load 575 over target 50",
        "           combine      12 → 12   ValidMetricFound  vllm:num_requests_waiting",
        "           rates        12 → 8    ScaleUpLimit  "
        "the desired replica count is increasing faster than the maximum scale rate",
        "  Result   8, set by rates [ScaleUpLimit]: vllm:num_requests_waiting above target",
        "  Done     the target was scaled",
    ]


def test_the_excess_burst_capacity_is_told_where_it_is_wanted() -> None:
    burst = replace(UP, proposals=(UP.proposals[0]._replace(excess_burst_capacity=-15.0),))
    told = ", asks for 12, panicking, excess burst capacity -15 [Panic]: panic since 3 s"
    assert [line for line in explain.lines(burst, PATCHED, SPEC) if line.endswith(told)]
    assert explain.from_status(status.patch(burst, PATCHED, {}, SPEC, NOW), "shop/web") == explain.lines(
        burst, PATCHED, SPEC
    )
    assert not status.changed({**status.patch(UP, PATCHED, {}, SPEC, NOW)}, status.patch(burst, PATCHED, {}, SPEC, NOW))


def test_what_is_missing_comes_with_the_remedy() -> None:
    found = explain.lines(decisions.without_metrics(NOW), UNCHANGED, SPEC)
    assert found[0] == "shop/web: 8 replicas, no change, decided at 2026-01-02T03:04:05Z"
    assert (
        "  Asked    vllm:num_requests_waiting at <unknown>, target 50, cannot say [FailedGetPodsMetric]: Timeout"
        in found
    )
    assert found[-2:] == [
        "  Missing  vllm:num_requests_waiting from 2 pods [Timeout]: no answer from 10.0.0.9:8000 in 3 s",
        "             → see whether the pod is overloaded and whether a NetworkPolicy lets the controller in; "
        "raise timeoutSeconds if the page is slow",
    ]


def test_a_source_that_failed_as_a_whole() -> None:
    signal = Signal(decisions.METRIC, None, failure=Failure(Reason.API, "503 from metrics.k8s.io"))
    found = explain.lines(decisions.steady(NOW, signals=(signal,)))
    assert "  Missing  vllm:num_requests_waiting [APIError]: 503 from metrics.k8s.io" in found


def test_the_status_explains_the_same_later() -> None:
    written = status.patch(UP, PATCHED, {}, SPEC, NOW)
    assert explain.from_status(written, "shop/web") == explain.lines(UP, PATCHED, SPEC)


def test_a_failure_to_scale_is_told() -> None:
    found = explain.lines(UP, Applied(Outcome.FAILED, 4, "403: may not patch deployments/scale"))
    assert found[-1] == "  Done     nothing; the API server did not take it: 403: may not patch deployments/scale"


def test_before_it_is_carried_out() -> None:
    assert explain.lines(UP)[-1] == "  Done     the target is to be scaled"


def test_conditions_that_are_not_as_usual_are_told() -> None:
    written = status.patch(decisions.without_metrics(NOW), UNCHANGED, {}, SPEC, NOW)
    assert explain.from_status(written)[-1] == (
        "  ScalingActive is False since 2026-01-02T03:04:05Z [FailedGetPodsMetric]: no pod answered"
    )


def test_no_decision_yet() -> None:
    assert explain.from_status({}) == ["No decision yet: see whether the controller runs and watches this namespace."]


def test_a_form_from_another_version_is_not_guessed_at() -> None:
    (line,) = explain.from_status({"lastDecision": {"version": 99, "steps": "?"}})
    assert line.startswith("The decision is written in form 99, and this podtide reads form 1")


def test_a_schedule_in_force_is_named() -> None:
    assert 'bounds 1 to 10 (schedule "night")' in explain.lines(replace(UP, schedule="night"))[1]


def test_there_is_a_remedy_for_every_failure() -> None:
    assert set(remedies.REMEDIES) == set(Reason)
    assert remedies.remedy("FromTheFuture") == ""


def test_figures_are_short() -> None:
    numbers = [0.0, 14.0, 0.4625, 117.53, 9999.0, 23_410.0, 2.5e6, 3e9, -0.25, 1e308]
    assert [figures.value(number) for number in numbers] == [
        "0", "14", "0.4625", "117.5", "9999", "23.41k", "2.5M", "3G", "-0.25", "1e+299G",
    ]  # fmt: skip
