"""A decision and what became of it become the object's `.status`; and whether anybody could see the difference.

`control.report` calls `patch` after each tick, `changed` to decide about a write, and `invalid` for an object that is
not scaled.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from podtide.api import conditions, figures, summary, times
from podtide.api.errors import Problem
from podtide.api.schema_status import HISTORY
from podtide.core.model.decision import Applied, Decision, Outcome
from podtide.core.model.spec import AutoscalerSpec

REFRESH = 30.0
"""Seconds after which a written status is replaced though nothing but a measured value has moved a little."""
_DRIFT = 100
"""Per mill of the target by which a value must move to be written at once. A tenth is HPA's tolerance: less than
that would rarely change a decision, and a fleet's values move a little at every tick."""
_LITTLE = 20
"""Per mill of the target below which a value has not moved at all: a fleet at rest is no reason to write."""
_UNREADABLE = "FailedGetScale"
_DIGITS = str.maketrans("", "", "0123456789.")
_SHOWN = 2
"""Metrics in the TARGETS column, as many as kubectl shows of an HPA's."""


def patch(
    decision: Decision,
    applied: Applied,
    previous: Mapping[str, Any],
    spec: AutoscalerSpec,
    now: float,
    *,
    warnings: Sequence[Problem] = (),
) -> dict[str, Any]:
    """The whole new status; what it says of the past is taken from the previous one. `now` is seconds since 1970."""
    last = summary.summarise(decision, applied, spec)
    old = previous.get("conditions") or ()
    fresh = (conditions.ready(decision.conditions, old, now), conditions.valid(warnings), *decision.conditions)
    status: dict[str, Any] = {
        "observedGeneration": spec.generation,
        "reference": str(spec.target),
        "mode": spec.mode.value,
        "targets": _targets(last["metrics"], spec),
        **_counts(decision, applied, previous),
        "readyReplicas": decision.ready,
        "conditions": conditions.merge(fresh, old, spec.generation, now),
        "metrics": [
            {name: metric[name] for name in ("name", "current", "target", "replicas", "reason") if name in metric}
            for metric in last["metrics"]
        ],
        "lastDecision": last,
    }
    scaled = times.stamp(now) if applied.outcome is Outcome.PATCHED else previous.get("lastScaleTime")
    if scaled:
        status["lastScaleTime"] = scaled
    history = _history(decision, applied, previous.get("scalingHistory") or [], now)
    if history:
        status["scalingHistory"] = history
    if spec.schedules:
        status["scheduledBounds"] = {
            **({"activeSchedule": decision.schedule} if decision.schedule else {}),
            "effectiveMinReplicas": decision.bounds.minimum,
            "effectiveMaxReplicas": decision.bounds.maximum,
        }
    return status


def _counts(decision: Decision, applied: Applied, previous: Mapping[str, Any]) -> dict[str, Any]:
    """Desired and actual scale; those last known while the target cannot be read."""
    if any(condition.reason == _UNREADABLE for condition in decision.conditions if condition.status is False):
        return {name: previous[name] for name in ("desiredScale", "actualScale") if name in previous}
    return {"desiredScale": decision.desired, "actualScale": applied.replicas}


def _targets(metrics: Sequence[Mapping[str, Any]], spec: AutoscalerSpec) -> str:
    """`14/20, 46%/50% + 1 more...`, as kubectl shows an HPA's; known before the first decision too."""
    shown = [f"{metric['current']}/{metric['target']}" for metric in metrics] or [
        f"{figures.UNKNOWN}/{figures.value(metric.threshold.value, metric)}" for metric in spec.metrics
    ]
    more = f" + {len(shown) - _SHOWN} more..." if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _history(decision: Decision, applied: Applied, previous: Sequence[Any], now: float) -> list[Any]:
    """The last scalings. A failure that repeats is one entry, or it would push out what had worked."""
    history = list(previous)
    if applied.outcome not in {Outcome.PATCHED, Outcome.FAILED}:
        return history
    entry = {
        "timestamp": times.stamp(now),
        "previousScale": decision.current,
        "newScale": decision.desired,
        "reason": decision.message or decision.reason,
        "success": applied.outcome is Outcome.PATCHED,
        **({"error": applied.error} if applied.error else {}),
    }
    if not entry["success"] and history and _same_failure(history[-1], entry):
        return history
    return [*history, entry][-HISTORY:]


def _same_failure(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(name) == other.get(name) for name in ("success", "previousScale", "newScale"))


def invalid(problems: Sequence[Problem], previous: Mapping[str, Any], generation: int, now: float) -> dict[str, Any]:
    """The status of an object that is not scaled: what is wrong; what was known of its target stays."""
    # What the other conditions said was said of a spec that was in force.
    old = [one for one in previous.get("conditions") or () if one.get("type") in {"Ready", "ValidSpec"}]
    kept = ("reference", "mode", "desiredScale", "actualScale", "lastScaleTime", "scalingHistory")
    return {name: previous[name] for name in kept if previous.get(name) is not None} | {
        "observedGeneration": generation,
        "conditions": conditions.merge(conditions.invalid(problems), old, generation, now),
    }


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether a person looking at both would see a difference worth a write.

    Counts, conditions, scalings and reasons count at once; a measured value when it has moved by a tenth of its target,
    or by a fiftieth once the written status is `REFRESH` seconds old. The time of the decision itself never counts.
    """
    drift = _drift(old, new)
    if drift >= _DRIFT or _essence(old) != _essence(new):
        return True
    if drift < _LITTLE or old.get("targets") == new.get("targets"):
        return False
    before, after = (times.seconds((status.get("lastDecision") or {}).get("at")) for status in (old, new))
    return before is None or after is None or after - before >= REFRESH


def _essence(status: Mapping[str, Any]) -> tuple[Any, ...]:
    last = status.get("lastDecision") or {}
    names = (
        "observedGeneration",
        "reference",
        "mode",
        "desiredScale",
        "actualScale",
        "readyReplicas",
        "lastScaleTime",
        "scalingHistory",
        "scheduledBounds",
    )
    return (
        [status.get(name) for name in names],
        [_said(condition) for condition in status.get("conditions") or ()],
        [last.get(name) for name in ("reason", "action", "outcome", "minReplicas", "maxReplicas", "schedule")],
        _without_digits(last.get("error", "")),
        [(metric.get("name"), metric.get("target"), metric.get("panic")) for metric in last.get("metrics") or ()],
        [(item.get("metric"), item.get("reason")) for item in last.get("missing") or ()],
    )


def _said(condition: Mapping[str, Any]) -> tuple[Any, ...]:
    said = (condition.get(name) for name in ("type", "status", "reason", "observedGeneration"))
    return (*said, _without_digits(str(condition.get("message", ""))))


@functools.lru_cache(maxsize=4096)
def _without_digits(text: str) -> str:
    """A message whose numbers count on with every tick says the same thing."""
    return text.translate(_DIGITS)


def _drift(old: Mapping[str, Any], new: Mapping[str, Any]) -> float:
    """How far a value has moved, in per mill of its target; infinitely far where one has appeared or gone."""
    furthest = 0.0
    pairs = zip(*((status.get("lastDecision") or {}).get("metrics") or () for status in (old, new)), strict=False)
    for before, after in pairs:
        unknown = [metric.get("current") == figures.UNKNOWN for metric in (before, after)]
        moved = math.inf if unknown[0] != unknown[1] else abs(after.get("permille", 0) - before.get("permille", 0))
        furthest = max(furthest, moved)
    return furthest
