"""A HorizontalPodAutoscaler's status as upstream keeps it, told from the engine's decisions in upstream's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podtide.core.algorithms.hpa.answer import Answer, Trouble
from podtide.core.algorithms.hpa.evaluate import evaluate
from podtide.core.model.decision import Applied, Condition, Decision, Outcome
from podtide.core.model.spec import AutoscalerSpec, Hpa
from podtide.core.model.view import TargetView
from tests.conform import hpa_metrics, hpa_pods

Wire = Mapping[str, Any]

ABLE = {
    "ReadyForNewScale": "recommended size matches current size",
    "ScaleDownStabilized": "recent recommendations were higher than current one, "
    "applying the highest recent recommendation",
    "ScaleUpStabilized": "recent recommendations were lower than current one, "
    "applying the lowest recent recommendation",
    "SucceededGetScale": "the HPA controller was able to get the target's current scale",
}

DISABLED = "scaling is disabled since the replica count of the target is zero"


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass: what was asked and what the engine answered."""

    spec: AutoscalerSpec
    metrics: tuple[Wire, ...]
    tick: Wire
    decision: Decision
    applied: Applied
    scaled_to_zero: bool | None
    selector: str | None
    """Why upstream cannot use the target's selector, if it cannot."""

    @property
    def is_measured(self) -> bool:
        """Whether the metrics were looked at."""
        return bool(self.decision.proposals)

    def trouble(self) -> tuple[str, str, str] | None:
        """Of the first metric that failed: the reason, the condition's text and the error's text."""
        failed = [proposal for proposal in self.decision.proposals if proposal.replicas is None]
        if not failed:
            return None
        if self.selector is not None:
            text = "the HPA target's scale is missing a selector" if "required" in self.selector else self.selector
            return "InvalidSelector", text, self.selector
        condition, error = self.words(failed[0].metric)
        count = f"{len(failed)} invalid out of {len(self.metrics)}"
        return (
            failed[0].reason,
            f"the HPA was unable to compute the replica count: {condition}",
            f"invalid metrics ({count}), first error is: {error}",
        )

    def words(self, metric: str) -> tuple[str, str]:
        """Upstream's texts for a metric that failed: its clients tell apart what is one missing value to the core."""
        index = int(metric.split(":")[0])
        answer = self.answer(index)
        assert isinstance(answer, Trouble)
        return hpa_metrics.errors(self.metrics[index], answer)

    def answer(self, index: int) -> Answer | Trouble:
        """What the calculator says of one metric."""
        tick, wanted = self.tick, self.spec.metrics[index]
        listed = () if tick.get("selector") == "app=other" else hpa_pods.pods(tick["pods"])
        view = TargetView(tick["t"], tick["spec_replicas"], tick["status_replicas"], "1", listed)
        signal = hpa_metrics.signal(wanted, self.metrics[index], tick["metric_data"][index], tick["t"])
        assert isinstance(self.spec.algorithm, Hpa)
        return evaluate(self.spec.algorithm, wanted, signal, view, tick["t"])


@dataclass(slots=True)
class Status:
    """The stored status, and the last pass's error and events."""

    scale_to: int | None = None
    status_current_replicas: int = 0
    status_desired_replicas: int = 0
    last_scale_time_s: float | None = None
    conditions: dict[str, dict[str, Any]] = field(default_factory=dict)
    current_metrics: list[dict[str, Any] | None] = field(default_factory=list)
    error: str | None = None
    events: list[str] = field(default_factory=list)

    def update(self, done: Pass) -> None:
        """Go on to the status after one more pass."""
        decision, applied = done.decision, done.applied
        self.scale_to, self.error, self.events = None, None, []
        if decision.reason == "FailedGetScale":
            self._unreadable(done)
            return
        self.status_current_replicas = decision.current
        places = range(len(done.metrics)) if done.is_measured and done.selector is None else ()
        self.current_metrics = [self._metric(done, index) for index in places]
        trouble = done.trouble()
        self._conditions(done, trouble)
        self._metric_events(done, trouble)
        if trouble is not None and decision.upkeep is not None and decision.upkeep.recommendation is None:
            self._event("Warning", "FailedComputeMetricsReplicas", trouble[2])
            self.error = (
                f"failed to compute desired number of replicas based on listed metrics for Deployment/ns/target: "
                f"{trouble[2]}"
            )
            return
        self.error = trouble[2] if trouble is not None else None
        if applied.outcome is Outcome.FAILED:
            self._set(
                "AbleToScale", "False", "FailedUpdateScale", self._unable("update the target scale", applied), done
            )
            self._event(
                "Warning",
                "FailedRescale",
                f"New size: {decision.desired}; reason: {_why(done)}; error: {applied.error}",
            )
            self.error = f"failed to rescale Deployment/ns/target: {applied.error}"
        elif applied.outcome is Outcome.UNCHANGED:
            self.status_desired_replicas = decision.current
        elif applied.outcome is Outcome.PATCHED:
            self.scale_to = self.status_desired_replicas = decision.desired
            self.last_scale_time_s = decision.at
            message = f"the HPA controller was able to update the target scale to {decision.desired}"
            self._set("AbleToScale", "True", "SucceededRescale", message, done)
            self._event("Normal", "SuccessfulRescale", f"New size: {decision.desired}; reason: {_why(done)}")
        self._zero(done)

    def _unreadable(self, done: Pass) -> None:
        why = done.decision.message
        message = f"the HPA controller was unable to get the target's current scale: {why}"
        self._set("AbleToScale", "False", "FailedGetScale", message, done)
        self._event("Warning", "FailedGetScale", why)
        self.error = (
            f"invalid API version in scale target reference: {why}"
            if "GroupVersion" in why
            else f"failed to query scale subresource for Deployment/ns/target: {why}"
        )

    @staticmethod
    def _unable(what: str, applied: Applied) -> str:
        return f"the HPA controller was unable to {what}: {applied.error}"

    @staticmethod
    def _metric(done: Pass, index: int) -> dict[str, Any] | None:
        if done.decision.proposals[index].replicas is None:
            return None
        answer = done.answer(index)
        assert isinstance(answer, Answer)
        return hpa_metrics.status(done.metrics[index], answer)

    def _conditions(self, done: Pass, trouble: tuple[str, str, str] | None) -> None:
        found: dict[str, Condition] = {condition.type: condition for condition in done.decision.conditions}
        able = found["AbleToScale"]
        self._set("AbleToScale", "True", able.reason, ABLE[able.reason], done)
        if (limited := found.get("ScalingLimited")) is not None:
            self._set("ScalingLimited", str(limited.status), limited.reason, limited.message, done)
        if (active := found.get("ScalingActive")) is None:
            return
        if active.status:
            winner = next(note for note in done.decision.trail if note.stage == "combine").message
            title = hpa_metrics.title(done.metrics[int(winner.split(":")[0])])
            message = f"the HPA was able to successfully calculate a replica count from {title}"
            self._set("ScalingActive", "True", active.reason, message, done)
        elif trouble is None:
            self._set("ScalingActive", "False", active.reason, DISABLED, done)
        else:
            self._set("ScalingActive", "False", trouble[0], trouble[1], done)

    def _metric_events(self, done: Pass, trouble: tuple[str, str, str] | None) -> None:
        if done.selector is not None:
            if trouble is not None:
                reason = "SelectorRequired" if "required" in done.selector else "InvalidSelector"
                self._event("Warning", reason, done.selector)
            return
        for proposal in done.decision.proposals:
            if proposal.replicas is None:
                self._event("Warning", proposal.reason, done.words(proposal.metric)[0])

    def _zero(self, done: Pass) -> None:
        if done.scaled_to_zero is None:
            self.conditions.pop("ScaledToZero", None)
        elif done.scaled_to_zero:
            message = "the HPA controller scaled the workload to zero"
            self._set("ScaledToZero", "True", "ScaledToZero", message, done)
        else:
            message = "the HPA controller did not scale the workload to zero"
            self._set("ScaledToZero", "False", "NotScaledToZero", message, done)

    def _set(self, kind: str, status: str, reason: str, message: str, done: Pass) -> None:
        before = self.conditions.get(kind, {})
        since = before["last_transition_s"] if before.get("status") == status else done.tick["t"]
        self.conditions[kind] = {"status": status, "reason": reason, "message": message, "last_transition_s": since}

    def _event(self, kind: str, reason: str, message: str) -> None:
        self.events.append(f"{kind} {reason} {message}")


def _why(done: Pass) -> str:
    """The decision's message, with the metric called what upstream calls it."""
    message = done.decision.message
    for index, metric in enumerate(done.spec.metrics):
        if message.startswith(metric.id):
            return hpa_metrics.title(done.metrics[index]) + message.removeprefix(metric.id)
    return message
