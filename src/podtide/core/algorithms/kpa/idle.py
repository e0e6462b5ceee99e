"""How long KPA keeps the last pod of an idle workload. `algorithm` calls it; the engine wakes it again."""

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
