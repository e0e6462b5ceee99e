"""What must hold in `benchmarks.soak`, judged by what the server and the pods saw, not by what a controller says."""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

LOOKBACK = 14.0
"""Seconds of pages that a decision may rest on: the stable window, a tick, a slow patch, an outage of the server."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One autoscaler."""

    name: str
    minimum: int
    maximum: int
    target: float
    """Load per pod."""

    def count(self, load: float) -> int:
        """The count that a whole workload's load asks for."""
        return max(self.minimum, min(self.maximum, math.ceil(load / self.target - 1e-9)))


@dataclass(frozen=True, slots=True)
class Served:
    """One sound page that a pod has sent."""

    at: float
    value: float
    """What the page showed of this pod."""
    ready: int
    """Ready pods of the workload."""


@dataclass(slots=True)
class Judge:
    """Sees every page, every renewal of the Lease and every write."""

    rules: dict[str, Rule]
    violations: list[str] = field(default_factory=list)
    raised: int = 0
    lowered: int = 0
    statuses: int = 0
    terms: int = 0
    """How often another replica took the Lease."""
    holder: str = ""
    """Who has the Lease."""
    _served: dict[str, deque[Served]] = field(default_factory=dict)
    _until: float = -math.inf
    _writers: set[str] = field(default_factory=set)
    """Who has written in this term."""

    def served(self, name: str, page: Served) -> None:
        """A pod of this workload has sent a sound page."""
        pages = self._served.setdefault(name, deque())
        pages.append(page)
        while pages[0].at < page.at - LOOKBACK:
            pages.popleft()

    def leased(self, holder: str, until: float) -> None:
        """The Lease was written; its holder may write until then."""
        if holder != self.holder:
            self.terms += bool(holder)
            self.holder, self._writers = holder, set()
        self._until = until

    def scaled(self, name: str, at: float, *, by: str, before: int, after: int) -> None:
        """Somebody has set a count."""
        rule, what = self.rules[name], f"{by or 'somebody'} sets {name} from {before} to {after}"
        self._permitted(at, by, what)
        if not rule.minimum <= after <= rule.maximum:
            self.violations.append(f"{what}, outside {rule.minimum} to {rule.maximum}")
        if after > before:
            self.raised += 1
        elif after < before:
            self.lowered += 1
            self._justified(rule, at, after, what)

    def told(self, name: str, at: float, *, by: str) -> None:
        """Somebody has written a status."""
        self.statuses += 1
        self._permitted(at, by, f"{by or 'somebody'} writes the status of {name}")

    def converged(self, loads: dict[str, float], counts: dict[str, int]) -> None:
        """Nothing goes wrong any more, and nothing has changed for a while."""
        for name, rule in self.rules.items():
            if counts[name] != rule.count(loads[name]):
                wanted = f"{rule.count(loads[name])}, which a load of {loads[name]:g} asks for"
                self.violations.append(f"{name} has come to rest at {counts[name]}, not {wanted}")

    def _permitted(self, at: float, by: str, what: str) -> None:
        if by != self.holder:
            self.violations.append(f"{what} while {self.holder or 'nobody'} holds the Lease")
        elif at > self._until:
            self.violations.append(f"{what} {at - self._until:.1f} s after its Lease has run out")
        self._writers.add(by)
        if len(self._writers) > 1:
            self.violations.append(f"{what}; there have been {sorted(self._writers)} in one term")

    def _justified(self, rule: Rule, at: float, after: int, what: str) -> None:
        """The lowest load that the pages of late can be read as: exact while the number of pods stands still."""
        pages = [page for page in self._served.get(rule.name, ()) if page.at >= at - LOOKBACK]
        if not pages:
            self.violations.append(f"{what}, though no pod has sent a sound page for {LOOKBACK:g} s")
            return
        least = rule.count(_lowest(pages))
        if after < least:
            self.violations.append(f"{what}; what the pods have sent asks for {least} at least")


def _lowest(pages: Iterable[Served]) -> float:
    pages = list(pages)
    return min(page.value for page in pages) * min(page.ready for page in pages)
