"""Autoscalers with nothing but a target, for tests of targets."""

from typing import Any

from podtide.core.model.decision import Action, Decision
from podtide.core.model.spec import AutoscalerSpec, Bounds, Key, Kpa, TargetRef
from podtide.core.model.view import TargetView

WEB = TargetRef("apps/v1", "Deployment", "web")


def spec(target: TargetRef = WEB, name: str = "web", **more: Any) -> AutoscalerSpec:
    """An autoscaler of namespace default."""
    return AutoscalerSpec(
        key=Key("default", name),
        uid=f"uid-{name}",
        generation=1,
        target=target,
        metrics=(),
        algorithm=Kpa(),
        bounds=Bounds(1, 9),
        **more,
    )


def decision(view: TargetView, desired: int, action: Action = Action.PATCH) -> Decision:
    """A decision on a view."""
    return Decision(
        key=Key("default", "web"),
        at=1.0,
        version=view.version,
        current=view.replicas,
        desired=desired,
        action=action,
        reason="Stable",
        message="",
        bounds=Bounds(1, 9),
    )
