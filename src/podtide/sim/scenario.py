"""A load, a kind of service and a bound on the latency: everything about a simulation but the policy.

`cli.simulate`, `cli.tune` and the benchmarks make one and run policies in it. Every policy meets the same requests.
"""

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from podtide.core.model.spec import AutoscalerSpec, Bounds
from podtide.sim import draws, oracle, runner, score, workload
from podtide.sim.queueing import Pace, Queue
from podtide.sim.ratio import Carrying, Ratio
from podtide.sim.runner import Run, Tap, World
from podtide.sim.score import Score
from podtide.sim.service import Service
from podtide.sim.tokens import Model, Tokens
from podtide.sim.traces import Trace
from podtide.sim.workload import Law


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests with a service time (`sim.queueing`)."""

    mean: float = 0.2
    """Seconds."""
    law: Law = "exponential"
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class Llm:
    """A model server (`sim.tokens`)."""

    model: Model = field(default_factory=Model)
    prompt: float = 512.0
    """Mean tokens, where the trace has none."""
    answer: float = 128.0


Kind = Requests | Llm | Carrying

_STEPS = (10.0, 60.0, 300.0)
"""Seconds between two counts of the schedules that are tried for the oracle."""
_RESERVES = (-1.0, 8.0)
"""In √n pods. Below 0 because some requests may be late."""
_HALVINGS = 7
"""Tries for each; the reserve is known to a seventh of a √n then."""


@dataclass(frozen=True, slots=True)
class Result:
    """A policy's run and its figures."""

    run: Run
    score: Score


class Scenario:
    """A load that policies are tried on."""

    def __init__(self, trace: Trace, kind: Kind, world: World, slo: float) -> None:
        """`slo` is the bound on the latency in seconds. `world.end` is set to the trace's end."""
        self.trace = trace
        self.kind = kind
        self.world = replace(world, end=world.begin + trace.duration)
        self.slo = slo
        self._make, self.load = _prepared(trace, kind, world)
        self._needs = oracle.needed(self.load, min(score.SLOT, trace.duration))
        self._bounds: dict[Bounds, float] = {}

    @property
    def hopeless(self) -> float:
        """Share of the requests whose own work takes longer than the bound, so that no number of pods helps them."""
        if isinstance(self.kind, Carrying) or not self.load.work:
            return 0.0
        return sum(work > self.slo * self.load.speed for work in self.load.work) / len(self.load.work)

    @property
    def peak(self) -> float:
        """The most pods that the load keeps busy over a minute."""
        return max(self._needs)

    def busy(self, instants: Sequence[float]) -> list[float]:
        """The pods that the load keeps busy around each instant (means of a minute)."""
        step = min(score.SLOT, self.trace.duration)
        last = len(self._needs) - 1
        return [self._needs[min(last, int((at - self.world.begin) / step))] for at in instants]

    def service(self) -> Service:
        """The pods' work, from the beginning."""
        return self._make()

    def bound(self, bounds: Bounds) -> float:
        """The oracle's pod-seconds."""
        if bounds not in self._bounds:
            startup, skipped = (
                self.world.nodes.startup.least,
                (self.world.counted or self.world.begin) - self.world.begin,
            )
            if isinstance(self.kind, Carrying):
                rates = [math.ceil(n / self.trace.width / self.kind.capacity - 1e-9) for n in self.trace.requests]
                first = math.ceil(skipped / self.trace.width)
                found = oracle.exact(rates[first:], self.trace.width, startup=startup, bounds=bounds)
            else:
                found = oracle.bound(self.load.since(skipped), self.slo, startup=startup, bounds=bounds)
            self._bounds[bounds] = found
        return self._bounds[bounds]

    def run(
        self,
        spec: AutoscalerSpec,
        *,
        explain: float | None = None,
        progress: Callable[[float], None] | None = None,
        tap: Tap | None = None,
    ) -> Result:
        """Try a policy. Raises `gauges.UnknownMetric`."""
        world = replace(self.world, replicas=max(self.world.replicas, spec.bounds.minimum))
        run = runner.run(spec, self.service(), world, explain=explain, progress=progress, tap=tap)
        return Result(run, score.score(run, slo=self.slo, needs=self._needs, bound=self.bound(widest(spec))))

    def reach(self, bounds: Bounds, *, allowed: float) -> Result | None:
        """The cheapest schedule of a known kind that keeps violations at or below `allowed`; None if none does.

        So the true oracle lies between the proven bound and this.
        """
        steps = (self.trace.width,) if isinstance(self.kind, Carrying) else _STEPS
        found = [self._reach(bounds, allowed=allowed, step=step) for step in steps]
        return min(filter(None, found), key=lambda result: result.score.pod_hours, default=None)

    def _reach(self, bounds: Bounds, *, allowed: float, step: float) -> Result | None:
        """With counts that change every `step` seconds at most, and the least reserve that suffices."""
        needs, startup = oracle.needed(self.load, step), self.world.nodes.startup.least
        (low, high), best = _RESERVES, None
        reserve = high
        for _ in range(_HALVINGS):
            counts = oracle.schedule(needs, step, reserve=reserve, startup=startup, bounds=bounds)
            world = replace(self.world, replicas=counts[0][1])
            shifted = [(world.begin + at, count) for at, count in counts]
            run = runner.run_schedule(shifted, self.service(), world)
            figures = score.score(run, slo=self.slo, needs=self._needs, bound=self.bound(bounds))
            if figures.violations <= allowed:
                high, best = reserve, Result(run, figures)
            elif best is None:
                return None
            else:
                low = reserve
            reserve = (low + high) / 2
        return best


def widest(spec: AutoscalerSpec) -> Bounds:
    """The bounds that a policy may use at one time or another: the least and the most of all its schedules."""
    lows = [schedule.minimum for schedule in spec.schedules if schedule.minimum is not None]
    highs = [schedule.maximum for schedule in spec.schedules if schedule.maximum is not None]
    return Bounds(min(spec.bounds.minimum, *lows), max(spec.bounds.maximum, *highs)) if lows or highs else spec.bounds


def _prepared(trace: Trace, kind: Kind, world: World) -> tuple[Callable[[], Service], oracle.Load]:
    rng = draws.generator(world.seed)
    match kind:
        case Requests():
            drawn = workload.draw(trace, rng, begin=world.begin, mean=kind.mean, law=kind.law)
            capacity, speed = float(kind.pace.concurrency), 1.0
            make: Callable[[], Service] = partial(Queue, kind.pace, drawn)
        case Llm():
            drawn = workload.draw_tokens(trace, rng, begin=world.begin, prompt=kind.prompt, answer=kind.answer)
            capacity = speed = kind.model.prefill
            make = partial(Tokens, kind.model, drawn)
        case Carrying():
            middles = array("d", ((place + 0.5) * trace.width for place in range(len(trace.requests))))
            return partial(Ratio, kind, trace, world.begin), oracle.Load(
                middles, array("d", trace.requests), trace.duration, kind.capacity, math.inf
            )
    since_begin = array("d", (at - world.begin for at in drawn.arrivals))
    return make, oracle.Load(since_begin, drawn.work, trace.duration, capacity, speed)
