"""The conditions of a status: what a tick says, with the time since when it holds. `status` calls this."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from podtide.api import times
from podtide.api.errors import Problem
from podtide.core.model.decision import Condition

_STATUS = {True: "True", False: "False", None: "Unknown"}
_LONGEST = 2000
"""Characters of a message; a list of problems can grow beyond what anybody reads."""

GRACE = 60.0
"""Seconds that something may fail before `Ready` turns. A missed scrape or an API server that restarts is no reason to
fail somebody's `kubectl wait`; KEDA flipped on each and its users had to work around it."""
_NEEDED = ("AbleToScale", "ScalingActive")
_ORDER = ("Ready", "ValidSpec", *_NEEDED, "ScalingLimited", "MetricsAvailable")
_PASSING = frozenset({"Paused", "DryRun", "Fallback"})
"""Conditions that are there only while they are true."""
_OFF = "ScalingDisabled"
"""HPA's reason for a workload that somebody has scaled to zero: nothing is wrong then."""


def merge(
    fresh: Iterable[Condition], previous: Sequence[Mapping[str, Any]], generation: int, now: float
) -> list[dict[str, Any]]:
    """The conditions for the API; each keeps its transition time while its status stays.

    What a tick does not speak of stays as it was, as with HPA, but for those that only stand while they are true.
    """
    before = {str(old.get("type")): old for old in previous}
    merged = {item.type: _merged(item, before.get(item.type), generation, now) for item in fresh}
    kept = {kind: dict(old) for kind, old in before.items() if kind not in merged and kind not in _PASSING}
    return sorted((merged | kept).values(), key=_place)


def _place(condition: Mapping[str, Any]) -> int:
    kind = condition["type"]
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _merged(condition: Condition, old: Mapping[str, Any] | None, generation: int, now: float) -> dict[str, Any]:
    status = _STATUS[condition.status]
    unchanged = old is not None and old.get("status") == status and old.get("lastTransitionTime")
    return {
        "type": condition.type,
        "status": status,
        "reason": condition.reason or "Unknown",
        "message": condition.message[:_LONGEST],
        "lastTransitionTime": old["lastTransitionTime"] if old is not None and unchanged else times.stamp(now),
        "observedGeneration": generation,
    }


def valid(warnings: Sequence[Problem]) -> Condition:
    """`ValidSpec` of an object that can be scaled."""
    if not warnings:
        return Condition("ValidSpec", True, "Valid", "the spec is valid")
    return Condition("ValidSpec", True, "ValidWithWarnings", "; ".join(map(str, warnings)))


def invalid(problems: Sequence[Problem]) -> tuple[Condition, Condition]:
    """`Ready` and `ValidSpec` of an object that is not scaled."""
    listed = "; ".join(map(str, problems))
    return (
        Condition("Ready", False, "InvalidSpec", "not scaled until the spec is corrected: see ValidSpec"),
        Condition("ValidSpec", False, "InvalidSpec", listed),
    )


def ready(fresh: Iterable[Condition], previous: Sequence[Mapping[str, Any]], now: float) -> Condition:
    """`Ready`: whether this object does its work, short gaps aside."""
    said = {condition.type: condition for condition in fresh}
    conflict = said.get("MultiPodAutoscalerConflict")
    if conflict is not None and conflict.status:
        return Condition("Ready", False, conflict.reason, conflict.message)
    failing = [said[name] for name in _NEEDED if name in said and said[name].status is False]
    failing = [condition for condition in failing if condition.reason != _OFF]
    if not failing:
        return Condition("Ready", True, "Ready", "scaling as the spec says")
    before = {str(old.get("type")): old for old in previous}
    was = before.get("Ready", {}).get("status")
    since = [_failing_since(before.get(condition.type), now) for condition in failing]
    worst = failing[since.index(min(since))]
    if now - min(since) >= GRACE:
        return Condition("Ready", False, worst.reason, worst.message)
    if was in {"True", "False"}:
        return _as_before(before["Ready"])
    return Condition("Ready", None, worst.reason, worst.message)


def _failing_since(old: Mapping[str, Any] | None, now: float) -> float:
    if old is None or old.get("status") != "False":
        return now
    since = times.seconds(old.get("lastTransitionTime"))
    return now if since is None else since


def _as_before(old: Mapping[str, Any]) -> Condition:
    return Condition("Ready", old["status"] == "True", str(old.get("reason")), str(old.get("message")))
