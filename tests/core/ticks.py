"""Specs, targets and a loop of ticks for the engine's tests, with everything usual filled in."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podtide.core import engine
from podtide.core.memory import Memory
from podtide.core.model.decision import Action, Applied, Condition, Decision, Outcome
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.core.model.spec import (
    Algorithm,
    Apa,
    AutoscalerSpec,
    Bounds,
    Cooldown,
    External,
    Hpa,
    Http,
    Key,
    Kpa,
    MetricSpec,
    PodPage,
    Select,
    Source,
    TargetRef,
    Threshold,
)
from podtide.core.model.view import PodView, TargetView

PAGE = PodPage(Http(), 8000, "/metrics")
QUEUE = External("queue")
DOWN = Failure(Reason.TIMEOUT, "no answer in 3 s")

STRATEGIES: Mapping[str, Algorithm] = {
    "KPA": Kpa(stable_window=60.0, panic_window=6.0, scale_to_zero_grace=0.0),
    "HPA": Hpa(),
    "APA": Apa(window=60.0),
}


def metric(source: Source = PAGE, target: float = 10.0, *, place: int = 0, **changes: Any) -> MetricSpec:
    """One metric, read every two seconds."""
    usual: dict[str, Any] = {"interval": 2.0}
    threshold = Threshold(target, round(target * 1000))
    return MetricSpec(f"{place}:load", source, Select("load"), threshold, **{**usual, **changes})


def spec(strategy: str | Algorithm = "KPA", *metrics: MetricSpec, **changes: Any) -> AutoscalerSpec:
    """An autoscaler from 1 to 100 replicas that shrinks without waiting."""
    usual: dict[str, Any] = {"bounds": Bounds(1, 100), "cooldown": Cooldown(up=0.0, down=0.0)}
    return AutoscalerSpec(
        key=Key("ns", "web"),
        uid="uid",
        generation=1,
        target=TargetRef("apps/v1", "Deployment", "web"),
        metrics=metrics or (metric(),),
        algorithm=STRATEGIES[strategy] if isinstance(strategy, str) else strategy,
        **{**usual, **changes},
    )


def pods(count: int, *, start: int = 0, **changes: Any) -> tuple[PodView, ...]:
    """Pods that have been ready for long."""
    if not changes:
        return _ready(count, start)
    return tuple(PodView(f"web-{number}", f"uid-{number}", **changes) for number in range(start, start + count))


@functools.cache
def _ready(count: int, start: int) -> tuple[PodView, ...]:
    return tuple(PodView(f"web-{number}", f"uid-{number}") for number in range(start, start + count))


@dataclass(slots=True)
class Loop:
    """A workload under an autoscaler: load in, decisions out. Pods follow the count at once unless told otherwise."""

    spec: AutoscalerSpec
    replicas: int = 4
    now: float = 10_000.0
    memory: Memory = field(default_factory=lambda: Memory(10_000.0))
    follows: bool = True
    """Whether what is decided is carried out."""
    extra: tuple[PodView, ...] = ()
    """Pods beside the ready ones."""
    ready: int | None = None
    """How many are ready; None is all that are asked for."""
    rivals: tuple[str, ...] = ()
    younger: tuple[str, ...] = ()
    failure: str | None = None

    @property
    def listed(self) -> tuple[PodView, ...]:
        return (*pods(self.replicas if self.ready is None else self.ready), *self.extra)

    @property
    def view(self) -> TargetView:
        """The target as it is now."""
        if self.failure is not None:
            return TargetView(self.now, failure=self.failure)
        return TargetView(self.now, self.replicas, self.replicas, "7", self.listed, self.rivals, self.younger)

    def read(self, load: float | None, *, place: int = 0, silent: int = 0, at: float | None = None) -> Reading:
        """A reading of a load spread evenly over the ready pods, of which the last `silent` do not answer."""
        moment, wanted = self.now if at is None else at, self.spec.metrics[place]
        if load is None:
            return Reading(wanted.id, moment, expected=len(self.listed), failure=DOWN)
        if isinstance(wanted.source, External):
            return Reading(wanted.id, moment, total=load)
        serving = [pod.uid for pod in self.listed if pod.is_ready]
        answering = serving[: len(serving) - silent]
        return Reading(
            wanted.id,
            moment,
            values={uid: load / len(serving) for uid in answering},
            expected=len(serving),
            failures=dict.fromkeys(serving[len(answering) :], DOWN),
        )

    def tick(self, *loads: float | None, silent: int = 0, step: float = 2.0) -> Decision:
        """Let time pass, read each metric, decide, carry out and settle."""
        self.now += step
        for place, load in enumerate(loads):
            engine.absorb(self.memory, self.spec, self.read(load, place=place, silent=silent))
        return self.decide()

    def decide(self, outcome: Outcome = Outcome.PATCHED) -> Decision:
        """Decide on what is known, carry out and settle. `outcome` is what becomes of a patch."""
        decision = engine.decide(self.memory, self.spec, self.view, self.now)
        applied = Applied(Outcome.UNCHANGED, self.replicas)
        if decision.action is Action.SUPPRESS:
            applied = Applied(Outcome.SUPPRESSED, self.replicas)
        elif decision.action is Action.PATCH and self.follows:
            if outcome is Outcome.PATCHED:
                self.replicas = decision.desired
            applied = Applied(outcome, self.replicas)
        engine.settle(self.memory, decision, applied, self.now)
        return decision

    def run(self, seconds: float, *loads: float | None, silent: int = 0, step: float = 2.0) -> Decision:
        """Ticks under a constant load; the last decision."""
        decision = self.tick(*loads, silent=silent, step=step)
        for _ in range(round(seconds / step) - 1):
            decision = self.tick(*loads, silent=silent, step=step)
        return decision


def condition(decision: Decision, kind: str) -> Condition:
    """One condition of a decision."""
    return next(each for each in decision.conditions if each.type == kind)


def stages(decision: Decision) -> dict[str, str]:
    """Each stage that took part, and its last reason."""
    return {note.stage: note.reason for note in decision.trail}
