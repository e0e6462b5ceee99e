from dataclasses import replace
from typing import Any

import pytest

from podtide.api import crd, schema_status, status
from podtide.api.errors import MISSING, Findings, Problem
from podtide.api.structure import check
from podtide.core.model.decision import Applied, Condition, Outcome, Proposal
from tests.api import decisions
from tests.api.decisions import NOW, PATCHED, STAMP, UNCHANGED, UP

SPEC = decisions.spec()
FALLBACK = Condition("Fallback", True, "MetricsUnavailable", "at least 3 replicas are kept")


def condition(found: dict[str, Any], kind: str) -> Any:
    (only,) = [item for item in found["conditions"] if item["type"] == kind]
    return only


def steady(at: float, previous: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return status.patch(decisions.steady(at, **changes), UNCHANGED, previous, SPEC, at)


def test_a_scaling_is_told_whole() -> None:
    found = status.patch(UP, PATCHED, {}, SPEC, NOW)
    assert found["reference"] == "Deployment/web"
    assert found["targets"] == "143.8/50"
    assert (found["desiredScale"], found["actualScale"], found["readyReplicas"]) == (8, 8, 4)
    assert (found["mode"], found["observedGeneration"], found["lastScaleTime"]) == ("Active", 3, STAMP)
    assert found["scalingHistory"] == [
        {
            "timestamp": STAMP,
            "previousScale": 4,
            "newScale": 8,
            "reason": "vllm:num_requests_waiting above target",
            "success": True,
        }
    ]
    assert found["metrics"] == [
        {"name": decisions.METRIC, "current": "143.8", "target": "50", "replicas": 12, "reason": "Panic"}
    ]
    assert [item["type"] for item in found["conditions"]] == [
        "Ready",
        "ValidSpec",
        "AbleToScale",
        "ScalingActive",
        "ScalingLimited",
    ]
    assert condition(found, "Ready") == {
        "type": "Ready",
        "status": "True",
        "reason": "Ready",
        "message": "scaling as the spec says",
        "lastTransitionTime": STAMP,
        "observedGeneration": 3,
    }
    assert "scheduledBounds" not in found


def test_what_is_written_is_what_the_schema_says() -> None:
    timed = decisions.spec(schedules=[{"name": "a", "startTime": "09:00", "endTime": "18:00", "minReplicas": 2}])
    failed = Applied(Outcome.FAILED, 4, "403")
    for found in (
        status.patch(replace(UP, schedule="a"), failed, {}, timed, NOW),
        status.patch(decisions.without_metrics(NOW), UNCHANGED, {}, SPEC, NOW),
        status.invalid([Problem("spec", MISSING, "is missing")], {}, 1, NOW),
    ):
        findings = Findings()
        check(found, schema_status.STATUS, "status", findings)
        assert (findings.problems, findings.warnings) == ([], [])


def test_transition_times_stay_while_the_status_stays() -> None:
    first = status.patch(UP, PATCHED, {}, SPEC, NOW)
    second = steady(NOW + 100, first)
    assert condition(second, "ScalingActive")["lastTransitionTime"] == STAMP
    third = status.patch(decisions.without_metrics(NOW + 200), UNCHANGED, second, SPEC, NOW + 200)
    assert condition(third, "ScalingActive") == {
        "type": "ScalingActive",
        "status": "False",
        "reason": "FailedGetPodsMetric",
        "message": "no pod answered",
        "lastTransitionTime": "2026-01-02T03:07:25Z",
        "observedGeneration": 3,
    }
    assert condition(third, "AbleToScale")["lastTransitionTime"] == STAMP


def test_what_a_tick_does_not_speak_of_stays() -> None:
    before = steady(NOW, {}, conditions=(*decisions.FINE, FALLBACK))
    gone = Condition("AbleToScale", False, "FailedGetScale", "not found")
    after = steady(NOW + 5, before, conditions=(gone,))
    assert condition(after, "ScalingActive") == condition(before, "ScalingActive")
    assert [item["type"] for item in after["conditions"]] == [item["type"] for item in before["conditions"]][:-1]


def test_a_short_gap_leaves_ready_alone_and_a_long_one_does_not() -> None:
    found = status.patch(UP, PATCHED, {}, SPEC, NOW)
    for seconds, expected in ((10, "True"), (60, "True"), (69, "True"), (70, "False"), (500, "False")):
        found = status.patch(decisions.without_metrics(NOW + seconds), UNCHANGED, found, SPEC, NOW + seconds)
        assert condition(found, "Ready")["status"] == expected, seconds
    assert condition(found, "Ready")["reason"] == "FailedGetPodsMetric"
    assert condition(steady(NOW + 600, found), "Ready")["status"] == "True"


def test_a_new_object_without_metrics_is_not_ready_yet() -> None:
    found = status.patch(decisions.without_metrics(NOW), UNCHANGED, {}, SPEC, NOW)
    assert condition(found, "Ready")["status"] == "Unknown"


def test_a_conflict_is_not_ready_at_once() -> None:
    conflict = Condition("MultiPodAutoscalerConflict", True, "Conflict", "HorizontalPodAutoscaler shop/web acts")
    found = status.patch(replace(UP, conditions=(*decisions.FINE, conflict)), UNCHANGED, {}, SPEC, NOW)
    assert (condition(found, "Ready")["status"], condition(found, "Ready")["reason"]) == ("False", "Conflict")


def test_a_workload_that_is_switched_off_is_ready() -> None:
    off = Condition("ScalingActive", False, "ScalingDisabled", "scaled to zero by hand")
    found: dict[str, Any] = {}
    for seconds in (0, 100):
        found = steady(NOW + seconds, found, conditions=(off,))
    assert condition(found, "Ready")["status"] == "True"


def test_history_holds_the_last_five() -> None:
    found: dict[str, Any] = {}
    for number in range(7):
        found = status.patch(replace(UP, current=number), PATCHED, found, SPEC, NOW + number)
    assert [entry["previousScale"] for entry in found["scalingHistory"]] == [2, 3, 4, 5, 6]


def test_a_failure_that_repeats_is_one_entry() -> None:
    found = status.patch(UP, PATCHED, {}, SPEC, NOW)
    for number in range(7):
        found = status.patch(UP, Applied(Outcome.FAILED, 4, f"timeout {number}"), found, SPEC, NOW + 1 + number)
    assert [entry["success"] for entry in found["scalingHistory"]] == [True, False]
    assert found["scalingHistory"][1]["error"] == "timeout 0"
    assert found["lastScaleTime"] == STAMP


def test_a_refused_patch_leaves_no_trace_in_the_history() -> None:
    found = status.patch(UP, Applied(Outcome.REFUSED, 4), {}, SPEC, NOW)
    assert "scalingHistory" not in found
    assert "lastScaleTime" not in found


def test_an_unreadable_target_keeps_the_known_counts() -> None:
    found = status.patch(UP, PATCHED, {}, SPEC, NOW)
    gone = Condition("AbleToScale", False, "FailedGetScale", "not found")
    found = steady(NOW + 5, found, current=0, desired=0, conditions=(gone,))
    assert (found["desiredScale"], found["actualScale"]) == (8, 8)


def test_scheduled_bounds() -> None:
    spec = decisions.spec(schedules=[{"name": "a", "startTime": "09:00", "endTime": "18:00", "minReplicas": 2}])
    found = status.patch(replace(UP, schedule="a"), PATCHED, {}, spec, NOW)
    bounds = {"effectiveMinReplicas": 1, "effectiveMaxReplicas": 10}
    assert found["scheduledBounds"] == bounds | {"activeSchedule": "a"}
    assert status.patch(UP, PATCHED, {}, spec, NOW)["scheduledBounds"] == bounds


@pytest.mark.parametrize(
    ("sources", "values", "expected"),
    [
        pytest.param([{"targetMetric": "a"}], [14.0], "14/20", id="plain"),
        pytest.param([{"targetMetric": "a"}], [None], "<unknown>/20", id="unknown"),
        pytest.param([{"targetMetric": "a"}], [], "<unknown>/20", id="no decision on metrics yet"),
        pytest.param(
            [{"metricSourceType": "resource", "targetMetric": "cpu", "targetType": "Utilization"}],
            [46.2],
            "46.2%/20%",
            id="per cent",
        ),
        pytest.param([{"metricSourceType": "resource", "targetMetric": "cpu"}], [0.0125], "12m/20m", id="millicores"),
        pytest.param(
            [{"metricSourceType": "resource", "targetMetric": "memory", "targetValue": "512Mi"}],
            [1.5 * 2**30],
            "1.5Gi/512Mi",
            id="memory",
        ),
        pytest.param(
            [{"targetMetric": name} for name in "abc"], [1.0, 2.5, 3.0], "1/20, 2.5/20 + 1 more...", id="many"
        ),
    ],
)
def test_targets(sources: list[dict[str, Any]], values: list[float | None], expected: str) -> None:
    spec = decisions.spec(
        metricsSources=[{"metricSourceType": "pod", "targetValue": "20", **source} for source in sources]
    )
    proposals = tuple(
        Proposal(metric.id, 1, "x", value=value, target=metric.threshold.value)
        for metric, value in zip(spec.metrics, values, strict=False)
    )
    assert status.patch(replace(UP, proposals=proposals), PATCHED, {}, spec, NOW)["targets"] == expected


def test_an_invalid_object_says_why_and_keeps_what_it_knew() -> None:
    before = status.patch(UP, PATCHED, {}, SPEC, NOW)
    problem = Problem("spec.maxReplicas", 0, "is too small; write at least 1")
    found = status.invalid([problem], before, 4, NOW + 60)
    assert condition(found, "ValidSpec")["status"] == "False"
    assert condition(found, "ValidSpec")["message"] == "spec.maxReplicas: 0 is too small; write at least 1"
    assert condition(found, "Ready")["status"] == "False"
    assert (found["desiredScale"], found["observedGeneration"]) == (8, 4)
    assert [item["type"] for item in found["conditions"]] == ["Ready", "ValidSpec"]
    assert "lastDecision" not in found
    assert status.changed(before, found)
    assert not status.changed(found, status.invalid([problem], found, 4, NOW + 900))


def test_warnings_are_told_in_the_condition() -> None:
    warnings = [Problem("spec.maxReplica", 3, "is not a field and is ignored")]
    found = status.patch(UP, PATCHED, {}, SPEC, NOW, warnings=warnings)
    assert condition(found, "ValidSpec") | {"lastTransitionTime": ""} == {
        "type": "ValidSpec",
        "status": "True",
        "reason": "ValidWithWarnings",
        "message": "spec.maxReplica: 3 is not a field and is ignored",
        "lastTransitionTime": "",
        "observedGeneration": 3,
    }


def test_a_tick_that_changes_nothing_is_no_change() -> None:
    first = steady(NOW, {})
    assert status.changed({}, first)
    assert not status.changed(first, steady(NOW + 2, first))
    assert not status.changed(first, steady(NOW + 3600, first))


def proposal(value: float | None, **changes: Any) -> dict[str, Any]:
    return {"proposals": (Proposal(decisions.METRIC, 8, "x", value=value, target=50.0, **changes),)}


@pytest.mark.parametrize(
    ("seconds", "changes", "expected"),
    [
        pytest.param(2, proposal(49.0), False, id="a value that moves a little"),
        pytest.param(30, proposal(49.0), True, id="a little, but long ago"),
        pytest.param(3600, proposal(48.9), False, id="the noise of a load at rest"),
        pytest.param(2, proposal(53.0), True, id="a tenth of the target"),
        pytest.param(2, proposal(None), True, id="a value that is lost"),
        pytest.param(2, proposal(48.0, panicking=True), True, id="panic"),
        pytest.param(2, {"desired": 9}, True, id="another count"),
        pytest.param(2, {"ready": 7}, True, id="a pod that is not ready"),
        pytest.param(2, {"reason": "ScaleDownStabilized"}, True, id="another reason"),
        pytest.param(2, {"conditions": (*decisions.FINE, FALLBACK)}, True, id="one more condition"),
        pytest.param(
            2,
            {"conditions": (*decisions.FINE[:2], replace(decisions.FINE[2], message="another message"))},
            True,
            id="another message",
        ),
    ],
)
def test_what_counts_as_a_change(seconds: float, changes: dict[str, Any], expected: bool) -> None:
    first = steady(NOW, {})
    assert status.changed(first, steady(NOW + seconds, first, **changes)) is expected


def test_a_message_that_only_counts_on_is_no_change() -> None:
    def held(seconds: float) -> dict[str, Any]:
        counting = Condition("AbleToScale", True, "ScaleDownStabilized", f"held for another {300 - seconds:.1f} s")
        return steady(NOW + seconds, {}, conditions=(counting,))

    first, second = held(0), held(2)
    for item in second["conditions"]:
        item["lastTransitionTime"] = STAMP
    assert not status.changed(first, second)


def test_the_columns_paths_are_filled() -> None:
    found = {"status": status.patch(UP, PATCHED, {}, SPEC, NOW)}
    (version,) = crd.manifest()["spec"]["versions"]
    for column in version["additionalPrinterColumns"]:
        if column["jsonPath"].startswith(".status."):
            assert found["status"][column["jsonPath"].removeprefix(".status.")] not in (None, ""), column
