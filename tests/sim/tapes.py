"""Recordings made of simulated runs, in the form that a controller writes."""

from collections.abc import Mapping
from typing import Any

from podtide.api import decode, recording
from podtide.api.recording import Begin, Tick
from podtide.api.settings import Settings
from podtide.core.memory import Memory
from podtide.core.model.decision import Action, Applied, Decision, Outcome
from podtide.core.model.reading import Reading
from podtide.core.model.spec import AutoscalerSpec
from podtide.core.model.view import TargetView
from podtide.sim.scenario import Scenario
from podtide.sim.traces import Trace
from tests.sim import worlds

STEP = worlds.trace([2] * 60 + [20] * 120 + [2] * 120)


def manifest(**changes: Any) -> dict[str, Any]:
    """A PodAutoscaler on requests in flight; `changes` are fields of its spec."""
    source = {"metricSourceType": "pod", "port": "8000", "targetMetric": "inflight", "targetValue": "0.7"}
    usual = {
        "scalingStrategy": "KPA",
        "maxReplicas": 20,
        "observeWindowSeconds": 60,
        "panicWindowSeconds": 6,
        "metricsSources": [source],
        "scaleTargetRef": {"kind": "Deployment", "name": "web"},
    }
    return {
        "apiVersion": "autoscaling.aibrix.ai/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": usual | changes,
    }


def spec(written: Mapping[str, Any]) -> AutoscalerSpec:
    """What a manifest says."""
    decoded = decode.autoscaler(written)
    assert decoded.spec is not None, decoded.problems
    return decoded.spec


def recorded(written: Mapping[str, Any], load: Trace = STEP, **world: Any) -> list[bytes]:
    """The lines that a controller of this object would have written."""
    seen: list[Reading | Decision | TargetView] = []
    made = spec(written)
    scenario: Scenario = worlds.scenario(load, **world)
    scenario.run(made, tap=seen.append)
    lines = [recording.begin("default/web", worlds.BEGIN, written, Settings(), Memory(worlds.BEGIN).snapshot())]
    readings: list[Reading] = []
    view, pods = TargetView(0.0), None
    for each in seen:
        if isinstance(each, TargetView):
            view = each
        elif isinstance(each, Reading):
            readings.append(each)
        else:
            outcome = Outcome.PATCHED if each.action is Action.PATCH else Outcome.UNCHANGED
            applied = Applied(outcome, each.desired)
            lines.append(recording.tick(each.at, view, readings, each, applied, with_pods=view.pods is not pods))
            readings, pods = [], view.pods
    return lines


def entries(lines: list[bytes]) -> list[Begin | Tick]:
    """What the lines hold."""
    return list(recording.read(lines, "rec"))
