"""What every algorithm is: the windows it wants kept, and a proposal per metric. The engine calls these.

An algorithm is a frozen dataclass of its parameters. It keeps nothing between calls: what it must remember travels in
the proposal, and `engine.settle` hands it back as `state` with the next tick.
"""

from typing import Any, Protocol

from podtide.core.model.decision import Proposal
from podtide.core.model.signal import Signal
from podtide.core.model.spec import MetricSpec
from podtide.core.model.view import TargetView
from podtide.core.windows.spec import WindowSpec


class Algorithm(Protocol):
    """How the load of one metric becomes a count. Deterministic: equal arguments give equal proposals."""

    @property
    def state_type(self) -> type[Any] | None:
        """The frozen dataclass its proposals carry, of plain values only, so that it survives a restart; or None."""

    def windows(self) -> tuple[WindowSpec, ...]:
        """The windows to keep of each metric; `signal.windows` has their names."""

    def propose(self, metric: MetricSpec, signal: Signal, view: TargetView, state: Any, now: float) -> Proposal:
        """The count that holds the metric at its target, before any limit that is not the algorithm's own.

        `state` is what the last kept proposal for this metric carried, or None. Where there is no usable value the
        proposal has no count, a reason such as `FailedGetPodsMetric`, and carries the state on unchanged.
        """
