"""A load that is shared evenly, and a capacity per pod: nothing waits, what is beyond the capacity is lost.

For long traces, and for metrics that are no requests. It is the model behind every `current × value ÷ target`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from podtide.sim.service import Recent, Served, Shares
from podtide.sim.traces import Trace

GAUGES = ("load", "requests_total")


@dataclass(frozen=True, slots=True)
class Carrying:
    """One pod."""

    capacity: float
    """Requests a second."""


class Ratio:
    """The workload; its load is the trace's rate, in requests a second."""

    def __init__(self, pod: Carrying, trace: Trace, begin: float) -> None:
        self.served = Served()
        self._pod = pod
        self._trace = trace
        self._begin = begin
        self._now = begin
        self._pods: dict[str, None] = {}
        self._recent = Recent(begin)
        self._shares = Shares()

    @property
    def gauges(self) -> tuple[str, ...]:
        """The share of one pod."""
        return GAUGES

    def capacity(self) -> float:
        """Requests a second."""
        return self._pod.capacity

    def advance(self, now: float) -> None:
        """Count what arrives until then, and what of it is beyond the pods."""
        width, requests, served = self._trace.width, self._trace.requests, self.served
        most = self._pod.capacity * len(self._pods)
        at = self._now - self._begin
        end = min(now - self._begin, self._trace.duration)
        while at < end:
            index = int(at / width)
            following = min(end, (index + 1) * width)
            if following <= at:
                # The quotient was rounded down to the interval before.
                index, following = index + 1, min(end, (index + 2) * width)
            count = requests[index] * (following - at) / width
            served.offered += count
            served.excess += max(0.0, count - most * (following - at))
            at = following
        self._now = now

    def join(self, uid: str, now: float) -> None:
        """It carries its share from now on."""
        self._pods[uid] = None

    def leave(self, uid: str, now: float, grace: float) -> float:
        """It carries none from now on."""
        self._pods.pop(uid, None)
        return now

    def read(self, gauge: str, now: float) -> Mapping[str, float]:
        """An even share for each pod."""
        if not self._pods:
            return {}
        if gauge == "requests_total":
            return self._shares.read(self.served.offered, self._pods)
        return dict.fromkeys(self._pods, self.total(gauge, now) / len(self._pods))

    def total(self, gauge: str, now: float) -> float:
        """The rate since the last reading, in requests a second."""
        if gauge == "requests_total":
            return self.served.offered
        return self._recent.rate(now, self.served.offered)
