"""Vector pods and values as the core's types, for every HPA family. A pod's name serves as its uid."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from podtide.core.model.reading import Span
from podtide.core.model.view import ContainerView, PodView

READY: Mapping[object, Literal["True", "False", "Unknown"] | None] = {
    True: "True",
    False: "False",
    "Unknown": "Unknown",
    None: None,
}


def pod(row: Mapping[str, Any]) -> PodView:
    """One vector pod."""
    return PodView(
        name=row["name"],
        uid=row["name"],
        phase=row["phase"],
        ready=READY[row["ready"]],
        ready_since=row["ready_transition_s"],
        started=row["start_s"],
        deleting=row["deleting"],
        containers=tuple(container(entry) for entry in row["containers"]),
        init_containers=tuple(container(entry) for entry in row.get("init_containers") or ()),
        pod_requests=row.get("pod_requests_milli") or {},
        overhead=row.get("overhead_milli") or {},
    )


def pods(rows: Sequence[Mapping[str, Any]] | None) -> tuple[PodView, ...]:
    """A row's pods, in order."""
    return tuple(pod(row) for row in rows or ())


def container(row: Mapping[str, Any]) -> ContainerView:
    """One vector container."""
    return ContainerView(
        name=row["name"],
        requests=row.get("requests_milli") or {},
        restartable=bool(row.get("restart_policy_always")),
    )


def usage(metrics: Mapping[str, Mapping[str, Any]] | None) -> dict[str, int]:
    """Pod uid → thousandths."""
    return {name: value["value"] for name, value in (metrics or {}).items()}


def spans(metrics: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Span]:
    """Pod uid → when its value was measured."""
    return {name: Span(value["timestamp_s"], value["window_s"]) for name, value in (metrics or {}).items()}
