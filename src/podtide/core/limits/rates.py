"""How far the count may move at once: `behavior`'s policies, and Kubernetes' rule where there are none."""

import math
from collections.abc import Callable

from podtide.core.limits.bounds import MOST
from podtide.core.model.decision import Note
from podtide.core.model.history import History
from podtide.core.model.spec import Bounds, Policy, ScalingRules, SelectPolicy

STAGE = "rates"

GROWS_TOO_FAST = "the desired replica count is increasing faster than the maximum scale rate"
SHRINKS_TOO_FAST = "the desired replica count is decreasing faster than the maximum scale rate"


def doubling(replicas: int, *, current: int, bounds: Bounds) -> tuple[int, Note | None]:
    """At most twice the current count, or four: Kubernetes without `behavior`. Shrinking has no limit."""
    limit = max(2 * current, 4)
    if replicas <= limit or bounds.maximum <= limit:
        return replicas, None
    return limit, Note(STAGE, replicas, limit, "ScaleUpLimit", GROWS_TOO_FAST)


def policies(
    replicas: int,
    up: ScalingRules,
    down: ScalingRules,
    history: History,
    *,
    current: int,
    bounds: Bounds,
    first: int = 0,
    now: float,
) -> tuple[int, Note | None]:
    """The count as far as the policies let it move at `now`; from zero to `first` at least, unless they forbid it.

    Where a bound is nearer than the policies' limit it is left to the bound to say so.
    """
    if replicas > current:
        limit = ceiling(up, history, current=current, now=now)
        if up.select is not SelectPolicy.DISABLED:
            limit = max(limit, first)
        if limit < replicas and limit < bounds.maximum:
            return limit, Note(STAGE, replicas, limit, "ScaleUpLimit", GROWS_TOO_FAST)
    elif replicas < current:
        limit = floor(down, history, current=current, now=now)
        if limit > replicas and limit > bounds.minimum:
            return limit, Note(STAGE, replicas, limit, "ScaleDownLimit", SHRINKS_TOO_FAST)
    return replicas, None


def ceiling(rules: ScalingRules, history: History, *, current: int, now: float) -> int:
    """The highest count these rules allow at `now`: never below the current one."""

    def limit(policy: Policy) -> int:
        base = _base(policy, history, current=current, now=now)
        if policy.kind == "Pods":
            return base + policy.value
        # Doubles in exactly this shape: 100 and 10 % give 111 here as they do in Kubernetes, not 110.
        return _whole(math.ceil, base * (1 + policy.value / 100))

    if rules.select is SelectPolicy.DISABLED:
        return current
    limits = map(limit, rules.policies)
    chosen = min(limits, default=MOST) if rules.select is SelectPolicy.MIN else max(limits, default=current)
    return min(max(chosen, current), MOST)


def floor(rules: ScalingRules, history: History, *, current: int, now: float) -> int:
    """The lowest count these rules allow at `now`: never above the current one."""

    def limit(policy: Policy) -> int:
        base = _base(policy, history, current=current, now=now)
        if policy.kind == "Pods":
            return base - policy.value
        # Doubles in exactly this shape: 100 and 90 % give 9 here as they do in Kubernetes, not 10.
        return _whole(math.trunc, base * (1 - policy.value / 100))

    if rules.select is SelectPolicy.DISABLED:
        return current
    limits = map(limit, rules.policies)
    # The smallest change is the highest floor.
    chosen = max(limits, default=-MOST) if rules.select is SelectPolicy.MIN else min(limits, default=current)
    return min(chosen, current)


def longest(rules: ScalingRules) -> float:
    """The longest period of the rules' policies, in seconds: events older than that no longer matter."""
    return max((policy.period for policy in rules.policies), default=0.0)


def _base(policy: Policy, history: History, *, current: int, now: float) -> int:
    """The count at the start of the policy's period. Events of both directions count in both directions' limits."""
    since = now - policy.period
    return current - history.added(since=since) + history.removed(since=since)


def _whole(rounding: Callable[[float], int], number: float) -> int:
    return rounding(max(-float(MOST), min(float(MOST), number)))
