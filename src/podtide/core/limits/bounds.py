"""The least and the most replicas: always the last word. The engine applies it."""

from podtide.core.model.decision import Note
from podtide.core.model.spec import Bounds

STAGE = "bounds"

MOST = 2**31 - 1
"""Kubernetes keeps replica counts in 32 bits."""

TOO_MANY = "the desired replica count is more than the maximum replica count"
TOO_FEW = "the desired replica count is less than the minimum replica count"


def clamp(replicas: int, bounds: Bounds) -> tuple[int, Note | None]:
    """The count inside the bounds."""
    if 0 <= bounds.minimum <= replicas <= bounds.maximum <= MOST:
        return replicas, None
    # With a minimum above the maximum, which `validate` refuses, the maximum wins: it is what limits the bill.
    within = max(0, min(bounds.maximum, MOST, max(bounds.minimum, replicas)))
    if within == replicas:
        return replicas, None
    if within < replicas:
        return within, Note(STAGE, replicas, within, "TooManyReplicas", TOO_MANY)
    return within, Note(STAGE, replicas, within, "TooFewReplicas", TOO_FEW)


def ahead(replicas: int, bounds: Bounds, *, current: int) -> tuple[int, Note | None]:
    """The bound that lies in the direction of the change, as Kubernetes applies bounds with `behavior`.

    A count that stays where it is stays even outside the bounds. The engine moves such a count into the bounds before
    any metric is looked at, so for it this is `clamp`.
    """
    if replicas > current:
        most = min(bounds.maximum, MOST)
        return (
            (replicas, None) if replicas <= most else (most, Note(STAGE, replicas, most, "TooManyReplicas", TOO_MANY))
        )
    if replicas < current and replicas < bounds.minimum:
        return bounds.minimum, Note(STAGE, replicas, bounds.minimum, "TooFewReplicas", TOO_FEW)
    return replicas, None


def outside(current: int, bounds: Bounds) -> tuple[int, Note | None]:
    """Where a current count outside the bounds goes at once, whatever the metrics say."""
    if current > bounds.maximum:
        message = "Current number of replicas above Spec.MaxReplicas"
        return bounds.maximum, Note(STAGE, current, bounds.maximum, "TooManyReplicas", message)
    if current < bounds.minimum:
        message = "Current number of replicas below Spec.MinReplicas"
        return bounds.minimum, Note(STAGE, current, bounds.minimum, "TooFewReplicas", message)
    return current, None
