"""`hpa_behavior`: stabilisation, rate limits and bounds over a virtual clock, with the histories the rows build up."""

from collections.abc import Mapping
from typing import Any

from podtide.core.engine import around
from podtide.core.limits import rates
from podtide.core.model import quantity
from podtide.core.model.history import History
from podtide.core.model.spec import Behavior, Bounds, Policy, ScalingRules, SelectPolicy
from tests.conform.outcome import Comparison, Outcome, Row

DEFAULT_UP = (Policy("Pods", 4, 15.0), Policy("Percent", 100, 15.0))
DEFAULT_DOWN = (Policy("Percent", 100, 15.0),)

DOUBLED = "twice 2,000,000,000 wraps around upstream, which asks for -2^31; ours is cut at the maximum"
WRAPPED = "a policy of almost 2^31 pods wraps around upstream and forbids growth; ours permits what it says"


def behavior(wire: Mapping[str, Any] | None) -> Behavior | None:
    """`behavior` as a user writes it, with autoscaling/v2's defaults field by field."""
    if wire is None:
        return None
    return Behavior(
        up=_rules(wire.get("scaleUp") or {}, 0.0, DEFAULT_UP),
        down=_rules(wire.get("scaleDown") or {}, None, DEFAULT_DOWN),
    )


def _rules(wire: Mapping[str, Any], window: float | None, policies: tuple[Policy, ...]) -> ScalingRules:
    given, seconds = wire.get("policies"), wire.get("stabilizationWindowSeconds")
    tolerance = wire.get("tolerance")
    return ScalingRules(
        window=window if seconds is None else float(seconds),
        select=SelectPolicy(wire.get("selectPolicy") or "Max"),
        policies=policies
        if given is None
        else tuple(Policy(rule["type"], rule["value"], float(rule["periodSeconds"])) for rule in given),
        tolerance=None if tolerance is None else quantity.ratio(str(tolerance)),
    )


def run(row: Row) -> Outcome:
    """Compare one row: at each tick the count, the reasons, and the count between stabilising and limiting."""
    comparison, history = Comparison(row["id"]), History()
    spec: Mapping[str, Any] = row
    for place, (tick, expected) in enumerate(zip(row["ticks"], row["expected"], strict=True)):
        spec = tick.get("spec", spec)
        rules, bounds = behavior(spec["behavior"]), Bounds(spec["min_replicas"], spec["max_replicas"])
        now, current, proposed = tick["t"], tick["current"], tick["proposed"]
        window = float(row["downscale_stabilization_s"])
        if not history.recommendations:
            history.recommend(now, current, outdated=0.0)
        if rules is None:
            limited = around.without_behavior(proposed, history, current=current, bounds=bounds, window=window, now=now)
        else:
            limited = around.with_behavior(
                proposed, rules, history, current=current, bounds=bounds, otherwise=window, now=now
            )
        history.recommend(now, proposed, outdated=limited.outdated)
        change = limited.replicas - current
        if change and rules is not None:
            history.scaled(now, change, period=rates.longest(rules.up if change > 0 else rules.down))
        if place in row.get("platform_dependent_ticks", ()):
            comparison.leave_out(DOUBLED)
            safe = max(bounds.minimum, min(bounds.maximum, expected["stabilized"]))
            comparison.equal(f"tick {place} safe answer", safe, limited.replicas)
            continue
        if "pods_policy_overflow" in row["tags"] and limited.replicas != expected["desired"]:
            if WRAPPED not in comparison.left_out:
                comparison.leave_out(WRAPPED)
            most = min(expected["stabilized"], bounds.maximum)
            comparison.equal(f"tick {place} safe answer", True, expected["desired"] < limited.replicas <= most)
            continue
        _compare(comparison, f"tick {place}", expected, limited)
    return comparison.outcome()


def _compare(comparison: Comparison, where: str, expected: Mapping[str, Any], got: around.Limited) -> None:
    comparison.equal(f"{where} desired", expected["desired"], got.replicas)
    comparison.equal(f"{where} stabilized", expected["stabilized"], got.stable)
    comparison.equal(f"{where} limited", expected["limited"], got.limited is not None)
    reason = got.limited.reason if got.limited else "DesiredWithinRange"
    comparison.equal(f"{where} reason", expected["reason"], reason)
    held = got.stabilised.reason if got.stabilised else "ReadyForNewScale"
    comparison.equal(f"{where} stabilize_reason", expected["stabilize_reason"], held)
