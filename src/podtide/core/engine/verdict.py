"""What a tick comes to, before it is told: `judge` gathers this, `decide` makes the decision of it."""

from collections.abc import Mapping
from typing import NamedTuple

from podtide.core.engine.around import Limited
from podtide.core.limits.combine import Combined
from podtide.core.limits.freshness import Evidence
from podtide.core.model.decision import Note, Outlook, Proposal
from podtide.core.model.signal import Signal


class Measured(NamedTuple):
    """What the metrics said."""

    signals: tuple[Signal, ...]
    evidence: tuple[Evidence, ...]
    proposals: tuple[Proposal, ...]
    combined: Combined
    failing: Mapping[str, float]
    """Metric id → since when it has been without usable values."""
    outlooks: tuple[Outlook, ...] = ()


class Verdict(NamedTuple):
    """One tick's answer and how it came about."""

    desired: int
    reason: str
    """The word that set the result."""
    message: str
    """Why the count is to change, in HPA's words."""
    trail: tuple[Note, ...] = ()
    measured: Measured | None = None
    """None where no metric was looked at: switched off, or outside the bounds."""
    limited: Limited | None = None
    """None where no limit was reached: nothing was asked for."""
    recommendation: int | None = None
    is_off: bool = False
    """Whether the workload is at zero and nothing may wake it."""
    is_fallback: bool = False
    """Whether the fallback's count took part."""
    is_blind: bool = False
    """Whether fewer are asked for by metrics that were away, so that the current count stands for what they missed."""
