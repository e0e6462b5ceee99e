"""Decisions to report: one ordinary scale-up, and ways to vary it."""

from dataclasses import replace
from typing import Any

from podtide.api import decode
from podtide.core.model.decision import Action, Applied, Condition, Decision, Note, Outcome, Proposal
from podtide.core.model.reading import Failure, Reason
from podtide.core.model.signal import Signal
from podtide.core.model.spec import AutoscalerSpec, Bounds, Key
from tests.api import manifests

NOW = 1767323045.0
STAMP = "2026-01-02T03:04:05Z"
METRIC = "vllm:num_requests_waiting"


def spec(**fields: Any) -> AutoscalerSpec:
    decoded = decode.autoscaler(manifests.manifest(**fields)).spec
    assert decoded is not None
    return decoded


FINE = (
    Condition("AbleToScale", True, "ReadyForNewScale", "recommended size matches current size"),
    Condition("ScalingActive", True, "ValidMetricFound", "the replica count was computed from 1 metric"),
    Condition("ScalingLimited", False, "DesiredWithinRange", "the desired count is within the acceptable range"),
)

UP = Decision(
    key=Key("shop", "web"),
    at=NOW,
    version="17",
    current=4,
    desired=8,
    action=Action.PATCH,
    reason="ScaleUpLimit",
    message="vllm:num_requests_waiting above target",
    bounds=Bounds(1, 10),
    trail=(
        Note("kpa", 4, 12, "Panic", "load 575 over target 50"),
        Note("combine", 12, 12, "ValidMetricFound", METRIC),
        Note(
            "rates", 12, 8, "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate"
        ),
    ),
    proposals=(Proposal(METRIC, 12, "Panic", "panic since 3 s", value=143.75, target=50.0, panicking=True),),
    signals=(Signal(METRIC, NOW - 1.0),),
    conditions=FINE,
    ready=4,
    starting=1,
)
PATCHED = Applied(Outcome.PATCHED, 8)
UNCHANGED = Applied(Outcome.UNCHANGED, 8)


def steady(at: float, **changes: Any) -> Decision:
    """Nothing to do: eight pods, as wanted."""
    calm: dict[str, Any] = {
        "at": at,
        "current": 8,
        "desired": 8,
        "action": Action.KEEP,
        "reason": "ValidMetricFound",
        "message": "",
        "trail": (),
        "ready": 8,
        "starting": 0,
        "proposals": (Proposal(METRIC, 8, "ValidMetricFound", value=48.0, target=50.0),),
    }
    return replace(UP, **(calm | changes))


def without_metrics(at: float) -> Decision:
    """Two pods hang, and no count follows."""
    failures = {f"uid-{pod}": Failure(Reason.TIMEOUT, "no answer from 10.0.0.9:8000 in 3 s") for pod in range(2)}
    failed = Condition("ScalingActive", False, "FailedGetPodsMetric", "no pod answered")
    return steady(
        at,
        reason="FailedGetPodsMetric",
        message="invalid metrics (1 invalid out of 1)",
        proposals=(Proposal(METRIC, None, "FailedGetPodsMetric", "Timeout", target=50.0),),
        signals=(Signal(METRIC, None, failures=failures),),
        conditions=(FINE[0], failed, FINE[2]),
    )
