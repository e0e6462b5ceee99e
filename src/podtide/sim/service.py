"""What a pod does with requests. The kinds are in `queueing`, `tokens` and `ratio`; `runner` and `cluster` call these.

A service knows the pods that take requests and nothing of scaling. It is asked forward in time only.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from typing import Protocol


class Served:
    """What came of the requests, as far as it is known."""

    __slots__ = ("dropped", "excess", "latencies", "offered")

    def __init__(self) -> None:
        self.latencies: array[float] = array("d")
        """Seconds from arrival to the moment that the bound is about, of each request, roughly in order.

        Infinite for one that was still with its pod when the grace ended: it is among the dropped.
        """
        self.dropped = 0.0
        """Requests that gave up waiting, or were with a pod when its grace ended."""
        self.offered = 0.0
        """Requests that have arrived."""
        self.excess = 0.0
        """Load beyond what the pods could carry, for services that know no single requests."""

    def known(self, first: int = 0, last: int | None = None) -> list[float]:
        """The latencies of the requests served, the least first; of those between two places if asked for."""
        found = sorted(self.latencies[first:last])
        return found[: bisect_left(found, math.inf)]


class Service(Protocol):
    """One workload's pods at work."""

    served: Served

    @property
    def gauges(self) -> tuple[str, ...]:
        """What can be read of a pod, the usual one first."""

    def capacity(self) -> float:
        """Work per second that one pod can do, in the unit of `work`."""

    def advance(self, now: float) -> None:
        """Let everything happen that happens before `now`."""

    def join(self, uid: str, now: float) -> None:
        """A pod has become ready and takes requests."""

    def leave(self, uid: str, now: float, grace: float) -> float:
        """A pod takes no more requests; when it is done with those it has, at most `grace` seconds from now.

        What is not done by then is dropped.
        """

    def read(self, gauge: str, now: float) -> Mapping[str, float]:
        """The gauge or counter of each pod that takes requests."""

    def total(self, gauge: str, now: float) -> float:
        """The same of the whole workload, whether or not it has pods."""


class Recent:
    """How many arrived since the gauge was read last, per second."""

    __slots__ = ("_at", "_count", "_rate")

    def __init__(self, now: float) -> None:
        self._at, self._count, self._rate = now, 0.0, 0.0

    def rate(self, now: float, count: float) -> float:
        """The rate since the last call at an earlier instant; `count` is how many there have been in all."""
        if now > self._at:
            self._rate = (count - self._count) / (now - self._at)
            self._at, self._count = now, count
        return self._rate


class Shares:
    """Counters of pods that take even shares of what the workload does."""

    __slots__ = ("_counted", "_of")

    def __init__(self) -> None:
        self._counted = 0.0
        self._of: dict[str, float] = {}

    def read(self, count: float, pods: Mapping[str, object]) -> dict[str, float]:
        """Each pod's counter when the workload's stands at `count`. A pod begins at 0."""
        share = (count - self._counted) / len(pods) if pods else 0.0
        if pods:
            self._counted = count
        self._of = {uid: self._of.get(uid, 0.0) + share for uid in pods}
        return dict(self._of)
