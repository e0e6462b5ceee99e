"""The two ways to hold per-pod values against a target: their mean, and their share of the pods' requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from podtide.core.algorithms.hpa import arithmetic
from podtide.core.algorithms.hpa.answer import Trouble, TroubleKind
from podtide.core.model import quantity


@dataclass(frozen=True, slots=True)
class Level:
    """How per-pod values stand against the target."""

    ratio: float
    """1 is on target."""
    average: int
    """Thousandths per pod."""
    utilization: int | None = None
    """Per cent of the requests."""


class Measure(Protocol):
    """One kind of target."""

    def level(self, usage: Mapping[str, int]) -> Level | Trouble:
        """Where the values (pod uid → thousandths, at least one) stand."""

    def at_target(self, uid: str) -> int:
        """The value an unknown pod is given where the guess must not make the workload look idle."""


@dataclass(frozen=True, slots=True)
class AverageValue:
    """A target per pod, in thousandths, above zero."""

    target: int

    def level(self, usage: Mapping[str, int]) -> Level:
        """The mean is cut to whole thousandths before it is compared. Values of unknown pods count like the rest."""
        average = quantity.saturate(arithmetic.quotient(sum(usage.values()), len(usage)))
        return Level(float(average) / float(self.target), average)

    def at_target(self, uid: str) -> int:
        """Exactly the target."""
        return self.target


@dataclass(frozen=True, slots=True)
class Utilization:
    """A target in per cent of the requests, above zero."""

    target: int
    requests: Mapping[str, int]
    """Pod uid → thousandths requested."""

    def level(self, usage: Mapping[str, int]) -> Level | Trouble:
        """Sum over sum, in whole per cent; values of pods without a request do not count."""
        used = requested = counted = 0
        for uid, value in usage.items():
            request = self.requests.get(uid)
            if request is not None:
                used += value
                requested += request
                counted += 1
        if requested == 0:
            return Trouble(TroubleKind.ZERO_REQUESTS, "no metrics returned matched known pods")
        percent = arithmetic.clamp(arithmetic.quotient(used * 100, requested))
        average = quantity.saturate(arithmetic.quotient(used, counted))
        return Level(float(percent) / float(self.target), average, percent)

    def at_target(self, uid: str) -> int:
        """All of the request, or more where the target itself is more."""
        return quantity.saturate(self.requests[uid] * max(100, self.target) // 100)
