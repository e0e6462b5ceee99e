"""Past recommendations and scalings, as stabilisation and rates look back on them. Mutable; only `Memory` holds one.

Kubernetes reuses slots instead of pruning: a new entry overwrites the last one that is too old, and what was not
overwritten counts again when a window grows. This is that store, so a changed spec decides as it does there.
"""

from collections.abc import Iterable
from typing import NamedTuple

CAPACITY = 4096
"""The most entries of a kind. Recommendations every two seconds, each different, fill it in more than two hours."""


class Recommendation(NamedTuple):
    """A count that was asked for, before any limit."""

    at: float
    replicas: int


class Scaling(NamedTuple):
    """A change that was carried out."""

    at: float
    change: int
    """How many pods, without sign."""
    is_outdated: bool = False
    """Once too old for every policy of its time its slot may be reused, even if a longer period comes."""


class History:
    """What one autoscaler recommended, and did."""

    __slots__ = ("grown", "recommendations", "shrunk")

    def __init__(
        self,
        recommendations: Iterable[Recommendation] = (),
        grown: Iterable[Scaling] = (),
        shrunk: Iterable[Scaling] = (),
    ) -> None:
        self.recommendations = list(recommendations)
        self.grown = list(grown)
        self.shrunk = list(shrunk)

    def since(self, cutoff: float, *, inclusive: bool = False) -> list[int]:
        """The counts recommended after `cutoff`, or from it on."""
        if inclusive:
            return [replicas for at, replicas in self.recommendations if at >= cutoff]
        return [replicas for at, replicas in self.recommendations if at > cutoff]

    def recommend(self, at: float, replicas: int, *, outdated: float) -> None:
        """Keep a recommendation; one made before `outdated` may make room for it."""
        kept = self.recommendations
        for slot in range(len(kept) - 1, -1, -1):
            if kept[slot].at < outdated:
                kept[slot] = Recommendation(at, replicas)
                return
        kept.append(Recommendation(at, replicas))
        if len(kept) > CAPACITY:
            # The pair stands as its higher half: too early a shrink is the mistake to avoid.
            first, second = kept[0], kept[1]
            kept[:2] = [Recommendation(max(first.at, second.at), max(first.replicas, second.replicas))]

    def added(self, *, since: float) -> int:
        """How many pods were added after `since`."""
        return sum(event.change for event in self.grown if event.at > since)

    def removed(self, *, since: float) -> int:
        """How many pods were removed after `since`."""
        return sum(event.change for event in self.shrunk if event.at > since)

    def scaled(self, at: float, change: int, *, period: float) -> None:
        """Keep a scaling; `period` is the longest one of the policies of its direction."""
        events = self.grown if change > 0 else self.shrunk
        free = None
        for slot, event in enumerate(events):
            if event.at < at - period:
                events[slot] = event._replace(is_outdated=True)
            if events[slot].is_outdated:
                free = slot
        new = Scaling(at, abs(change))
        if free is not None:
            events[free] = new
            return
        events.append(new)
        if len(events) > CAPACITY:
            first, second = events[0], events[1]
            events[:2] = [Scaling(max(first.at, second.at), first.change + second.change)]
