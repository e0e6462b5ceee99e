"""Why a decision came out as it did, in lines for a person at three in the morning. The CLI and the log use it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from podtide.api import remedies, summary
from podtide.core.model.decision import Applied, Decision
from podtide.core.model.spec import AutoscalerSpec

_DONE = {
    "patched": "the target was scaled",
    "unchanged": "nothing; the count is as wanted",
    "suppressed": "nothing; the change is wanted but not allowed, see the conditions",
    "refused": "nothing; the target had changed meanwhile, so the next tick decides anew",
    "failed": "nothing; the API server did not take it",
}
_PLANNED = {
    "patch": "the target is to be scaled",
    "keep": "nothing; the count is as wanted",
    "suppress": "nothing; the change is wanted but not allowed",
}
_WORRYING = frozenset({"MultiPodAutoscalerConflict", "Fallback", "ScalingLimited", "ScaledToZero", "Paused", "DryRun"})
"""Conditions that are worth a line when they are True; all others when they are not."""


def lines(decision: Decision, applied: Applied | None = None, spec: AutoscalerSpec | None = None) -> list[str]:
    """The explanation of a decision at hand. With the spec, values are in their metric's unit."""
    return _rendered(str(decision.key), summary.summarise(decision, applied, spec))


def from_status(status: Mapping[str, Any], name: str = "") -> list[str]:
    """The explanation of the last decision that a status holds, or of why there is none."""
    last = status.get("lastDecision")
    if not last:
        heading = ["No decision yet: see whether the controller runs and watches this namespace."]
        if status.get("conditions"):
            heading = ["No decision: the conditions say why."]
    elif not summary.is_known(last):
        heading = [
            f"The decision is written in form {last.get('version')}, and this podtide reads form {summary.VERSION}: "
            "use the controller's version, or read status.lastDecision itself."
        ]
    else:
        heading = _rendered(name or str(status.get("reference", "")), last)
    return [*heading, *_conditions(status.get("conditions") or ())]


def _rendered(name: str, last: Mapping[str, Any]) -> list[str]:
    return [
        *_heading(name, last),
        *_section("Seen", _seen(last)),
        *_section("Asked", _asked(last.get("metrics") or ())),
        *_section("Ahead", _ahead(last.get("forecast") or ())),
        *_section("Steps", _steps(last.get("steps") or ())),
        *_section("Result", _result(last)),
        *_section("Shadow", _shadow(last)),
        *_section("Done", _done(last)),
        *_section("Missing", _missing(last.get("missing") or ())),
    ]


def _section(title: str, body: Iterator[str]) -> Iterator[str]:
    for index, line in enumerate(body):
        yield f"  {title if index == 0 else '':8} {line}"


def _heading(name: str, last: Mapping[str, Any]) -> Iterator[str]:
    current, desired = last.get("current"), last.get("desired")
    change = f"{current} → {desired} replicas" if current != desired else f"{current} replicas, no change"
    yield f"{name}: {change}, decided at {last.get('at')}"


def _seen(last: Mapping[str, Any]) -> Iterator[str]:
    starting = f", {last['starting']} starting" if last.get("starting") else ""
    schedule = f' (schedule "{last["schedule"]}")' if last.get("schedule") else ""
    yield (
        f"{last.get('ready')} of {last.get('current')} pods ready{starting}; "
        f"bounds {last.get('minReplicas')} to {last.get('maxReplicas')}{schedule}"
    )


def _asked(metrics: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for metric in metrics:
        replicas = metric.get("replicas")
        wish = "cannot say" if replicas is None else f"asks for {replicas}"
        panic = ", panicking" if metric.get("panic") else ""
        burst = f", excess burst capacity {metric['excessBurst']}" if "excessBurst" in metric else ""
        why = f": {metric['message']}" if metric.get("message") else ""
        name = metric.get("name")
        found = f"{name} at {metric.get('current')}, target {metric.get('target')}"
        yield f"{found}, {wish}{panic}{burst} [{metric.get('reason')}]{why}"


def _ahead(forecasts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for forecast in forecasts:
        need = "" if forecast.get("replicas") is None else f", needs {forecast['replicas']}"
        yield f"{forecast.get('metric')}{need} [{forecast.get('reason')}]: {forecast.get('message')}"


def _shadow(last: Mapping[str, Any]) -> Iterator[str]:
    other = last.get("shadow")
    if other:
        same = ", as decided" if other.get("desired") == last.get("desired") else f", not {last.get('desired')}"
        why = f": {other['message']}" if other.get("message") else ""
        yield f"would want {other.get('desired')}{same} [{other.get('reason')}]{why}"


def _steps(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for step in steps:
        if step.get("before") is None and step.get("after") is None:
            yield f"{step.get('stage', ''):10} {step.get('message', '')}"
            continue
        before, after = (_count(step.get(side)) for side in ("before", "after"))
        why = f"  {step['message']}" if step.get("message") else ""
        yield f"{step.get('stage', ''):10} {before:>4} → {after:<4} {step.get('reason', '')}{why}"


def _count(replicas: object) -> str:
    return "?" if replicas is None else str(replicas)


def _result(last: Mapping[str, Any]) -> Iterator[str]:
    steps = [step for step in last.get("steps") or () if step.get("before") != step.get("after")]
    by = f" by {steps[-1]['stage']}" if steps and steps[-1].get("after") == last.get("desired") else ""
    why = f": {last['message']}" if last.get("message") else ""
    yield f"{last.get('desired')}, set{by} [{last.get('reason')}]{why}"


def _done(last: Mapping[str, Any]) -> Iterator[str]:
    outcome = last.get("outcome")
    text = _DONE.get(str(outcome)) or _PLANNED.get(str(last.get("action"))) or str(outcome)
    yield f"{text}: {last['error']}" if last.get("error") else text


def _missing(missing: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for item in missing:
        pods = item.get("pods")
        where = "" if not pods else f" from {pods} pod{'s' if pods > 1 else ''}"
        detail = f": {item['detail']}" if item.get("detail") else ""
        yield f"{item.get('metric')}{where} [{item.get('reason')}]{detail}"
        remedy = remedies.remedy(str(item.get("reason")))
        if remedy:
            yield f"  → {remedy}"


def _conditions(conditions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for condition in conditions:
        usual = "False" if condition.get("type") in _WORRYING else "True"
        if condition.get("status") != usual:
            yield (
                f"  {condition.get('type')} is {condition.get('status')} since {condition.get('lastTransitionTime')} "
                f"[{condition.get('reason')}]: {condition.get('message')}"
            )
