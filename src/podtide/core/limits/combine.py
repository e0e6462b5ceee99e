"""Several metrics, one count: the highest proposal wins, and a metric that cannot say blocks any shrinking.

One rule for every strategy, Kubernetes' own. The engine calls it once per tick.
"""

from collections.abc import Iterable
from typing import NamedTuple

from podtide.core.model.decision import Proposal


class Combined(NamedTuple):
    """What the metrics together ask for."""

    replicas: int | None
    """None where nothing may be done: no metric could say, or one could not and the others would shrink."""
    winner: Proposal | None
    """The proposal that set the count, also one that was then blocked; None where no metric could say."""
    failed: tuple[Proposal, ...]
    """The proposals without a count, in order."""

    @property
    def is_blocked(self) -> bool:
        """Whether there was a count, and a failed metric forbade it."""
        return self.replicas is None and self.winner is not None


def combine(proposals: Iterable[Proposal], current: int) -> Combined:
    """The highest proposal, or none when a proposal is missing and the highest lies below `current`.

    An unknown metric could ask for any count, so what the known ones ask for is a least count: it may grow the
    workload or hold it, never shrink it.
    """
    highest = 0
    winner: Proposal | None = None
    failed: list[Proposal] = []
    for proposal in proposals:
        if proposal.replicas is None:
            failed.append(proposal)
        # Upstream takes 0 for "none yet", so of several proposals of 0 the last is named as the winner.
        elif winner is None or highest == 0 or proposal.replicas > highest:
            highest, winner = proposal.replicas, proposal
    if winner is None or (failed and highest < current):
        return Combined(None, winner, tuple(failed))
    return Combined(highest, winner, tuple(failed))
