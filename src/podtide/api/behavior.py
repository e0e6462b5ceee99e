"""`spec.behavior`, annotations and defaults become the rules for how fast the count may change. `decode` calls this."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from podtide.api import defaults
from podtide.api.annotations import Tuning
from podtide.api.errors import MISSING, Findings
from podtide.api.settings import Settings
from podtide.core.model import quantity, spec

_PATH = "spec.behavior"
_AIBRIX_PERIOD = 60.0
"""Seconds; the period AIBrix gives the policies it makes from its rate annotations for HPA."""


def cooldown(entry: Mapping[str, Any], tuning: Tuning, strategy: str, settings: Settings) -> spec.Cooldown:
    """The stabilisation in force: what `behavior` says, else the annotation, else the default."""
    down = settings.deciding.scale_down_stabilization
    if strategy == "KPA" and "down_delay" in tuning:
        # Whoever names KPA's own delay means it to be the delay. AIBrix ignores the key and waits its 300 s.
        down = 0.0
    return spec.Cooldown(
        up=_window(entry.get("scaleUp"), tuning.get("up_cooldown", 0.0)),
        down=_window(entry.get("scaleDown"), tuning.get("down_cooldown", down)),
    )


def _window(rules: Mapping[str, Any] | None, otherwise: float) -> float:
    return float((rules or {}).get("stabilizationWindowSeconds", otherwise))


def read(
    entry: Mapping[str, Any] | None,
    tuning: Tuning,
    strategy: str,
    windows: spec.Cooldown,
    findings: Findings,
) -> spec.Behavior | None:
    """The rules, or None where the object has none and the strategy's own limits apply."""
    if entry is None and not (strategy == "HPA" and ("up_rate" in tuning or "down_rate" in tuning)):
        return None
    up, down = defaults.UP_RULES, defaults.DOWN_RULES
    if strategy == "HPA":
        up, down = _with_rates(up, down, tuning)
    entry = entry or {}
    return spec.Behavior(
        up=_rules(entry.get("scaleUp", {}), replace(up, window=windows.up), f"{_PATH}.scaleUp", findings),
        down=_rules(entry.get("scaleDown", {}), replace(down, window=windows.down), f"{_PATH}.scaleDown", findings),
    )


def _with_rates(
    up: spec.ScalingRules, down: spec.ScalingRules, tuning: Tuning
) -> tuple[spec.ScalingRules, spec.ScalingRules]:
    """AIBrix turns its rates into policies of the HPA it generates; we make the same policies."""
    if "up_rate" in tuning:
        up = replace(up, **_percent((tuning.get("up_rate", 2.0) - 1) * 100))
    if "down_rate" in tuning:
        down = replace(down, **_percent((1 - 1 / tuning.get("down_rate", 2.0)) * 100))
    return up, down


def _percent(share: float) -> dict[str, Any]:
    if share < 1:
        return {"select": spec.SelectPolicy.DISABLED, "policies": ()}
    # A rate may be as large as a double; a policy's value is what the API server takes, and no count is larger.
    value = int(min(share, 2**31 - 1))
    return {"select": spec.SelectPolicy.MAX, "policies": (spec.Policy("Percent", value, _AIBRIX_PERIOD),)}


def _rules(entry: Mapping[str, Any], base: spec.ScalingRules, path: str, findings: Findings) -> spec.ScalingRules:
    """One direction; what it leaves out is autoscaling/v2's default, field by field."""
    return spec.ScalingRules(
        window=base.window,
        select=spec.SelectPolicy(entry["selectPolicy"]) if "selectPolicy" in entry else base.select,
        policies=_policies(entry, path, findings) or base.policies,
        tolerance=tolerance(entry, path, findings),
    )


def _policies(entry: Mapping[str, Any], path: str, findings: Findings) -> tuple[spec.Policy, ...]:
    if entry.get("policies") == []:
        findings.problem(f"{path}.policies", [], "is empty; write a policy, or leave it out for the default")
    return tuple(
        spec.Policy(policy["type"], policy["value"], float(policy["periodSeconds"]))
        for policy in entry.get("policies", ())
        if policy is not MISSING and policy.keys() >= {"type", "value", "periodSeconds"}
    )


def tolerance(entry: Mapping[str, Any], path: str, findings: Findings) -> float | None:
    """The tolerance of one direction as the double Kubernetes computes with, or None."""
    text = entry.get("tolerance")
    if text is None:
        return None
    try:
        share = quantity.ratio(text)
    except quantity.QuantityError:
        findings.problem(f"{path}.tolerance", text, 'is not a number; write for example "0.05"')
        return None
    if share < 0:
        findings.problem(f"{path}.tolerance", text, 'is negative; write "0" for none')
        return None
    return share
