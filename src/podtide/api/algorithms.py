"""The strategy's own parameters, from spec fields, annotations and defaults. `decode` calls this."""

from collections.abc import Mapping
from typing import Any

from podtide.api import defaults
from podtide.api.annotations import Tuning
from podtide.api.errors import Findings
from podtide.api.settings import Settings
from podtide.core.model import quantity, spec


def read(
    fields: Mapping[str, Any],
    strategy: str,
    tuning: Tuning,
    rules: spec.Behavior | None,
    settings: Settings,
    findings: Findings,
) -> spec.Algorithm:
    """The algorithm with everything it needs to know."""
    if strategy != "KPA" and "kpa" in fields:
        findings.warn("spec.kpa", fields["kpa"], f"does nothing with {strategy}; remove it")
    observe = float(fields.get("observeWindowSeconds", tuning.get("observe_window", defaults.OBSERVE_WINDOW)))
    band = _tolerance(strategy, tuning, rules, settings)
    match strategy:
        case "HPA":
            return spec.Hpa(
                tolerance=band,
                cpu_initialization_period=settings.deciding.cpu_initialization_period,
                initial_readiness_delay=settings.deciding.initial_readiness_delay,
                window=observe,
            )
        case "APA":
            return spec.Apa(
                window=observe,
                tolerance=band,
                max_scale_up_rate=tuning.get("up_rate", 2.0),
                max_scale_down_rate=tuning.get("down_rate", 2.0),
            )
        case _:
            return _kpa(fields, observe, band, tuning, findings)


def _tolerance(strategy: str, tuning: Tuning, rules: spec.Behavior | None, settings: Settings) -> spec.Tolerance:
    otherwise = defaults.tolerance(strategy, settings)
    up = rules.up.tolerance if rules else None
    down = rules.down.tolerance if rules else None
    return spec.Tolerance(
        up=tuning.get("up_tolerance", otherwise.up) if up is None else up,
        down=tuning.get("down_tolerance", otherwise.down) if down is None else down,
    )


def _kpa(
    fields: Mapping[str, Any], observe: float, band: spec.Tolerance, tuning: Tuning, findings: Findings
) -> spec.Kpa:
    own = fields.get("kpa", {})
    panic = float(fields.get("panicWindowSeconds", tuning.get("panic_window", defaults.panic_window(observe))))
    if panic > observe:
        advice = f"is longer than the observe window; write at most {observe:g}"
        findings.problem("spec.panicWindowSeconds", int(panic), advice)
    burst = _amount(own, "targetBurstCapacity", findings)
    return spec.Kpa(
        stable_window=observe,
        panic_window=panic,
        panic_threshold=tuning.get("panic_threshold", 2.0),
        max_scale_up_rate=tuning.get("up_rate", 2.0),
        max_scale_down_rate=tuning.get("down_rate", 2.0),
        activation_scale=own.get("activationScale", tuning.get("activation_scale", 1)),
        scale_down_delay=float(own.get("scaleDownDelaySeconds", tuning.get("down_delay", 0.0))),
        scale_to_zero_grace=float(own.get("scaleToZeroGraceSeconds", 30)),
        last_pod_retention=float(own.get("lastPodRetentionSeconds", 0)),
        weighted=own.get("weightedWindows", False),
        target_burst_capacity=tuning.get("burst_capacity", 0.0) if burst is None else burst,
        total_value=_amount(own, "totalValue", findings),
        tolerance=band,
    )


def _amount(own: Mapping[str, Any], field: str, findings: Findings) -> float | None:
    """None where there is none, or no number."""
    if field not in own:
        return None
    try:
        return quantity.nano(own[field]) / 1e9
    except quantity.QuantityError:
        findings.problem(f"spec.kpa.{field}", own[field], 'is not a number; write for example "50"')
        return None
