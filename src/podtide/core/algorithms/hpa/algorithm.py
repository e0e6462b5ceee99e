"""Kubernetes' HorizontalPodAutoscaler as one of Podtide's algorithms. `registry` makes it, the engine asks it."""

from dataclasses import dataclass

from podtide.core.algorithms import target
from podtide.core.algorithms.hpa import guards
from podtide.core.algorithms.hpa.answer import Answer, Rule, Trouble
from podtide.core.algorithms.hpa.evaluate import evaluate
from podtide.core.model.decision import Note, Proposal
from podtide.core.model.figures import plain
from podtide.core.model.signal import Signal
from podtide.core.model.spec import Hpa, MetricSpec
from podtide.core.model.view import TargetView
from podtide.core.windows.spec import WindowSpec

STAGE = "hpa"


@dataclass(frozen=True, slots=True)
class HorizontalPods:
    """Ratio of the latest values to the target, outside a tolerance band. It keeps no windows and no state."""

    rules: Hpa

    @property
    def state_type(self) -> None:
        """Nothing is remembered between ticks."""
        return None

    def windows(self) -> tuple[WindowSpec, ...]:
        """None: the latest value of each pod counts."""
        return ()

    def propose(
        self,
        metric: MetricSpec,
        signal: Signal,
        view: TargetView,
        state: object,
        now: float,
    ) -> Proposal:
        """The count that holds the metric at its target; none, with HPA's reason, where it cannot be computed."""
        if self.rules.guarded:
            view, signal = guards.without_finished(view), guards.without_negative(signal)
        answer = evaluate(self.rules, metric, signal, view, now)
        if isinstance(answer, Trouble):
            return Proposal(
                metric.id, None, target.failure_reason(metric), answer.text, target=metric.threshold.value, state=state
            )
        replicas, held = guards.hold(answer, view.replicas) if self.rules.guarded else (answer.replicas, None)
        note = Note(STAGE, view.replicas, answer.replicas, _word(answer.rule), _explanation(answer, metric, view))
        return Proposal(
            metric.id,
            replicas,
            "ValidMetricFound",
            value=_value(answer),
            target=metric.threshold.value,
            notes=(note, held) if held else (note,),
            state=state,
        )


def _value(answer: Answer) -> float | None:
    """What is compared with the target, in the target's unit."""
    if answer.utilization is not None:
        return float(answer.utilization)
    return None if answer.usage is None else answer.usage / 1000


def _word(rule: Rule) -> str:
    """A rule as one word, as reasons are written."""
    return "".join(part.capitalize() for part in rule.split("_"))


def _explanation(answer: Answer, metric: MetricSpec, view: TargetView) -> str:
    value = _value(answer)
    shown = "unknown" if value is None else plain(value)
    return f"{shown} of {plain(metric.threshold.value)}, ratio {answer.ratio:.4g}, {len(view.pods)} pods"
