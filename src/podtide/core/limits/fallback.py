"""The least count while metrics stay unavailable. The engine applies it.

It only ever lifts. A count that was written down in quieter times says nothing about the load during an outage, and
nothing shrinks on missing data; so a larger workload is held, as without a fallback.
"""

from collections.abc import Iterable

from podtide.core.model.decision import Note
from podtide.core.model.spec import Fallback

STAGE = "fallback"


def is_due(rule: Fallback | None, failing: Iterable[float], *, now: float) -> bool:
    """Whether a metric has failed for long enough. `failing` are the moments since when metrics have."""
    return rule is not None and any(now - since >= rule.after for since in failing)


def lift(replicas: int | None, rule: Fallback, *, current: int) -> tuple[int | None, Note | None]:
    """What the metrics ask for, lifted to the fallback's count; None where nothing may be done.

    With several metrics the highest wins here too: the fallback is what the failed one asks for.
    """
    if rule.replicas <= (current if replicas is None else replicas):
        return replicas, None
    message = f"metrics have been unavailable for at least {rule.after:g} s"
    return rule.replicas, Note(STAGE, replicas, rule.replicas, "Fallback", message)
