"""The virtual clock: a heap of instants. `runner` puts what happens on it, and plays it in order."""

import heapq
from collections.abc import Callable
from enum import IntEnum


class Order(IntEnum):
    """What goes first of what falls on one instant: the world changes, then it is looked at, then it is decided."""

    WORLD = 0
    READ = 1
    DECIDE = 2


class Timeline:
    """Things to do at instants. Equal histories play alike: instants of one time and order go in order of entry."""

    __slots__ = ("_count", "_heap", "now")

    def __init__(self, now: float) -> None:
        self.now = now
        """The instant that is played."""
        self._heap: list[tuple[float, int, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: float, action: Callable[[], None], order: Order = Order.WORLD) -> None:
        """Do something at an instant; one that has passed already is now."""
        self._count += 1
        heapq.heappush(self._heap, (max(when, self.now), order, self._count, action))

    def run(self, until: float) -> None:
        """Play every instant before `until`."""
        heap = self._heap
        while heap and heap[0][0] < until:
            self.now, _, _, action = heapq.heappop(heap)
            action()
        self.now = until
