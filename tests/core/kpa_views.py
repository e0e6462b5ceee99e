"""Targets, metrics and signals for the KPA and APA tests, with everything usual filled in."""

from typing import Any

from podtide.core.model.signal import Signal
from podtide.core.model.spec import (
    Custom,
    External,
    Http,
    MetricSpec,
    PodPage,
    Resource,
    Select,
    Source,
    TargetType,
    Threshold,
)
from podtide.core.model.view import ContainerView, PodView, TargetView

PAGE = PodPage(Http(), 8000, "/metrics")
QUEUE = External("queue")
CPU = Resource("cpu")
OBJECT = Custom("depth")


def view(ready: int, *, starting: int = 0, replicas: int | None = None) -> TargetView:
    """A target with these pods, each of which requests half a core; their number is its count unless said otherwise."""
    containers = (ContainerView("app", {"cpu": 500}),)
    pods = tuple(PodView(f"p{number}", f"uid-{number}", containers=containers) for number in range(ready))
    pods += tuple(PodView(f"s{number}", f"uid-s{number}", ready="False") for number in range(starting))
    return TargetView(0.0, ready + starting if replicas is None else replicas, ready + starting, "1", pods)


def metric(
    source: Source = PAGE,
    *,
    target: float = 10.0,
    kind: TargetType = TargetType.AVERAGE_VALUE,
    interval: float = 2.0,
) -> MetricSpec:
    threshold = Threshold(target, round(target * 1000), kind)
    return MetricSpec("0:load", source, Select("load"), threshold, interval=interval)


def signal(total: float | None = None, **windows: Any) -> Signal:
    """Fresh windows."""
    return Signal("0:load", 0.0, total=total, windows=windows, coverage=1.0, age=0.0)
