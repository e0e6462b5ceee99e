"""`hpa_reconcile`: Kubernetes' whole pass, tick by tick, driven through the engine's `absorb`, `decide` and `settle`.

The runner turns rows into readings and views, carries out what is decided, and puts the engine's answers into
upstream's words (`hpa_status`). It decides nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from podtide.core import engine
from podtide.core.memory import Memory
from podtide.core.model.decision import Action, Applied, Decision, Outcome
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.core.model.spec import AutoscalerSpec, Bounds, Cooldown, Hpa, Key, TargetRef
from podtide.core.model.view import TargetView
from tests.conform import hpa_behavior, hpa_metrics, hpa_pods
from tests.conform.hpa_status import Pass, Status
from tests.conform.outcome import Comparison, Row
from tests.conform.outcome import Outcome as RowOutcome

Wire = Mapping[str, Any]

DEFAULT_METRICS = (
    {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}},
)

SELECTORS = {
    "": "selector is required",
    "app in (x": (
        "couldn't convert selector into a corresponding internal selector object: "
        "unable to parse requirement: found '', expected: ',' or ')'"
    ),
}
"""Selectors that upstream cannot use. Podtide follows owners instead, so to the core this is metrics that fail."""

SHARE_OF_NONE = "one reported value, the share of no replicas, is the CPU's choice upstream; ours is not reported"


def run(row: Row) -> RowOutcome:
    """Compare one row: at each tick the scale written, the stored status, the pass's error and its events."""
    comparison = Comparison(row["id"])
    # Upstream takes a missing condition for a person's zero. A memory that has seen the workload run does so, too.
    memory = Memory(row["ticks"][0]["t"])
    memory.has_run = True
    status = Status()
    wire, gate = row["hpa_spec"], row["scale_to_zero_enabled"]
    for place, (tick, expected) in enumerate(zip(row["ticks"], row["expected"], strict=True)):
        wire, gate = tick.get("hpa_spec", wire), tick.get("scale_to_zero_enabled", gate)
        metrics = tuple(wire.get("metrics") or DEFAULT_METRICS)
        spec = _spec(row, wire, metrics, gate)
        selector = SELECTORS.get(tick.get("selector", "app=x"))
        for index, metric in enumerate(metrics):
            engine.absorb(memory, spec, _reading(spec, index, metric, tick, selector))
        decision = engine.decide(memory, spec, _view(tick, wire), tick["t"])
        applied = _apply(decision, tick)
        engine.settle(memory, decision, _known(applied), tick["t"])
        status.update(Pass(spec, metrics, tick, decision, applied, memory.scaled_to_zero, selector))
        _compare(comparison, f"tick {place}", expected, status)
    return comparison.outcome()


def _spec(row: Row, wire: Wire, metrics: tuple[Wire, ...], gate: bool) -> AutoscalerSpec:
    rules = Hpa(
        tolerance=hpa_metrics.tolerance(wire.get("behavior"), row["tolerance"]),
        cpu_initialization_period=row["cpu_initialization_period_s"],
        initial_readiness_delay=row["initial_readiness_delay_s"],
        guarded=False,
        scale_to_zero=gate,
    )
    minimum = wire.get("minReplicas")
    return AutoscalerSpec(
        key=Key("ns", "hpa"),
        uid="1",
        generation=1,
        target=TargetRef("apps/v1", "Deployment", "target"),
        metrics=tuple(hpa_metrics.spec(index, metric) for index, metric in enumerate(metrics)),
        algorithm=rules,
        bounds=Bounds(1 if minimum is None else minimum, wire["maxReplicas"]),
        behavior=hpa_behavior.behavior(wire.get("behavior")),
        cooldown=Cooldown(up=0.0, down=float(row["downscale_stabilization_s"])),
    )


def _reading(spec: AutoscalerSpec, index: int, metric: Wire, tick: Wire, selector: str | None) -> Reading:
    """What a source would have handed on at this tick."""
    wanted = spec.metrics[index]
    signal = hpa_metrics.signal(wanted, metric, tick["metric_data"][index], tick["t"])
    failure = Failure(Reason.API, selector) if selector is not None else signal.failure
    if failure is not None:
        return Reading(wanted.id, tick["t"], failure=failure)
    return Reading(
        wanted.id,
        tick["t"],
        values=signal.per_pod,
        spans=signal.spans,
        total=signal.total,
        expected=sum(pod.is_ready for pod in hpa_pods.pods(tick["pods"])),
    )


def _view(tick: Wire, wire: Wire) -> TargetView:
    trouble = tick.get("scale_get_error")
    if wire.get("scaleTargetRef", {}).get("apiVersion", "").count("/") > 1:
        trouble = f"unexpected GroupVersion string: {wire['scaleTargetRef']['apiVersion']}"
    if trouble:
        return TargetView(tick["t"], failure=trouble)
    listed = () if tick.get("selector") == "app=other" else hpa_pods.pods(tick["pods"])
    return TargetView(tick["t"], tick["spec_replicas"], tick["status_replicas"], "1", listed)


def _apply(decision: Decision, tick: Wire) -> Applied:
    if decision.action is not Action.PATCH:
        return Applied(Outcome.UNCHANGED, decision.current)
    if tick.get("scale_update_error"):
        return Applied(Outcome.FAILED, decision.current, tick["scale_update_error"])
    return Applied(Outcome.PATCHED, decision.desired)


def _known(applied: Applied) -> Applied:
    """What became of a decision where nothing is left open: in a row's world what failed was not carried out."""
    return replace(applied, outcome=Outcome.REFUSED) if applied.outcome is Outcome.FAILED else applied


def _without_share(entry: Wire | None, comparison: Comparison) -> dict[str, Any] | None:
    """An expected metric status, without a share of no replicas: upstream prints what the CPU makes of an infinity."""
    status = hpa_metrics.status_in_thousandths(entry)
    if status is None:
        return None
    current = status[hpa_metrics.BODIES[status["type"]]]["current"]
    if current.get("averageValue") == -(2**63):
        current["averageValue"] = None
        if SHARE_OF_NONE not in comparison.left_out:
            comparison.leave_out(SHARE_OF_NONE)
    return status


def _compare(comparison: Comparison, where: str, expected: Wire, status: Status) -> None:
    for name in (
        "scale_to",
        "status_current_replicas",
        "status_desired_replicas",
        "last_scale_time_s",
        "error",
        "events",
    ):
        comparison.equal(f"{where} {name}", expected[name], getattr(status, name))
    wanted = [_without_share(entry, comparison) for entry in expected["current_metrics"]]
    comparison.equal(f"{where} current_metrics", wanted, status.current_metrics)
    comparison.equal(f"{where} condition types", sorted(expected["conditions"]), sorted(status.conditions))
    for kind, condition in expected["conditions"].items():
        comparison.equal(f"{where} {kind}", condition, status.conditions.get(kind))
