"""Requests with a service time, and so many at a time per pod: a queue of the kind M/G/c, request by request.

One queue in order of arrival before all slots of all ready pods, as an ideal balancer would keep it: what Knative's
activator does with `containerConcurrency`. A real balancer that sends requests to busy pods does worse, never better
(first come, first served, one queue: Kleinrock, Queueing Systems I, chapter 5).
"""

import heapq
import math
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from podtide.sim.service import Recent, Served, Shares
from podtide.sim.workload import Requests

_SAME = 1e-5
"""Seconds within which two instants are one: seconds since 1970 are coarse, and sums of them rounded."""

GAUGES = ("concurrency", "running", "waiting", "rps", "cpu", "requests_total")


@dataclass(frozen=True, slots=True)
class Pace:
    """One pod."""

    concurrency: int = 1
    """Requests that it works on at the same time; each takes its service time."""
    patience: float = 60.0
    """Seconds after which a request that still waits is given up."""


class Queue:
    """The workload: what waits, and when each slot is free again."""

    def __init__(self, pace: Pace, requests: Requests) -> None:
        self.served = Served()
        self._pace = pace
        self._requests = requests
        self._next = 0
        self._slots: list[float] = []
        """When each slot is free, as a heap. Slots are alike, so which pod has which does not matter."""
        self._pods: dict[str, None] = {}
        self._begun = 0.0
        """Work begun so far by the pods there are, in seconds."""
        self._gone: array[int] = array("q")
        """The numbers of the requests that gave up, in order; so the others' places among the latencies are known."""
        self._recent = Recent(requests.begin)
        self._shares = Shares()
        self._busy = (requests.begin, 0.0, 0.0)

    @property
    def gauges(self) -> tuple[str, ...]:
        """Those of a pod: requests in flight with its share of the queue, and so on."""
        return GAUGES

    def capacity(self) -> float:
        """Seconds of service in a second."""
        return float(self._pace.concurrency)

    def advance(self, now: float) -> None:
        """Begin what can begin before `now`, and let go who has waited too long."""
        arrivals, work, slots = self._requests.arrivals, self._requests.work, self._slots
        latencies, patience = self.served.latencies, self._pace.patience
        replace, index, end = heapq.heapreplace, self._next, len(arrivals)
        begun, gone, before = self._begun, self._gone, len(self._gone)
        while index < end and slots:
            at, free = arrivals[index], slots[0]
            start = max(free, at)
            if start >= now:
                break
            if start - at > patience:
                gone.append(index)
            else:
                service = work[index]
                replace(slots, start + service)
                begun += service
                latencies.append(start + service - at)
            index += 1
        while index < end and arrivals[index] < now - patience:
            gone.append(index)
            index += 1
        self._next, self._begun = index, begun
        self.served.dropped += len(gone) - before

    def join(self, uid: str, now: float) -> None:
        """Its slots are free from now on."""
        self._pods[uid] = None
        for _ in range(self._pace.concurrency):
            heapq.heappush(self._slots, now)

    def leave(self, uid: str, now: float, grace: float) -> float:
        """Takes an even sample of the slots away, as a pod of average business has them."""
        if uid not in self._pods:
            return now
        ordered, count = sorted(self._slots), len(self._pods)
        mine = ordered[count // 2 :: count]
        del ordered[count // 2 :: count]
        self._slots = ordered
        del self._pods[uid]
        # What is left of their work is no work of the pods that stay.
        self._begun -= sum(free - now for free in mine if free > now)
        self._cut([free for free in mine if free > now + grace])
        return min(max([now, *mine]), now + grace)

    def _cut(self, ends: list[float]) -> None:
        """Requests that would have been done at these instants will not be."""
        arrivals, latencies, gone = self._requests.arrivals, self.served.latencies, self._gone
        number, skipped = self._next, len(gone)
        while ends and number:
            number -= 1
            if skipped and gone[skipped - 1] == number:
                skipped -= 1
                continue
            end = arrivals[number] + latencies[number - skipped]
            found = next((each for each in ends if abs(each - end) < _SAME), None)
            if found is not None:
                ends.remove(found)
                latencies[number - skipped] = math.inf
                self.served.dropped += 1

    def read(self, gauge: str, now: float) -> Mapping[str, float]:
        """An even share for each pod."""
        if not self._pods:
            return {}
        if gauge == "requests_total":
            return self._shares.read(float(len(self.served.latencies)), self._pods)
        share = self.total(gauge, now) / len(self._pods)
        return dict.fromkeys(self._pods, share)

    def total(self, gauge: str, now: float) -> float:
        """Of the whole workload; `cpu` in cores, of which a pod has one."""
        if gauge == "requests_total":
            return float(len(self.served.latencies))
        arrived = bisect_left(self._requests.arrivals, now, lo=self._next)
        waiting = float(arrived - self._next)
        if gauge == "waiting":
            return waiting
        if gauge == "rps":
            return self._recent.rate(now, float(arrived))
        if gauge == "cpu":
            return self._cores(now)
        running = sum(free > now for free in self._slots)
        return running if gauge == "running" else running + waiting

    def _cores(self, now: float) -> float:
        """Slots at work since the last reading, as a share of a pod's."""
        since, before, cores = self._busy
        if now > since:
            done = self._begun - sum(free - now for free in self._slots if free > now)
            cores = max(0.0, done - before) / (now - since) / self._pace.concurrency
            self._busy = (now, done, cores)
        return cores
