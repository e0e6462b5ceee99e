"""How many replicas each ReplicaSet of a Deployment is to have, step by step through a rollout. Pure arithmetic.

`deployments` calls it at every look, with the counts as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """A ReplicaSet's numbers."""

    wanted: int
    """Its `spec.replicas`."""

    available: int
    existing: int = 0
    """Its pods, those not yet ready included."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a rollout may do, in pods."""

    surge: int
    unavailable: int


def rules(strategy: dict[str, object], replicas: int) -> Rules:
    """The rules of a rolling update; percentages of surge round up, of unavailability down, and never both are 0."""
    rolling = strategy.get("rollingUpdate")
    given = rolling if isinstance(rolling, dict) else {}
    surge = _part(given.get("maxSurge", "25%"), replicas, up=True)
    unavailable = _part(given.get("maxUnavailable", "25%"), replicas, up=False)
    return Rules(surge, 1 if surge == 0 and unavailable == 0 else unavailable)


def _part(value: object, whole: int, *, up: bool) -> int:
    if isinstance(value, str) and value.endswith("%"):
        exact = int(value[:-1]) * whole / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(str(value))


def roll(replicas: int, new: Size, old: Sequence[Size], allowed: Rules) -> tuple[int, list[int]]:
    """The next sizes of the new ReplicaSet and of each old one."""
    if not any(size.wanted for size in old):
        return replicas, [0] * len(old)
    total = new.wanted + sum(size.wanted for size in old)
    room = replicas + allowed.surge - total
    grown = min(max(new.wanted, new.wanted + room), replicas)
    return grown, _shrunk(replicas, new, old, allowed)


def _shrunk(replicas: int, new: Size, old: Sequence[Size], allowed: Rules) -> list[int]:
    least = replicas - allowed.unavailable
    total = new.wanted + sum(size.wanted for size in old)
    starting = max(new.wanted - new.available, 0)
    spare = max(total - least - starting, 0)
    sizes = [size.wanted for size in old]
    # Pods that serve nobody go first: their loss costs nothing.
    for at, size in enumerate(old):
        cut = min(max(size.wanted - size.available, 0), spare)
        sizes[at] -= cut
        spare -= cut
    serving = new.available + sum(size.available for size in old) - least
    for at, size in enumerate(old):
        cut = min(sizes[at], size.available, max(serving, 0), spare)
        sizes[at] -= cut
        serving -= cut
        spare -= cut
    return sizes


def recreate(replicas: int, old: Sequence[Size]) -> tuple[int, list[int]]:
    """The sizes when all old pods have to be gone before new ones start."""
    return (0 if any(size.existing for size in old) else replicas), [0] * len(old)
