"""What the engine really decides can be written into a status, explained from it, and is valid by the schema."""

from typing import Any

import msgspec
import pytest

from podtide.api import explain, schema_status, status
from podtide.api.errors import Findings
from podtide.api.structure import check
from podtide.core import engine
from podtide.core.memory import Memory
from podtide.core.model.decision import Action, Applied, Outcome
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.core.model.view import PodView, TargetView
from tests.api import decisions
from tests.api.decisions import NOW


def view(pods: int, failure: str | None = None) -> TargetView:
    if failure is not None:
        return TargetView(at=NOW, failure=failure)
    views = tuple(
        PodView(f"web-{number}", f"uid-{number}", started=NOW - 3600, ready_since=NOW - 3600) for number in range(pods)
    )
    return TargetView(at=NOW, replicas=pods, status_replicas=pods, version="17", pods=views)


@pytest.mark.parametrize("strategy", ["KPA", "HPA", "APA"])
@pytest.mark.parametrize("value", [10.0, 200.0, None])
def test_a_run_of_ticks(strategy: str, value: float | None) -> None:
    spec = decisions.spec(
        scalingStrategy=strategy,
        schedules=[{"name": "a", "startTime": "00:00", "endTime": "00:00", "minReplicas": 2}],
        behavior={"scaleDown": {"stabilizationWindowSeconds": 10}},
    )
    memory = Memory(since=NOW)
    written: dict[str, Any] = {}
    pods = 4
    for tick in range(200):
        now = NOW + 2 * tick
        seen = view(pods, "FailedGetScale: not found" if tick == 150 else None)
        values = {} if value is None else {pod.uid: value for pod in seen.pods}
        failures = {pod.uid: Failure(Reason.TIMEOUT, "3 s") for pod in seen.pods if value is None}
        engine.absorb(memory, spec, Reading(spec.metrics[0].id, now, values, expected=pods, failures=failures))
        decision = engine.decide(memory, spec, seen, now)
        scaled = decision.action is Action.PATCH
        pods = decision.desired if scaled else pods
        applied = Applied(Outcome.PATCHED if scaled else Outcome.UNCHANGED, pods)
        engine.settle(memory, decision, applied, now)
        new: Any = status.patch(decision, applied, written, spec, now)
        # What the API server gives back is what was sent.
        assert msgspec.json.decode(msgspec.json.encode(new)) == new
        findings = Findings()
        check(new, schema_status.STATUS, "status", findings)
        assert (findings.problems, findings.warnings) == ([], [])
        assert explain.from_status(new, "shop/web")[: len(explain.lines(decision, applied, spec))] == explain.lines(
            decision, applied, spec
        )
        written = new
    expected = {10.0: (2, "10/50"), 200.0: (10, "200/50"), None: (4, "<unknown>/50")}[value]
    assert (written["actualScale"], written["targets"]) == expected


def test_a_steady_workload_is_written_once() -> None:
    spec = decisions.spec()
    memory = Memory(since=NOW)
    written: dict[str, Any] = {}
    writes = 0
    for tick in range(600):
        now = NOW + 2 * tick
        # Three per cent up and down, as a steady load looks.
        values = {f"uid-{number}": 45.0 + (tick * 7 + number) % 4 for number in range(4)}
        engine.absorb(memory, spec, Reading(spec.metrics[0].id, now, values, expected=4))
        decision = engine.decide(memory, spec, view(4), now)
        applied = Applied(Outcome.UNCHANGED, 4)
        engine.settle(memory, decision, applied, now)
        new: Any = status.patch(decision, applied, written, spec, now)
        if status.changed(written, new):
            written, writes = new, writes + 1
    # The first, the end of the start in panic, and a refresh when the averaged value shows another figure.
    assert writes <= 5
