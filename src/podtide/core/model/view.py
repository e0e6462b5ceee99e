"""The target and its pods as they are now: `targets` makes these, the core reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Readiness = Literal["True", "False", "Unknown"]
"""The status of a Ready condition."""


@dataclass(frozen=True, slots=True)
class PortView:
    """A port a container declares."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class ContainerView:
    """What a container asks for."""

    name: str
    requests: Mapping[str, int] = field(default_factory=dict)
    """Resource name → thousandths: cpu in millicores, memory in millibytes."""
    ports: tuple[PortView, ...] = ()
    restartable: bool = False
    """An init container with `restartPolicy: Always`, that is, a sidecar."""


@dataclass(frozen=True, slots=True)
class PodView:
    """The few facts of a pod that matter here. Times are seconds since 1970; None means unset."""

    name: str
    uid: str
    ip: str = ""
    phase: str = "Running"
    ready: Readiness | None = "True"
    """The Ready condition's status; None where there is no such condition."""
    ready_since: float | None = None
    """When the Ready condition last changed; None is infinitely long ago."""
    started: float | None = None
    """status.startTime."""
    created: float | None = None
    deleting: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Only those that Podtide reads."""
    containers: tuple[ContainerView, ...] = ()
    init_containers: tuple[ContainerView, ...] = ()
    pod_requests: Mapping[str, int] = field(default_factory=dict)
    """Pod-level spec.resources.requests, in thousandths."""
    overhead: Mapping[str, int] = field(default_factory=dict)
    """spec.overhead, in thousandths."""

    @property
    def is_ready(self) -> bool:
        """Whether the pod takes traffic now."""
        return self.ready == "True" and self.phase == "Running" and not self.deleting


@dataclass(frozen=True, slots=True)
class TargetView:
    """What is scaled, as last read."""

    at: float
    """When it was read, in seconds."""
    replicas: int = 0
    """The scale's spec.replicas."""
    status_replicas: int = 0
    """The scale's status.replicas."""
    version: str = ""
    """The scale's resourceVersion; a patch carries it."""
    pods: tuple[PodView, ...] = ()
    """The pods that the target owns, terminating and finished ones included."""
    rivals: tuple[str, ...] = ()
    """Older autoscalers on the same target, as `PodAutoscaler ns/name` or `HorizontalPodAutoscaler ns/name`."""
    younger: tuple[str, ...] = ()
    """HorizontalPodAutoscalers that came later and scale the target, too, since they know nothing of us."""
    failure: str | None = None
    """Why the target could not be read, as `FailedGetScale: …`; then every other field is empty."""
