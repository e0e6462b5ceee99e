"""The simulated cluster: pods that are created, wait for a node, start, serve, and leave with grace. `runner` owns one.

What Kubernetes does is done as it does it: a Deployment takes its unready pods away first, then those that have been
ready for the shortest time; a leaving pod keeps its place on the node until it is gone.
"""

import math
import random
from collections import deque
from dataclasses import dataclass
from functools import partial

from podtide.core.model.view import ContainerView, PodView, TargetView
from podtide.sim.service import Service
from podtide.sim.timeline import Timeline

_CONTAINERS = (ContainerView("app", {"cpu": 1000}),)
"""Every pod asks for one core, so that a share of the core is a utilization."""
_AGE = 86_400.0
"""Seconds that the first pods have been there."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always as long."""

    seconds: float

    def draw(self, rng: random.Random) -> float:
        """The same."""
        return self.seconds

    @property
    def least(self) -> float:
        """The same."""
        return self.seconds


@dataclass(frozen=True, slots=True)
class Between:
    """Anything between two durations, alike."""

    low: float
    high: float

    def draw(self, rng: random.Random) -> float:
        """One of them."""
        return rng.uniform(self.low, self.high)

    @property
    def least(self) -> float:
        """The lower end."""
        return self.low


@dataclass(frozen=True, slots=True)
class Skewed:
    """Mostly about the median, now and then much longer: a lognormal law by its median and its 95th percentile."""

    median: float
    p95: float

    def draw(self, rng: random.Random) -> float:
        """One of them."""
        return rng.lognormvariate(math.log(self.median), math.log(self.p95 / self.median) / 1.6449)

    @property
    def least(self) -> float:
        """None: a lognormal law has no lower end above 0."""
        return 0.0


Delay = Fixed | Between | Skewed
"""How long something takes: seconds to draw, and the least of them."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """Where pods run."""

    startup: Delay
    """From a pod's place on a node to ready."""
    grace: float = 30.0
    """Seconds that a leaving pod gets."""
    room: int | None = None
    """Pods that fit at the beginning; None means any number."""
    provision: float | None = None
    """Seconds until room for one more is added for each pod that found none; None means never."""


@dataclass(slots=True)
class _Pod:
    number: int
    created: float
    delay: float
    placed: float | None = None
    ready: float | None = None
    leaving: bool = False

    @property
    def uid(self) -> str:
        return f"pod-{self.number}"


class Cluster:
    """One workload's pods."""

    def __init__(
        self, nodes: Nodes, service: Service, timeline: Timeline, rng: random.Random, *, replicas: int
    ) -> None:
        """The first pods are ready from the beginning."""
        self.replicas = replicas
        """The scale's spec.replicas."""
        self._nodes = nodes
        self._service = service
        self._timeline = timeline
        self._rng = rng
        self._pods: dict[str, _Pod] = {}
        self._made = 0
        self._room = nodes.room
        self._pending: deque[_Pod] = deque()
        self._placed = 0
        self._changed = timeline.now
        self.pod_seconds = 0.0
        """Seconds of pods on nodes, added up until the last change."""
        self._views: tuple[PodView, ...] | None = None
        self.started: list[float] = []
        """Seconds from creation to ready, of each pod that got there."""
        for _ in range(replicas):
            self._found()

    @property
    def ready(self) -> int:
        """Pods that take requests."""
        return sum(pod.ready is not None and not pod.leaving for pod in self._pods.values())

    @property
    def placed(self) -> int:
        """Pods that hold a node's resources, leaving ones included."""
        return self._placed

    def used(self, now: float) -> float:
        """Seconds of pods on nodes until now."""
        return self.pod_seconds + self._placed * (now - self._changed)

    def view(self, now: float) -> TargetView:
        """What the target shows."""
        if self._views is None:
            self._views = tuple(map(_view, self._pods.values()))
        return TargetView(now, self.replicas, self.replicas, "1", self._views)

    def scale(self, count: int) -> None:
        """Have so many pods from now on."""
        self.replicas = count
        staying = [pod for pod in self._pods.values() if not pod.leaving]
        for _ in range(count - len(staying)):
            pod = self._create()
            self._pending.append(pod)
        # Pending ones first, then those that start, then the youngest: as a ReplicaSet ranks them.
        staying.sort(key=lambda pod: (pod.ready is None, pod.placed is None, pod.ready or 0.0, pod.number))
        for pod in staying[count:]:
            self._remove(pod)
        self._fill()

    def _found(self) -> None:
        """A pod that has been there for long, and shows how long it took to start."""
        pod = self._create()
        self._place(pod)
        pod.created = pod.placed = self._timeline.now - _AGE
        pod.ready = pod.created + pod.delay
        self._service.join(pod.uid, self._timeline.now)

    def _create(self) -> _Pod:
        pod = _Pod(self._made, self._timeline.now, self._nodes.startup.draw(self._rng))
        self._made += 1
        self._pods[pod.uid] = pod
        self._views = None
        return pod

    def _fill(self) -> None:
        """Give pending pods a place, as far as there is room, and order room for the rest."""
        while self._pending and (self._room is None or self._placed < self._room):
            pod = self._pending.popleft()
            self._place(pod)
            self._timeline.at(self._timeline.now + pod.delay, partial(self._become_ready, pod))
        if self._pending and self._nodes.provision is not None:
            for _ in range(len(self._pending)):
                self._timeline.at(self._timeline.now + self._nodes.provision, self._provide)

    def _provide(self) -> None:
        if self._pending and self._room is not None:
            self._room += 1
            self._fill()

    def _place(self, pod: _Pod) -> None:
        pod.placed = self._timeline.now
        self._count(1)

    def _become_ready(self, pod: _Pod) -> None:
        if pod.leaving:
            return
        now = self._timeline.now
        pod.ready = now
        self._views = None
        self.started.append(now - pod.created)
        self._service.advance(now)
        self._service.join(pod.uid, now)

    def _remove(self, pod: _Pod) -> None:
        now = self._timeline.now
        pod.leaving = True
        self._views = None
        if pod.placed is None:
            self._pending.remove(pod)
            del self._pods[pod.uid]
            return
        end = now
        if pod.ready is not None:
            self._service.advance(now)
            end = self._service.leave(pod.uid, now, self._nodes.grace)
        self._timeline.at(end, partial(self._gone, pod))

    def _gone(self, pod: _Pod) -> None:
        del self._pods[pod.uid]
        self._views = None
        self._count(-1)
        self._fill()

    def _count(self, change: int) -> None:
        now = self._timeline.now
        self.pod_seconds += self._placed * (now - self._changed)
        self._changed = now
        self._placed += change


def _view(pod: _Pod) -> PodView:
    return PodView(
        name=pod.uid,
        uid=pod.uid,
        phase="Pending" if pod.placed is None else "Running",
        ready="True" if pod.ready is not None else "False",
        ready_since=pod.ready if pod.ready is not None else pod.created,
        started=pod.placed,
        created=pod.created,
        deleting=pod.leaving,
        containers=_CONTAINERS,
    )
