"""Waiting for a change to last: looking back on what was recommended lately. The engine applies it."""

from podtide.core.model.decision import Note
from podtide.core.model.history import History

STAGE = "stabilise"

HIGHEST = "recent recommendations were higher than current one, applying the highest recent recommendation"
LOWEST = "recent recommendations were lower than current one, applying the lowest recent recommendation"


def hold_peak(replicas: int, history: History, *, window: float, now: float) -> tuple[int, Note | None]:
    """The highest of the proposal and the recommendations of the window, its far edge included.

    Kubernetes without `behavior`. It can lift a count above the current one: a recommendation that another writer
    undid is asked for again.
    """
    highest = max([replicas, *history.since(now - window, inclusive=True)])
    if highest == replicas:
        return replicas, None
    return highest, Note(STAGE, replicas, highest, "ScaleDownStabilized", HIGHEST)


def between(
    replicas: int, history: History, *, current: int, up: float, down: float, now: float
) -> tuple[int, Note | None]:
    """The current count, raised to the lowest and then lowered to the highest recent recommendation.

    So growing waits until `up` seconds have asked for it, and shrinking until `down` seconds have. The far edges are
    excluded. Kubernetes with `behavior`, and AIBrix's cooldown: of whose recommendations we take the highest when
    shrinking, where AIBrix takes the lowest.
    """
    # The other direction's recommendations lie beyond the proposal and cannot matter, so they are not looked at.
    if replicas > current and up > 0:
        stable = max(current, min([replicas, *history.since(now - up)]))
        note = Note(STAGE, replicas, stable, "ScaleUpStabilized", LOWEST)
    elif replicas < current and down > 0:
        stable = min(current, max([replicas, *history.since(now - down)]))
        note = Note(STAGE, replicas, stable, "ScaleDownStabilized", HIGHEST)
    else:
        return replicas, None
    return stable, note if stable != replicas else None
