"""One policy on one load: the worker's three engine calls, from a plain loop over a heap of instants. `cli` calls it.

A tick falls on the instant of the fastest metric's scrape, after it: as the worker sleeps until its readings come.
"""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from podtide.core import engine
from podtide.core.memory import Memory
from podtide.core.model.decision import Action, Applied, Decision, Outcome
from podtide.core.model.reading import Reading
from podtide.core.model.spec import AutoscalerSpec
from podtide.core.model.view import TargetView
from podtide.sim import draws, gauges
from podtide.sim.cluster import Cluster, Nodes
from podtide.sim.gauges import Scraper
from podtide.sim.service import Served, Service
from podtide.sim.timeline import Order, Timeline

_AFTERWARDS = 1e6
"""Seconds."""


@dataclass(frozen=True, slots=True)
class World:
    """What a run takes for granted."""

    begin: float
    """Seconds since 1970."""
    end: float
    nodes: Nodes
    replicas: int
    """At the beginning, all ready."""
    lost: float = 0.0
    """Share of the scrapes that get lost, 0 to 1."""
    told: Mapping[str, str] = field(default_factory=dict)
    """Metric name → gauge, where the user says so."""
    seed: int = 0
    counted: float | None = None
    """From when on figures are counted, in seconds since 1970; None means from the beginning."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How things stood when the counting began."""

    at: float
    latencies: int = 0
    dropped: float = 0.0
    excess: float = 0.0
    offered: float = 0.0
    pod_seconds: float = 0.0
    replicas: int = 0


@dataclass(frozen=True, slots=True)
class Scaling:
    """A change of the count."""

    at: float
    before: int
    after: int
    reason: str


@dataclass(slots=True)
class Course:
    """What was, at every tick."""

    at: "array[float]" = field(default_factory=lambda: array("d"))
    replicas: "array[int]" = field(default_factory=lambda: array("l"))
    desired: "array[int]" = field(default_factory=lambda: array("l"))
    ready: "array[int]" = field(default_factory=lambda: array("l"))
    placed: "array[int]" = field(default_factory=lambda: array("l"))
    served: "array[int]" = field(default_factory=lambda: array("l"))
    """How many latencies there were."""


@dataclass(slots=True)
class Run:
    """One policy's run."""

    world: World
    course: Course
    served: Served
    scalings: list[Scaling]
    started: list[float]
    """Seconds that pods took to become ready."""
    pod_seconds: float = 0.0
    mark: Mark = Mark(0.0)
    explained: Decision | None = None
    """The last decision up to the instant that was asked for."""


Tap = Callable[[Reading | Decision | TargetView], None]
"""Sees every reading, view and decision, in the order of a tick: for recordings and tests."""


class _Loop:
    """One autoscaler on the timeline."""

    def __init__(
        self, spec: AutoscalerSpec, service: Service, world: World, *, explain: float | None, tap: Tap | None
    ) -> None:
        rng = draws.generator(world.seed)
        self._spec = spec
        self._service = service
        self._world = world
        self._explain = explain
        self._tap = tap
        self._timeline = Timeline(world.begin)
        self._cluster = Cluster(
            world.nodes, service, self._timeline, draws.generator(rng.random()), replicas=world.replicas
        )
        self._memory = Memory(world.begin)
        self._readings: list[Reading] = []
        self.run = Run(world, Course(), service.served, [], self._cluster.started)
        for link in gauges.links(spec, service, world.told):
            scraper = Scraper(link, service, world.lost, draws.generator(rng.random()))
            self._scrape(scraper, 1)
        self._schedule(1)
        self._timeline.at(world.counted or world.begin, self._mark)

    def _mark(self) -> None:
        self._service.advance(self._timeline.now)
        self.run.mark = _marked(self._timeline.now, self._service.served, self._cluster)

    def play(self, progress: Callable[[float], None] | None) -> Run:
        world, steps = self._world, 100 if progress else 1
        for step in range(1, steps + 1):
            self._timeline.run(world.begin + (world.end - world.begin) * step / steps)
            if progress:
                progress(step / steps)
        self._service.advance(world.end)
        self.run.pod_seconds = self._cluster.used(world.end)
        _finish(self._service, world)
        return self.run

    def _scrape(self, scraper: Scraper, count: int) -> None:
        # Multiplied and not added up, so that metrics of one interval never drift apart.
        when = self._world.begin + count * scraper.link.metric.interval

        def scrape() -> None:
            self._service.advance(when)
            self._readings.append(scraper.read(self._cluster.view(when), when))
            self._scrape(scraper, count + 1)

        self._timeline.at(when, scrape, Order.READ)

    def _schedule(self, count: int) -> None:
        when = self._world.begin + count * self._spec.interval

        def tick() -> None:
            self._tick(when)
            self._schedule(count + 1)

        self._timeline.at(when, tick, Order.DECIDE)

    def _tick(self, now: float) -> None:
        spec, cluster, memory = self._spec, self._cluster, self._memory
        view = cluster.view(now)
        for reading in self._readings:
            engine.absorb(memory, spec, reading)
        decision = engine.decide(memory, spec, view, now)
        if self._tap is not None:
            self._tap(view)
            for reading in self._readings:
                self._tap(reading)
            self._tap(decision)
        self._readings.clear()
        applied = self._apply(decision, now)
        engine.settle(memory, decision, applied, now)
        if self._explain is not None and now <= self._explain:
            self.run.explained = decision
        course = self.run.course
        course.at.append(now)
        course.replicas.append(applied.replicas)
        course.desired.append(decision.desired)
        course.ready.append(cluster.ready)
        course.placed.append(cluster.placed)
        course.served.append(len(self.run.served.latencies))

    def _apply(self, decision: Decision, now: float) -> Applied:
        current = self._cluster.replicas
        if decision.action is Action.KEEP:
            return Applied(Outcome.UNCHANGED, current)
        if decision.action is Action.SUPPRESS:
            return Applied(Outcome.SUPPRESSED, current)
        self._cluster.scale(decision.desired)
        self.run.scalings.append(Scaling(now, current, decision.desired, decision.reason))
        return Applied(Outcome.PATCHED, decision.desired, version="1")


def run(
    spec: AutoscalerSpec,
    service: Service,
    world: World,
    *,
    explain: float | None = None,
    progress: Callable[[float], None] | None = None,
    tap: Tap | None = None,
) -> Run:
    """Play the whole load. Equal arguments give equal runs; the service must be new.

    Args:
        explain: keep the last decision up to this instant.
        progress: is told the share that is done, a hundred times.
        tap: sees everything that goes through the engine.

    Raises:
        UnknownMetric: the service cannot stand for a metric of the policy.
    """
    return _Loop(spec, service, world, explain=explain, tap=tap).play(progress)


def run_schedule(counts: list[tuple[float, int]], service: Service, world: World) -> Run:
    """The same world with a count that was fixed in advance: (seconds since 1970, replicas) in order."""
    timeline = Timeline(world.begin)
    cluster = Cluster(world.nodes, service, timeline, draws.generator(world.seed), replicas=world.replicas)
    scalings: list[Scaling] = []

    def scale(at: float, count: int) -> None:
        if count != cluster.replicas:
            scalings.append(Scaling(at, cluster.replicas, count, "Schedule"))
            cluster.scale(count)

    for at, count in counts:
        timeline.at(at, partial(scale, at, count))
    ended = Run(world, Course(), service.served, scalings, cluster.started)

    def mark() -> None:
        service.advance(timeline.now)
        ended.mark = _marked(timeline.now, service.served, cluster)

    timeline.at(world.counted or world.begin, mark)
    timeline.run(world.end)
    service.advance(world.end)
    ended.pod_seconds = cluster.used(world.end)
    _finish(service, world)
    return ended


def _marked(now: float, served: Served, cluster: Cluster) -> Mark:
    return Mark(
        now,
        len(served.latencies),
        served.dropped,
        served.excess,
        served.offered,
        cluster.used(now),
        cluster.replicas,
    )


def _finish(service: Service, world: World) -> None:
    """Let the last requests end on the pods there are, so that each is either served or dropped."""
    service.advance(world.end + _AFTERWARDS)
