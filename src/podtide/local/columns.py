"""The columns `kubectl get` shows for built-in kinds, and how each cell is read from an object.

`tables` turns them, or a custom resource's printer columns, into Table objects.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from podtide.local import selectors
from podtide.local.refusals import Object

Cell = Callable[[Object, float], Any]
"""From an object and the present time to what the cell shows."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    cell: Cell
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0
    """0 is always shown, 1 only with `-o wide`."""


def age(seconds: float) -> str:
    """A duration in the two largest units that matter, as kubectl prints ages."""
    whole = max(int(seconds), 0)
    if whole < 120:
        return f"{whole}s"
    minutes = whole // 60
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    return f"{days // 365}y{days % 365}d" if days % 365 and days < 2920 else f"{days // 365}y"


def since(text: str | None, now: float) -> str:
    """The age of a timestamp; `<unknown>` without one."""
    return age(now - _seconds(text)) if text else "<unknown>"


def _seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def follow(body: Any, *path: str, default: Any = None) -> Any:
    """The value at a path of keys."""
    for step in path:
        body = body.get(step) if isinstance(body, Mapping) else None
    return default if body is None else body


def at(*path: str, default: Any = "<none>") -> Cell:
    """A cell that shows the value at a path."""
    return lambda body, now: follow(body, *path, default=default)


def _name(body: Object, _now: float) -> Any:
    return body["metadata"]["name"]


def created(body: Object, now: float) -> Any:
    """The Age cell."""
    return since(body["metadata"].get("creationTimestamp"), now)


NAME = Column("Name", _name, format="name", description="Name of the object, unique within its namespace.")
AGE = Column("Age", created, description="Time since the object was created.")


def _pod_ready(body: Object, _now: float) -> Any:
    statuses = follow(body, "status", "containerStatuses", default=[])
    return f"{sum(bool(status.get('ready')) for status in statuses)}/{len(body['spec']['containers'])}"


def _pod_status(body: Object, _now: float) -> Any:
    if "deletionTimestamp" in body["metadata"]:
        return "Terminating"
    return follow(body, "status", "reason") or follow(body, "status", "phase", default="Unknown")


def _restarts(body: Object, _now: float) -> Any:
    statuses = follow(body, "status", "containerStatuses", default=[])
    return str(sum(status.get("restartCount", 0) for status in statuses))


def _containers(field: str) -> Cell:
    def cell(body: Object, _now: float) -> Any:
        found = follow(body, "spec", "template", "spec", "containers", default=[])
        return ",".join(str(container.get(field, "")) for container in found)

    return cell


def _selector(body: Object, _now: float) -> Any:
    return selectors.text(selectors.of_object(follow(body, "spec", "selector"))) or "<none>"


def _ready(wanted: str = "replicas") -> Cell:
    def cell(body: Object, _now: float) -> Any:
        return f"{follow(body, 'status', 'readyReplicas', default=0)}/{follow(body, 'spec', wanted, default=0)}"

    return cell


def _number(*path: str) -> Cell:
    return at(*path, default=0)


_WORKLOAD = (
    Column("Containers", _containers("name"), description="Names of the template's containers.", priority=1),
    Column("Images", _containers("image"), description="Images of the template's containers.", priority=1),
)
_SELECTOR = Column("Selector", _selector, description="Label selector of the pods.", priority=1)


def _last_seen(body: Object, now: float) -> Any:
    last = body.get("lastTimestamp") or body.get("eventTime") or body["metadata"].get("creationTimestamp")
    return since(last, now)


def _about(body: Object, _now: float) -> Any:
    about = body.get("involvedObject") or {}
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def _reference(body: Object, _now: float) -> Any:
    target = body["spec"]["scaleTargetRef"]
    return f"{target['kind']}/{target['name']}"


COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "/pods": (
        NAME,
        Column("Ready", _pod_ready, description="Ready containers of all."),
        Column("Status", _pod_status, description="Phase of the pod, or why it is in no phase."),
        Column("Restarts", _restarts, description="How often its containers were restarted."),
        AGE,
        Column("IP", at("status", "podIP"), description="Address of the pod.", priority=1),
        Column("Node", at("spec", "nodeName"), description="Node the pod runs on.", priority=1),
        Column("Nominated Node", at("status", "nominatedNodeName"), description="Node it may move to.", priority=1),
        Column("Readiness Gates", lambda body, now: "<none>", description="Extra readiness conditions.", priority=1),
    ),
    "apps/deployments": (
        NAME,
        Column("Ready", _ready(), description="Ready replicas of the wanted."),
        Column("Up-to-date", _number("status", "updatedReplicas"), description="Replicas of the newest template."),
        Column("Available", _number("status", "availableReplicas"), description="Replicas ready for long enough."),
        AGE,
        *_WORKLOAD,
        _SELECTOR,
    ),
    "apps/replicasets": (
        NAME,
        Column("Desired", _number("spec", "replicas"), "integer", description="Wanted replicas."),
        Column("Current", _number("status", "replicas"), "integer", description="Existing replicas."),
        Column("Ready", _number("status", "readyReplicas"), "integer", description="Ready replicas."),
        AGE,
        *_WORKLOAD,
        _SELECTOR,
    ),
    "apps/statefulsets": (
        NAME,
        Column("Ready", _ready(), description="Ready replicas of the wanted."),
        AGE,
        *_WORKLOAD,
    ),
    "/namespaces": (NAME, Column("Status", at("status", "phase"), description="Phase of the namespace."), AGE),
    "/secrets": (
        NAME,
        Column("Type", at("type"), description="What the data is for."),
        Column("Data", lambda body, now: len(body.get("data") or {}), description="Number of entries."),
        AGE,
    ),
    "/configmaps": (
        NAME,
        Column("Data", lambda body, now: len(body.get("data") or {}), description="Number of entries."),
        AGE,
    ),
    "coordination.k8s.io/leases": (NAME, Column("Holder", at("spec", "holderIdentity", default="")), AGE),
    "/events": (
        Column("Last Seen", _last_seen, description="Time since it was last seen."),
        Column("Type", at("type", default=""), description="Normal or Warning."),
        Column("Reason", at("reason", default=""), description="Why, in one word."),
        Column("Object", _about, description="What it is about."),
        Column("Message", at("message", default=""), description="What happened."),
        Column("Name", _name, format="name", description="Name of the event.", priority=1),
    ),
    "autoscaling/horizontalpodautoscalers": (
        NAME,
        Column("Reference", _reference, description="What is scaled."),
        Column("MinPods", at("spec", "minReplicas"), description="Lower bound."),
        Column("MaxPods", at("spec", "maxReplicas"), description="Upper bound."),
        Column("Replicas", _number("status", "currentReplicas"), description="Present replicas."),
        AGE,
    ),
    "apiextensions.k8s.io/customresourcedefinitions": (
        NAME,
        Column("Created At", at("metadata", "creationTimestamp"), "date", description="When it was created."),
    ),
}


def of(storage: str) -> tuple[Column, ...]:
    """The columns of a built-in kind; name and age where nothing better is known."""
    return COLUMNS.get(storage, (NAME, AGE))
