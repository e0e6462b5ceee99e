"""Where Podtide is more careful than Kubernetes' arithmetic; conformance turns these off. `algorithm` applies them."""

from dataclasses import replace

from podtide.core.algorithms.hpa import arithmetic
from podtide.core.algorithms.hpa.answer import Answer, Rule
from podtide.core.model.decision import Note
from podtide.core.model.signal import Signal
from podtide.core.model.view import TargetView

STAGE = "hpa"

_COUNTING = frozenset(
    {Rule.PLAIN_SCALED, Rule.PLAIN_SCALED_AGAINST_DIRECTION, Rule.REBALANCED_SCALED, Rule.VALUE_SCALED}
)
"""The rules whose count is a ratio times a number of pods."""


def without_finished(view: TargetView) -> TargetView:
    """The view without pods that have succeeded: upstream waits for their values for ever, which blocks shrinking."""
    if not any(pod.phase == "Succeeded" for pod in view.pods):
        return view
    return replace(view, pods=tuple(pod for pod in view.pods if pod.phase != "Succeeded"))


def without_negative(signal: Signal) -> Signal:
    """The signal with a negative value of the whole workload taken for none: upstream can ask for the maximum there."""
    if signal.total is None or signal.total >= 0:
        return signal
    return signal._replace(total=0.0)


def hold(answer: Answer, current: int) -> tuple[int, Note | None]:
    """A count that rests on counted pods, kept between the current count and what its own ratio makes of that.

    Upstream multiplies the ratio by the pods it counted. If these are fewer than asked for, it can shrink an overloaded
    workload; if they are more, as during a rollout, it grows by the surge, and again with the next rollout.
    """
    if answer.rule not in _COUNTING or current == 0:
        return answer.replicas, None
    if answer.ratio > 1.0:
        most = max(current, arithmetic.count(answer.ratio * current))
        replicas = max(current, min(most, answer.replicas))
    else:
        replicas = min(current, answer.replicas)
    if replicas == answer.replicas:
        return replicas, None
    message = f"{answer.replicas} would count other pods than the {current} asked for"
    return replicas, Note(STAGE, answer.replicas, replicas, "HeldToCurrentReplicas", message)
