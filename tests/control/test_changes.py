import dataclasses
from typing import Any

import pytest

from podtide.control import changes
from podtide.core.engine import conditions
from podtide.core.model.decision import Action, Applied, Condition, Decision, Outcome, Proposal
from podtide.core.model.spec import Bounds, Key

WELL = Condition("ScalingActive", True, "ValidMetricFound", "found")
ILL = Condition("ScalingActive", False, "FailedGetPodsMetric", "no pod answered")
OFF = Condition("ScalingActive", False, "ScalingDisabled", "replicas are 0")
RIVAL = Condition("MultiPodAutoscalerConflict", True, "Conflict", "HorizontalPodAutoscaler shop/web is older")
UNCHANGED = Applied(Outcome.UNCHANGED, 3)


def decision(*conditions: Condition, desired: int = 3, reason: str = "Stable") -> Decision:
    return Decision(
        key=Key("shop", "web"),
        at=10.0,
        version="7",
        current=3,
        desired=desired,
        action=Action.KEEP,
        reason=reason,
        message="because",
        bounds=Bounds(1, 9),
        conditions=conditions,
    )


def after(*conditions: Condition, applied: Applied = UNCHANGED) -> changes.Told:
    return changes.told(decision(*conditions), applied)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param(after(WELL), WELL, [], id="well as before"),
        pytest.param(after(WELL), ILL, [("Warning", "FailedGetPodsMetric")], id="turned ill"),
        pytest.param(after(ILL), ILL, [], id="ill as before"),
        pytest.param(changes.Told(), ILL, [("Warning", "FailedGetPodsMetric")], id="ill from the start"),
        pytest.param(changes.Told(), WELL, [], id="well from the start is no news"),
        pytest.param(after(ILL), WELL, [("Normal", "ValidMetricFound")], id="recovered"),
        pytest.param(after(WELL), OFF, [], id="switched off by a person"),
        pytest.param(after(), RIVAL, [("Warning", "Conflict")], id="a rival came"),
        pytest.param(
            after(ILL),
            dataclasses.replace(ILL, reason="FailedGetScale"),
            [("Warning", "FailedGetScale")],
            id="ill in another way",
        ),
    ],
)
def test_conditions_are_told_when_they_turn(
    before: changes.Told, now: Condition, expected: list[tuple[str, str]]
) -> None:
    assert [(item.kind, item.reason) for item in changes.news(before, decision(now), UNCHANGED)] == expected


MISSING = Condition("MetricsAvailable", False, "FailedGetPodsMetric", "rps: no pod answered")
PARTIAL = Condition("MetricsAvailable", False, "PartialMetrics", "rps: 40% of 5 pods answered")
THERE = Condition("MetricsAvailable", True, "MetricsAvailable", "every metric has a value")


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param(changes.Told(), (ILL, MISSING), ["FailedGetPodsMetric"], id="from the start"),
        pytest.param(after(WELL, THERE), (ILL, MISSING), ["FailedGetPodsMetric"], id="both turned ill"),
        pytest.param(after(ILL, MISSING), (WELL, THERE), ["ValidMetricFound"], id="both recovered"),
        pytest.param(after(WELL, PARTIAL), (ILL, MISSING), ["FailedGetPodsMetric"], id="from some to none"),
        pytest.param(
            after(ILL, MISSING), (WELL, PARTIAL), ["ValidMetricFound", "PartialMetrics"], id="from none to some"
        ),
        pytest.param(after(WELL, PARTIAL), (WELL, THERE), ["MetricsAvailable"], id="some are whole again"),
    ],
)
def test_one_outage_is_one_event(before: changes.Told, now: tuple[Condition, ...], expected: list[str]) -> None:
    assert [item.reason for item in changes.news(before, decision(*now), UNCHANGED)] == expected


def test_a_patch_is_always_told() -> None:
    told = changes.news(after(), decision(desired=5), Applied(Outcome.PATCHED, 5))
    assert [(item.reason, item.note) for item in told] == [("SuccessfulRescale", "New size: 5; reason: because")]


def test_a_failed_patch_is_told_once_while_its_error_stays() -> None:
    failed = Applied(Outcome.FAILED, 3, "500 at 10:31")
    again = Applied(Outcome.FAILED, 3, "500 at 10:32")
    first = list(changes.news(after(), decision(desired=5), failed))
    assert [item.reason for item in first] == ["FailedRescale"]
    assert list(changes.news(after(applied=failed), decision(desired=5), again)) == []


def test_a_failed_patch_is_one_event_though_a_condition_tells_of_it_too() -> None:
    failed = Applied(Outcome.FAILED, 3, "403: may not")
    able = Condition("AbleToScale", True, "ReadyForNewScale", "")
    seen = conditions.told(decision(WELL, able, desired=5), failed)
    assert [(one.type, one.status, one.reason) for one in seen.conditions] == [
        ("AbleToScale", False, "FailedUpdateScale"),
        ("ScalingActive", True, "ValidMetricFound"),
    ]
    assert [item.reason for item in changes.news(after(WELL, able), seen, failed)] == ["FailedRescale"]
    mended = changes.news(changes.told(seen, failed), decision(WELL, able, desired=5), Applied(Outcome.PATCHED, 5))
    assert [item.reason for item in mended] == ["SuccessfulRescale"]


def test_what_could_be_done_is_reported_as_decided() -> None:
    assert conditions.told(decision(WELL), UNCHANGED) == decision(WELL)


@pytest.mark.parametrize(
    ("now", "applied", "expected"),
    [
        pytest.param(decision(), UNCHANGED, False, id="the same wish for the same reason"),
        pytest.param(decision(desired=4), UNCHANGED, True, id="another wish"),
        pytest.param(decision(reason="Panic"), UNCHANGED, True, id="another reason"),
        pytest.param(decision(), Applied(Outcome.REFUSED, 3), True, id="something was tried"),
    ],
)
def test_a_line_is_logged_on_change(now: Decision, applied: Applied, expected: bool) -> None:
    assert changes.changed(after(), now, applied) is expected


@pytest.mark.parametrize(
    ("applied", "version", "current", "expected"),
    [
        pytest.param(UNCHANGED, "7", 3, [], id="as it was"),
        pytest.param(UNCHANGED, "7", 5, ["OutsideChange"], id="somebody scaled"),
        pytest.param(Applied(Outcome.PATCHED, 5), "7", 5, [], id="it was us"),
        pytest.param(Applied(Outcome.PATCHED, 5), "7", 3, ["OutsideChange"], id="somebody undid it"),
        pytest.param(Applied(Outcome.FAILED, 3, "no answer"), "7", 4, [], id="perhaps it was us"),
        pytest.param(Applied(Outcome.FAILED, 3, "no answer"), "7", 3, [], id="or it was not carried out"),
        pytest.param(
            Applied(Outcome.REFUSED, 3), "7", 8, ["OutsideChange"], id="it was refused, since somebody scaled"
        ),
        pytest.param(Applied(Outcome.REFUSED, 3), "7", 3, [], id="it was refused for another change"),
        pytest.param(UNCHANGED, "", 0, [], id="the target cannot be read"),
    ],
)
def test_what_others_did_to_the_count_is_told(
    applied: Applied, version: str, current: int, expected: list[str]
) -> None:
    before = changes.told(decision(desired=4), applied)
    now = dataclasses.replace(decision(), current=current, version=version)
    assert [item.reason for item in changes.news(before, now, UNCHANGED)] == expected


@pytest.mark.parametrize("condition", ["DryRun", "Paused", "MultiPodAutoscalerConflict"])
@pytest.mark.parametrize("holds", [True, False])
def test_what_others_do_is_no_news_while_it_is_left_to_them(condition: str, holds: bool) -> None:
    before = changes.told(decision(Condition(condition, holds, "r", "m")), UNCHANGED)
    now = dataclasses.replace(decision(Condition(condition, holds, "r", "m")), current=5)
    told = [item.reason for item in changes.news(before, now, UNCHANGED)]
    assert ("OutsideChange" in told) is not holds


def test_what_others_did_is_told_once() -> None:
    now = dataclasses.replace(decision(), current=5)
    before = changes.told(now, Applied(Outcome.UNCHANGED, 5))
    assert list(changes.news(before, now, Applied(Outcome.UNCHANGED, 5))) == []


def test_a_first_look_knows_nothing_of_others() -> None:
    assert list(changes.news(changes.Told(), decision(), UNCHANGED)) == []


def measured(value: float | None, **more: Any) -> Decision:
    proposal = Proposal("queue", 3, "ValidMetricFound", value=value, target=10.0, **more)
    return dataclasses.replace(decision(WELL), proposals=(proposal,))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(measured(8.0), measured(8.1), True, id="a value that moves a little"),
        pytest.param(measured(8.0), measured(9.0), False, id="a value that moves"),
        pytest.param(measured(8.0), measured(None), False, id="a value that is lost"),
        pytest.param(measured(8.0), measured(8.0, panicking=True), False, id="panic"),
        pytest.param(decision(WELL), decision(ILL), False, id="a condition that turns"),
        pytest.param(
            decision(ILL), decision(dataclasses.replace(ILL, message="for 3 s")), True, id="a message that counts on"
        ),
        pytest.param(decision(), decision(desired=4), False, id="another count"),
    ],
)
def test_most_ticks_say_what_the_last_one_said(one: Decision, other: Decision, same: bool) -> None:
    assert (changes.gist(one, UNCHANGED) == changes.gist(other, UNCHANGED)) is same


@pytest.mark.parametrize("outcome", [Outcome.PATCHED, Outcome.FAILED, Outcome.REFUSED])
def test_what_was_done_is_always_looked_at(outcome: Outcome) -> None:
    assert changes.gist(decision(), Applied(outcome, 3)) is None
