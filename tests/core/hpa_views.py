"""Pods, views and metrics for the HPA tests, with everything usual filled in."""

from typing import Any

from podtide.core.model.reading import Failure
from podtide.core.model.signal import Signal
from podtide.core.model.spec import Custom, External, MetricSpec, Resource, Select, Source, TargetType, Threshold
from podtide.core.model.view import ContainerView, PodView, TargetView

NOW = 10_000.0

CPU = Resource("cpu")
RPS = Custom("rps")
QUEUE = External("queue")


def pod(name: str, **changes: Any) -> PodView:
    """A pod that has been ready for long and requests a core and 100 MiB."""
    usual: dict[str, Any] = {
        "ready_since": 1_000.0,
        "started": 990.0,
        "containers": (ContainerView("app", {"cpu": 1000, "memory": 104_857_600_000}),),
    }
    return PodView(name=name, uid=name, **{**usual, **changes})


def pods(count: int) -> tuple[PodView, ...]:
    return tuple(pod(f"p{number}") for number in range(count))


def view(listed: tuple[PodView, ...], replicas: int | None = None, status: int | None = None) -> TargetView:
    """A target with these pods; their number is its count unless said otherwise."""
    replicas = len(listed) if replicas is None else replicas
    return TargetView(NOW, replicas, replicas if status is None else status, "1", listed)


def metric(source: Source = RPS, target: float = 10.0, kind: TargetType = TargetType.AVERAGE_VALUE) -> MetricSpec:
    return MetricSpec("0:m", source, Select("m"), Threshold(target, round(target * 1000), kind))


def signal(
    values: dict[str, float] | None = None, *, total: float | None = None, failure: Failure | None = None
) -> Signal:
    """Fresh values, per pod or of the whole workload."""
    return Signal("0:m", NOW, per_pod=values or {}, total=total, coverage=1.0, age=0.0, failure=failure)


def each(count: int, value: float) -> dict[str, float]:
    """The same value for the first pods."""
    return {f"p{number}": value for number in range(count)}
