"""What an algorithm sees of one metric: the latest values and the windows' averages."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from podtide.core.model.reading import Failure, Span


@dataclass(frozen=True, slots=True)
class Signal:
    """One metric at one instant."""

    metric: str
    """`MetricSpec.id`."""
    at: float | None
    """When the newest reading that held a value was taken; None where there has been none."""
    per_pod: Mapping[str, float] = field(default_factory=dict)
    """Pod uid → latest value, of pods that still exist."""
    spans: Mapping[str, Span] = field(default_factory=dict)
    total: float | None = None
    """The latest value of the whole workload, from sources that have no pods."""
    windows: Mapping[str, float | None] = field(default_factory=dict)
    """Window name → the whole workload's load averaged over it; None where the window is empty."""
    coverage: float = 0.0
    """The share of the expected pods that answered, 0 to 1; 1 for a source without pods that answered."""
    expected: int = 0
    """How many pods should have answered."""
    age: float = float("inf")
    """Seconds since `at`."""
    failures: Mapping[str, Failure] = field(default_factory=dict)
    failure: Failure | None = None
    """Why the newest reading gave nothing at all; None when it gave something."""
