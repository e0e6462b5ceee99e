"""HPA's cost per metric and tick, by number of pods. `benchmarks.decide` prints it with the others' figures."""

import timeit
from collections.abc import Iterator
from itertools import pairwise

from podtide.core.algorithms.hpa.algorithm import HorizontalPods
from podtide.core.model.reading import Span
from podtide.core.model.signal import Signal
from podtide.core.model.spec import Custom, Hpa, MetricSpec, Resource, Select, TargetType, Threshold
from podtide.core.model.view import ContainerView, PodView, TargetView

SIZES = (10, 100, 1_000, 10_000)
NOW = 10_000.0
METRICS = {
    "value per pod": MetricSpec("0:rps", Custom("rps"), Select("rps"), Threshold(10.0, 10_000)),
    "cpu utilization": MetricSpec(
        "0:cpu", Resource("cpu"), Select("cpu"), Threshold(50.0, 50_000, TargetType.UTILIZATION)
    ),
}


def seconds(metric: MetricSpec, pods: int) -> float:
    """The least time of five runs for one proposal. One pod in fifty is starting, one in fifty has no value."""
    seen, view, algorithm = _signal(pods), _view(pods), HorizontalPods(Hpa())
    rounds = max(1, 10_000 // pods)
    runs = timeit.repeat(lambda: algorithm.propose(metric, seen, view, None, NOW), number=rounds, repeat=5)
    return min(runs) / rounds


def lines() -> Iterator[str]:
    """One line per kind of metric: the cost by pods, and by how much it grows with every tenfold of pods."""
    for name, metric in METRICS.items():
        costs = {pods: seconds(metric, pods) for pods in SIZES}
        shown = ", ".join(f"{pods:,} pods {cost * 1e6:,.0f} µs" for pods, cost in costs.items())
        growth = ", ".join(f"{costs[more] / costs[fewer]:.1f}" for fewer, more in pairwise(SIZES))
        yield f"HPA, {name}: {shown}; {1 / costs[100]:,.0f} decisions/s at 100 pods; ×10 pods costs × {growth}"


def _view(pods: int) -> TargetView:
    listed = tuple(
        PodView(
            name=f"web-{number}",
            uid=f"uid-{number}",
            phase="Pending" if number % 50 == 7 else "Running",
            ready_since=1_000.0,
            started=990.0,
            containers=(ContainerView("app", {"cpu": 1000}), ContainerView("mesh", {"cpu": 100})),
        )
        for number in range(pods)
    )
    return TargetView(NOW, pods, pods, "1", listed)


def _signal(pods: int) -> Signal:
    known = [number for number in range(pods) if number % 50 != 9]
    return Signal(
        "0:m",
        NOW,
        per_pod={f"uid-{number}": 0.7 + number % 7 / 7 for number in known},
        spans={f"uid-{number}": Span(NOW - 15.0, 30.0) for number in known},
        coverage=1.0,
        age=0.0,
    )


if __name__ == "__main__":
    for line in lines():
        print(line)
