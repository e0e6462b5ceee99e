"""KPA around zero: how long the last pod stays, and what wakes a workload. `algorithm` calls it."""

from typing import Final

from podtide.core.algorithms.kpa.state import State
from podtide.core.model.decision import Note
from podtide.core.model.spec import Kpa

STAGE: Final = "kpa"


def zero_since(state: State, replicas: int, now: float) -> float | None:
    """Since when zero pods are asked for, if they are now."""
    if replicas > 0:
        return None
    return now if state.zero_since is None else state.zero_since


def keep_last(rules: Kpa, replicas: int, *, since: float | None, now: float) -> tuple[int, Note | None]:
    """One pod instead of none, until the grace and the retention of the last pod have passed."""
    if since is None:
        return replicas, None
    for seconds, reason in (
        (rules.last_pod_retention, "LastPodRetention"),
        (rules.scale_to_zero_grace, "ScaleToZeroGrace"),
    ):
        if now - since < seconds:
            return 1, Note(STAGE, replicas, 1, reason, f"idle for {now - since:g} of {seconds:g} s")
    return replicas, None


def wake(replicas: int, *, value: float, activation: float) -> tuple[int, Note]:
    """From zero: nothing up to the activation value, and at least one pod above it."""
    if value <= activation:
        return 0, Note(STAGE, replicas, 0, "BelowActivation", f"{value:g} is not above {activation:g}")
    return max(1, replicas), Note(STAGE, replicas, max(1, replicas), "Activated", f"{value:g} is above {activation:g}")
