"""What KPA remembers from tick to tick: an immutable value that survives a restart in the snapshot."""

from dataclasses import dataclass, field, replace
from typing import Self

from podtide.core.algorithms.carriers import Carriers
from podtide.core.model.spec import Kpa
from podtide.core.windows.extrema import Maximum


@dataclass(frozen=True, slots=True)
class State:
    """One metric's KPA between two ticks."""

    high: int = 0
    """The highest count asked for since the panic began; what is found at the start counts."""
    panic_since: float | None = None
    """When the panic threshold was last crossed; None outside a panic."""
    delay: Maximum | None = None
    """Recent recommendations, where there is a scale-down delay."""
    at: float = 0.0
    """The last tick that had data."""
    zero_since: float | None = None
    """Since when zero pods are asked for without a break."""
    carriers: Carriers = field(default_factory=Carriers)
    """How many pods shared the load. Only kept for targets that are the value of the whole."""

    def moved(self, by: float) -> Self:
        """The same state with every age kept on a clock that has jumped by so many seconds."""
        return replace(
            self,
            panic_since=None if self.panic_since is None else self.panic_since + by,
            at=self.at + by,
            zero_since=None if self.zero_since is None else self.zero_since + by,
            carriers=self.carriers.moved(by),
        )

    def delayed(self, seconds: float) -> Self:
        """The same state with the scale-down delay that the spec has now; what it has recorded stays."""
        if seconds <= 0:
            return self if self.delay is None else replace(self, delay=None)
        if self.delay is None:
            return replace(self, delay=Maximum(seconds))
        return self if self.delay.window == seconds else replace(self, delay=self.delay.resized(seconds))


def start(spec: Kpa, pods: int | None, now: float) -> State:
    """The state of an autoscaler that has just begun, on a workload of so many pods (None: unknown).

    More than one pod means that there was load before us, of which we know nothing: it begins in panic, so that the
    workload cannot shrink before a stable window has passed.
    """
    return State(
        high=pods or 0,
        panic_since=now if pods is not None and pods > 1 else None,
        delay=Maximum(spec.scale_down_delay) if spec.scale_down_delay > 0 else None,
        at=now,
    )
