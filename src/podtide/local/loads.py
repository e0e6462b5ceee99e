"""The load of a workload, shared among its ready pods.

`pods.PodFleet` keeps one per workload; the demo and tests set it at any time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Load:
    """What a workload has to carry, and who carries it."""

    now: Callable[[], float]
    total: float = 0.0
    """The load of the whole workload, in whatever its metric counts."""

    ready: set[str] = field(default_factory=set)
    """The uids of the pods that share it."""

    _integral: float = 0.0
    _since: float = 0.0

    @property
    def share(self) -> float:
        """The part of one ready pod; 0 when there is none."""
        return self.total / len(self.ready) if self.ready else 0.0

    @property
    def integral(self) -> float:
        """The share of one pod added up over time, in load × seconds."""
        return self._integral + self.share * (self.now() - self._since)

    def set(self, total: float) -> None:
        """Changes the load of the whole workload."""
        self._settle()
        self.total = total

    def join(self, uid: str) -> None:
        """A pod takes its part from now on."""
        self._settle()
        self.ready.add(uid)

    def leave(self, uid: str) -> None:
        """A pod takes no part any more."""
        self._settle()
        self.ready.discard(uid)

    def _settle(self) -> None:
        self._integral, self._since = self.integral, self.now()
