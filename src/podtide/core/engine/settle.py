"""Keeps what a tick leaves behind: the algorithms' states, the recommendation, and the scaling if there was one."""

from podtide.core.engine import zero
from podtide.core.memory import Memory
from podtide.core.model.decision import Applied, Decision, Outcome


def settle(memory: Memory, decision: Decision, applied: Applied, now: float) -> None:
    """Take note of a decision and of what became of it.

    The recommendation counts whether or not it was carried out; a scaling counts only if the target was really changed,
    and by us.
    """
    upkeep = decision.upkeep
    if upkeep is None:
        return
    if upkeep.has_lapsed:
        memory.restart(decision.at)
    memory.clock = max(memory.clock, now)
    is_open = memory.left is not None
    if is_open and memory.replicas and not decision.current and upkeep.to_zero:
        # It came to zero since the last owner's last word, who may have ended before it could say that this was its
        # doing, or by a patch of ours that was not answered: better wake what somebody else has put to sleep meanwhile
        # than let ours sleep for good.
        memory.scaled_to_zero = True
    memory.left = now if _may_be_zero(decision, applied, is_open=is_open) else None
    # Ours, somebody else's since the last tick, or somebody else's that made the API server refuse ours.
    if applied.replicas != decision.current or memory.replicas not in (None, decision.current):
        memory.changed = now
    memory.replicas = applied.replicas
    if upkeep.is_crowded:
        memory.crowded = now
    memory.has_run = memory.has_run or decision.current > 0
    if memory.scaled_to_zero is None and not memory.has_run and zero.is_kept(decision):
        # Nobody knows whose zero it was that this object began with. It may be zero by this object's own bounds, so a
        # schedule or an edit that raises the minimum ends it, as if it had been reached under them.
        memory.scaled_to_zero = True
    memory.failing = dict(upkeep.failing)
    memory.horizon = decision.horizon
    for proposal in decision.proposals:
        memory.states[proposal.metric] = proposal.state
    _remember(memory, decision, applied, now)
    if decision.shadow is None:
        memory.shadow = None
    else:
        memory.shadow = memory.shadow or memory.other()
        # What was done was not its doing, whoever did it.
        settle(memory.shadow, decision.shadow, Applied(Outcome.SUPPRESSED, applied.replicas), now)
        # But a zero that is the object's own is the shadow's to come back from, too: it stands for the object's policy.
        memory.shadow.scaled_to_zero = memory.scaled_to_zero


def _may_be_zero(decision: Decision, applied: Applied, *, is_open: bool) -> bool:
    """Whether a scaling to zero may have been carried out that was not answered.

    What is refused after such a patch may be so because of that patch; what is refused otherwise, because of others.
    """
    is_unknown = applied.outcome is Outcome.FAILED or (applied.outcome is Outcome.REFUSED and is_open)
    return is_unknown and decision.desired == 0 < decision.current


def _remember(memory: Memory, decision: Decision, applied: Applied, now: float) -> None:
    upkeep, history = decision.upkeep, memory.history
    if upkeep is None:
        return
    if upkeep.has_missed or not history.recommendations:
        # As Kubernetes does: a new or restarted autoscaler has recommended the count it found.
        history.recommend(decision.at, decision.current, outdated=upkeep.outdated)
    if upkeep.recommendation is not None:
        history.recommend(decision.at, upkeep.recommendation, outdated=upkeep.outdated)
    is_scaled = applied.outcome is Outcome.PATCHED
    change = decision.desired - decision.current
    if is_scaled and change and upkeep.periods is not None:
        history.scaled(now, change, period=upkeep.periods[0 if change > 0 else 1])
    if upkeep.to_zero is None:
        if is_scaled or upkeep.is_off:
            memory.scaled_to_zero = None
    elif is_scaled:
        memory.scaled_to_zero = zero.is_reached(decision)
