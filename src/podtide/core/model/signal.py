"""What an algorithm sees of one metric: the latest values and the windows' averages."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from podtide.core.model.reading import Failure, Span

_NONE: Mapping[str, Any] = MappingProxyType({})


class Signal(NamedTuple):
    """One metric at one instant. A tuple, as every tick makes one per metric: see `model.decision`."""

    metric: str
    """`MetricSpec.id`."""
    at: float | None
    """When the newest reading that held a value was taken; None where there has been none."""
    per_pod: Mapping[str, float] = _NONE
    """Pod uid → latest value, of pods that still exist."""
    spans: Mapping[str, Span] = _NONE
    total: float | None = None
    """The latest value of the whole workload, from sources that have no pods."""
    windows: Mapping[str, float | None] = _NONE
    """Window name → the whole workload's load averaged over it; None where the window is empty."""
    coverage: float = 0.0
    """The share of the expected pods that answered, 0 to 1; 1 for a source without pods that answered."""
    expected: int = 0
    """How many pods should have answered."""
    age: float = float("inf")
    """Seconds since `at`."""
    failures: Mapping[str, Failure] = _NONE
    failure: Failure | None = None
    """Why the newest reading gave nothing at all; None when it gave something."""
