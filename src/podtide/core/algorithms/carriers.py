"""How many pods shared the load over a window, for targets that are the value of the whole. KPA and APA ask.

Such a value (a queue's length, a latency) falls as pods are added, so the wanted count is a multiple of the pods that
were there when it was measured. The value is an average over the window; multiplying it by the count of now would take
the pods that are already on their way for pods that did not help, and grow again at every tick.
"""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Carriers:
    """The counts of pods in turn."""

    steps: tuple[tuple[float, int], ...] = ()
    """(since, pods), oldest first."""

    def record(self, now: float, pods: int, *, keep: float) -> Self:
        """The history with the count of now, back to `keep` seconds ago."""
        steps = tuple(step for step in self.steps if step[0] < now)
        if not steps or steps[-1][1] != pods:
            steps = (*steps, (now, pods))
        # The newest step before the horizon is still in force at it.
        first = max((index for index, step in enumerate(steps) if step[0] <= now - keep), default=0)
        return type(self)(steps[first:])

    def mean(self, now: float, window: float) -> float:
        """The mean count of the last `window` seconds, or of as many as are known."""
        ends = [*(since for since, _ in self.steps[1:]), now]
        weights = [max(0.0, end - max(since, now - window)) for (since, _), end in zip(self.steps, ends, strict=True)]
        whole = sum(weights)
        if not whole:
            return float(self.steps[-1][1]) if self.steps else 1.0
        return sum(weight / whole * pods for weight, (_, pods) in zip(weights, self.steps, strict=True))

    def moved(self, by: float) -> Self:
        """The same history on a clock that has jumped by so many seconds."""
        return type(self)(tuple((since + by, pods) for since, pods in self.steps))
