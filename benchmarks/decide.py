"""`python -m benchmarks.decide`: what a decision costs, in CPU time of one core.

KPA and APA are measured on the production path: memories filled by `engine.absorb` with one reading a second until
every bucket of the windows is full, then one `engine.decide` per autoscaler and tick. HPA's part is in `decide_hpa`.
"""

import gc
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

from benchmarks import decide_hpa
from podtide.core import engine
from podtide.core.algorithms.kpa.algorithm import KnativePods
from podtide.core.algorithms.kpa.state import State
from podtide.core.memory import Memory
from podtide.core.model.decision import Action, Applied, Outcome
from podtide.core.model.reading import Reading
from podtide.core.model.signal import Signal
from podtide.core.model.spec import (
    Algorithm,
    Apa,
    AutoscalerSpec,
    Bounds,
    Http,
    Key,
    Kpa,
    MetricSpec,
    PodPage,
    Select,
    TargetRef,
    Threshold,
)
from podtide.core.model.view import PodView, TargetView
from podtide.core.windows.ring import Ring

AUTOSCALERS = 1_000
WINDOW = 180
SIZES = (10, 100, 1_000, 10_000)
START = 1_000_000.0
NOW = START + WINDOW
METRIC = MetricSpec("0:load", PodPage(Http(), 8000, "/metrics"), Select("load"), Threshold(10.0, 10_000), interval=1.0)


def main() -> Iterator[str]:
    """The lines of the report."""
    for name, algorithm in (("KPA", Kpa()), ("APA", Apa())):
        yield _fleet(name, algorithm)
        yield _by_pods(f"{name}, whole decision", [_seconds(_decider(algorithm, pods)) for pods in SIZES])
    yield _by_pods("KPA, both windows' averages", [_seconds(_averages()) for _ in SIZES])
    yield _by_pods("KPA, algorithm alone", [_seconds(_proposer(pods)) for pods in SIZES])
    yield _by_length()
    yield from decide_hpa.lines()


def _fleet(name: str, algorithm: Algorithm) -> str:
    """All autoscalers of a fleet, once: the best and the worst of ten ticks, in a process that runs for long."""
    spec, view = _spec(algorithm, 0), _view(10)
    memories = [_memory(spec, 10) for _ in range(AUTOSCALERS)]
    gc.collect()
    gc.freeze()
    ticks = []
    for tick in range(10):
        now = NOW + 2 * tick
        for memory in memories:
            engine.absorb(memory, spec, _reading(view, now))
        before = time.process_time()
        kept = sum(engine.decide(memory, spec, view, now).action is Action.KEEP for memory in memories)
        ticks.append(time.process_time() - before)
        assert kept == AUTOSCALERS
        for memory in memories:
            decision = engine.decide(memory, spec, view, now)
            assert decision.proposals[0].replicas == 10
            engine.settle(memory, decision, Applied(Outcome.UNCHANGED, decision.current), now)
    best, worst = min(ticks), max(ticks)
    return (
        f"{name}: {AUTOSCALERS:,} autoscalers of 10 pods, {WINDOW}-bucket window: {best * 1e3:.1f} ms of CPU a tick "
        f"(worst of ten {worst * 1e3:.1f}), {AUTOSCALERS / best:,.0f} decisions/s"
    )


def _by_pods(what: str, costs: list[float]) -> str:
    shown = ", ".join(f"{pods:,} pods {cost * 1e6:,.1f} µs" for pods, cost in zip(SIZES, costs, strict=True))
    growth = ", ".join(f"{more / fewer:.1f}" for fewer, more in pairwise(costs))
    return f"{what}: {shown}; ×10 pods costs × {growth}"


def _by_length() -> str:
    """A window's record and average, by its number of buckets."""
    costs = []
    for buckets in (60, 180, 3_600):
        ring, now = _ring(buckets), START + buckets

        def tick(ring: Ring = ring, at: list[float] = [now]) -> None:  # noqa: B006 - the clock of this ring
            at[0] += 1.0
            ring.record(at[0], 100.0 + at[0] % 7)
            ring.average(at[0])

        costs.append(f"{buckets:,} buckets {_seconds(tick) * 1e6:.1f} µs")
    return f"window, one record and one average: {', '.join(costs)}"


def _decider(algorithm: Algorithm, pods: int) -> Callable[[], object]:
    spec, view = _spec(algorithm, pods), _view(pods)
    memory = _memory(spec, pods)
    return lambda: engine.decide(memory, spec, view, NOW)


def _averages() -> Callable[[], object]:
    stable, panic = _ring(WINDOW), _ring(60)
    return lambda: (stable.average(NOW), panic.average(NOW))


def _proposer(pods: int) -> Callable[[], object]:
    algorithm, view, state = KnativePods(Kpa()), _view(pods), State(at=NOW - 2.0)
    signal = Signal(METRIC.id, NOW, windows={"stable": 10.0 * pods, "panic": 10.0 * pods}, coverage=1.0, age=0.0)
    return lambda: algorithm.propose(METRIC, signal, view, state, NOW)


def _seconds(call: Callable[[], object]) -> float:
    """CPU seconds of one call: the least of five runs of about 50 ms."""
    call()
    before = time.process_time()
    call()
    rounds = max(1, int(0.05 / max(1e-7, time.process_time() - before)))
    costs = []
    for _ in range(5):
        before = time.process_time()
        for _ in range(rounds):
            call()
        costs.append((time.process_time() - before) / rounds)
    return min(costs)


def _ring(buckets: int) -> Ring:
    ring = Ring(float(buckets))
    for second in range(buckets + 1):
        ring.record(START + second, 100.0 + second % 7)
    return ring


def _memory(spec: AutoscalerSpec, pods: int) -> Memory:
    """Full windows. One reading fills them as well as the next, so the values' mapping is shared."""
    memory, view = Memory(START - WINDOW), _view(pods)
    for second in range(WINDOW):
        engine.absorb(memory, spec, _reading(view, START + second + 1.0))
    return memory


def _reading(view: TargetView, at: float) -> Reading:
    # A little below the target, so that nothing is to be done.
    return Reading(METRIC.id, at, {pod.uid: 9.95 for pod in view.pods}, expected=len(view.pods))


def _view(pods: int) -> TargetView:
    listed = tuple(PodView(f"web-{number}", f"uid-{number}", created=0.0) for number in range(pods))
    return TargetView(NOW, pods, pods, "1", listed)


def _spec(algorithm: Algorithm, number: int) -> AutoscalerSpec:
    return AutoscalerSpec(
        key=Key("default", f"web-{number}"),
        uid=f"uid-{number}",
        generation=1,
        target=TargetRef("apps/v1", "Deployment", "web"),
        metrics=(METRIC,),
        algorithm=algorithm,
        bounds=Bounds(1, 100_000),
    )


if __name__ == "__main__":
    for line in main():
        print(line, flush=True)
