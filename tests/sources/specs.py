"""Short ways to write the specs and pods of these tests."""

from collections.abc import Sequence
from typing import Any

from podtide.core.model import spec, view


def metric(
    name: str = "queue",
    source: spec.Source | None = None,
    *,
    port: int | str | None = 8000,
    interval: float = 10.0,
    derive: spec.Derive | None = None,
    matches: Sequence[spec.LabelMatch] = (),
    http: spec.Http | None = None,
    path: str | None = None,
) -> spec.MetricSpec:
    """A metric of a page of pods, unless another source is given."""
    return spec.MetricSpec(
        id=f"0:{name}",
        source=source or spec.PodPage(http or spec.Http(), port, path),
        select=spec.Select(name, tuple(matches)),
        threshold=spec.Threshold(10, 10_000),
        derive=derive or spec.Gauge(),
        interval=interval,
    )


def autoscaler(*metrics: spec.MetricSpec, namespace: str = "shop") -> spec.AutoscalerSpec:
    """An autoscaler of these metrics."""
    return spec.AutoscalerSpec(
        key=spec.Key(namespace, "web"),
        uid="a",
        generation=1,
        target=spec.TargetRef("apps/v1", "Deployment", "web"),
        metrics=metrics,
        algorithm=spec.Apa(),
        bounds=spec.Bounds(1, 10),
    )


def pod(number: int, **more: Any) -> view.PodView:
    """A ready pod."""
    more.setdefault("ip", f"10.0.0.{number}")
    return view.PodView(f"web-{number}", f"uid-{number}", **more)


def target(*pods: view.PodView) -> view.TargetView:
    """What the target looks like with these pods."""
    return view.TargetView(at=0.0, replicas=len(pods), pods=pods)
