"""`spec.forecast` and `spec.shadow`: looking ahead, and another policy that is computed and never carried out.

`decode` calls these. A shadow is the object itself with some fields replaced, so it reads the same metrics.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from podtide.api.errors import MISSING, Findings
from podtide.core.model import spec

Decode = Callable[[Mapping[str, Any], Findings], spec.AutoscalerSpec | None]
"""Reads a spec's fields."""


def forecast(fields: Mapping[str, Any] | None) -> spec.Forecast | None:
    """How to look ahead; None where the object does not want it."""
    if fields is None:
        return None
    usual = spec.Forecast()
    # Of a list, what is wrong is told and stands as a gap.
    methods = [spec.Foreseen(each) for each in fields.get("methods", usual.methods) if each is not MISSING]
    horizon = fields.get("horizonSeconds")
    return spec.Forecast(
        methods=tuple(dict.fromkeys(methods)),
        window=float(fields.get("windowSeconds", usual.window)),
        horizon=None if horizon is None else float(horizon),
        max_error=fields.get("maxErrorPercent", usual.max_error * 100) / 100,
        share=fields.get("coveragePercent", usual.share * 100) / 100,
    )


def shadow(
    fields: Mapping[str, Any], acting: spec.AutoscalerSpec, decode: Decode, findings: Findings
) -> spec.AutoscalerSpec | None:
    """The other policy of `spec.shadow`; None where it has problems, which are then noted."""
    own: Mapping[str, Any] = fields["shadow"]
    merged = {name: value for name, value in fields.items() if name != "shadow"}
    merged |= {name: value for name, value in own.items() if name != "targetValues"}
    values = own.get("targetValues")
    if values is not None:
        entries = fields.get("metricsSources") or ()
        if len(values) != len(entries):
            advice = f"has {len(values)} values for {len(entries)} metricsSources; write one for each, in their order"
            findings.problem("spec.shadow.targetValues", values, advice)
            return None
        pairs = zip(entries, values, strict=True)
        # What is no object has been told, and stays a gap.
        merged["metricsSources"] = [
            entry if entry is MISSING else {**entry, "targetValue": value} for entry, value in pairs
        ]
    found = Findings()
    decoded = decode(merged, found)
    _tell(found, own, findings)
    if decoded is None or found.problems:
        return None
    read = {metric.id: metric.interval for metric in acting.metrics}
    metrics = tuple(replace(metric, interval=read.get(metric.id, metric.interval)) for metric in decoded.metrics)
    return replace(decoded, metrics=metrics, mode=spec.Mode.DRY_RUN)


def _tell(found: Findings, own: Mapping[str, Any], findings: Findings) -> None:
    """What is wrong with the shadow's own fields. The rest is the object's, and has been told."""
    for problems, note in ((found.problems, findings.problem), (found.warnings, findings.warn)):
        for problem in problems:
            name = problem.path.removeprefix("spec.").partition(".")[0].partition("[")[0]
            if name in own or (name == "metricsSources" and "targetValues" in own):
                note(problem.path.replace("spec.", "spec.shadow.", 1), problem.value, problem.fix)
