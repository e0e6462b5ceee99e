"""AIBrix's algorithm: a ratio outside a tolerance band, clipped by rates. `registry` makes it.

Rules: https://github.com/vllm-project/aibrix/blob/main/pkg/controller/podautoscaler/algorithm/apa.go
"""

import math
from dataclasses import dataclass
from typing import Any, Final

from podtide.core import pods
from podtide.core.algorithms import ratio, target
from podtide.core.algorithms.carriers import Carriers
from podtide.core.model.decision import Note, Proposal
from podtide.core.model.figures import plain
from podtide.core.model.signal import Signal
from podtide.core.model.spec import Apa, MetricSpec, TargetType
from podtide.core.model.view import TargetView
from podtide.core.windows.spec import WindowSpec

STAGE: Final = "apa"
AVERAGE: Final = "average"


def scale(rules: Apa, *, current: int, value: float, target: float) -> tuple[int, Note]:
    """The count for `current` pods whose value per pod is this. `value` is finite.

    The order of the operations is part of the contract: `current × value ÷ target` rounds differently.
    """
    if target <= 0:
        return current, Note(STAGE, current, current, "NoTarget", f"the target {target:g} is not above zero")
    share = value / target
    wanted = ratio.ceiling(current * share) if current else 0.0  # the share may be infinite, 0 times which is NaN
    message = f"{plain(value)} per pod over target {plain(target)} is {share:.4g}"
    if share > 1.0 + rules.tolerance.up:
        # A rate below 1 would shrink the workload under load here, and grow an idle one below: AIBrix's does.
        most = max(float(current), ratio.ceiling(rules.max_scale_up_rate * current))
        # Held at the largest count before it is compared. AIBrix's goes through 32 bits first, and comes out negative.
        count = ratio.count(min(wanted, most))
        return count, Note(STAGE, current, count, "ScaleUpRate" if wanted > most else "AboveTolerance", message)
    if share < 1.0 - rules.tolerance.down:
        least = min(float(current), ratio.floor(ratio.over(current, rules.max_scale_down_rate)))
        count = ratio.count(max(wanted, least))
        return count, Note(STAGE, current, count, "ScaleDownRate" if wanted < least else "BelowTolerance", message)
    return current, Note(STAGE, current, current, "WithinTolerance", message)


@dataclass(frozen=True, slots=True)
class RatioBand:
    """The load of a window, shared by the pods that are asked for, against a band around the target."""

    rules: Apa

    @property
    def state_type(self) -> type[Carriers]:
        """What `propose` hands back for the next tick; only kept for targets that are the value of the whole."""
        return Carriers

    def windows(self) -> tuple[WindowSpec, ...]:
        """One linear window."""
        return (WindowSpec(AVERAGE, self.rules.window),)

    def propose(self, metric: MetricSpec, signal: Signal, view: TargetView, state: Any, now: float) -> Proposal:
        """The count that brings the value per pod to the target; none where the window says nothing usable.

        The value per pod is the window's total load over the pods that are asked for, not the mean of those that serve:
        so pods on their way, and the time the window takes to notice a change, do not make it grow again at each tick.
        """
        average, share = signal.windows.get(AVERAGE), target.per_pod(metric, view)
        if average is None or not math.isfinite(average):
            return _unknown(metric, state, str(signal.failure or "no value within the window"))
        if share is None:
            return _unknown(metric, state, "the pods do not say what they request, so there is no utilization")
        carriers = state if state is not None else Carriers()
        if metric.threshold.kind is TargetType.VALUE:
            serving = max(1, min(pods.ready(view), view.replicas))
            carriers = carriers.record(now, serving, keep=self.rules.window)
        load = target.load(metric, average, carriers, window=self.rules.window, now=now)
        current = max(1, view.replicas)  # from zero, as from one: a multiple of nothing is nothing
        count, note = scale(self.rules, current=current, value=load / current, target=share)
        return Proposal(
            metric.id,
            count,
            note.reason,
            note.message,
            value=target.shown(metric, average, pods=current, share=share),
            target=metric.threshold.value,
            notes=(note,),
            state=carriers if carriers.steps else None,
        )


def _unknown(metric: MetricSpec, state: Any, why: str) -> Proposal:
    return Proposal(metric.id, None, target.failure_reason(metric), why, target=metric.threshold.value, state=state)
