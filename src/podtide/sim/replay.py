"""A recording through the engine once more: the same policy must decide the same, another shows where it differs.

The pods and what they were asked for are as recorded, whatever is decided here; so of another policy this shows what it
would have wanted at each moment, and not where it would have led. `sim.runner` shows that, on a model.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from podtide.api import summary
from podtide.api.recording import Begin, RecordingError, Tick
from podtide.core import engine
from podtide.core.memory import Memory
from podtide.core.model.decision import Applied, Decision, Outcome
from podtide.core.model.spec import AutoscalerSpec

COMPARED = ("current", "desired", "action", "reason", "message", "minReplicas", "maxReplicas", "metrics", "steps")
"""What two decisions are compared by."""
BESIDE = ("forecast", "shadow")
"""What the same policy has to say alike, too. Another has its own forecast and shadow."""


@dataclass(frozen=True, slots=True)
class Step:
    """One recorded tick and what was decided on it now."""

    tick: Tick
    spec: AutoscalerSpec
    decision: Decision
    now: Mapping[str, Any]
    """The decision, as the recording tells decisions."""
    compared: tuple[str, ...] = COMPARED

    @property
    def is_same(self) -> bool:
        """Whether the decision is as recorded, with every number on the way to it."""
        return all(self.now.get(name) == self.tick.decision.get(name) for name in self.compared)

    @property
    def why(self) -> str:
        """The first number that differs, in words; empty where none does."""
        before, after = self.tick.decision, self.now
        for old, new in zip(before["steps"], after["steps"], strict=False):
            if old != new:
                return f"{_told(old)}; now {_told(new)}"
        longer, which = (before, "recorded") if len(before["steps"]) > len(after["steps"]) else (after, "now")
        rest = longer["steps"][min(len(before["steps"]), len(after["steps"])) :]
        if rest:
            return f"{which} also {_told(rest[0])}"
        names = [name for name in self.compared if before.get(name) != after.get(name)]
        return f"{names[0]} {before.get(names[0])}; now {after.get(names[0])}" if names else ""


def _told(step: Mapping[str, Any]) -> str:
    counts = f"{step.get('before', '?')} → {step.get('after', '?')}"
    why = f" ({step['message']})" if step.get("message") else ""
    return f"{step['stage']} {counts} {step['reason']}{why}"


def replay(
    entries: Iterable[Begin | Tick], policy: Callable[[Begin], AutoscalerSpec], *, is_other: bool
) -> Iterator[Step]:
    """Decide every recorded tick anew.

    Args:
        entries: the lines of a recording, in order; ticks before an autoscaler's `Begin` are left out.
        policy: which spec to decide by.
        is_other: whether that is another one than the recorded. Then what it remembers is its own throughout, and a
            recorded scaling counts as its own only where it asked for the same.

    Raises:
        RecordingError: this version cannot read what was remembered.
    """
    specs: dict[str, AutoscalerSpec] = {}
    memories: dict[str, Memory] = {}
    for entry in entries:
        name = entry.autoscaler
        if isinstance(entry, Begin):
            specs[name] = policy(entry)
            if not is_other or name not in memories:
                memories[name] = _remembered(entry)
        elif name in specs:
            yield _step(entry, specs[name], memories[name], is_other=is_other)


def _remembered(begin: Begin) -> Memory:
    try:
        return Memory.restore(begin.memory)
    except ValueError as error:
        raise RecordingError(f"{begin.autoscaler}: {error}; use the podtide that wrote it") from error


def _step(tick: Tick, spec: AutoscalerSpec, memory: Memory, *, is_other: bool) -> Step:
    for reading in tick.readings:
        engine.absorb(memory, spec, reading)
    decision = engine.decide(memory, spec, tick.view, tick.at)
    applied = tick.applied
    if is_other and decision.desired != tick.decision["desired"]:
        applied = Applied(Outcome.SUPPRESSED, applied.replicas)
    engine.settle(memory, decision, applied, tick.at)
    compared = COMPARED if is_other else (*COMPARED, *BESIDE)
    return Step(tick, spec, decision, summary.summarise(decision), compared)
