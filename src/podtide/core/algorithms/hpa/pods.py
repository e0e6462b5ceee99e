"""Sorts the pods of a workload into those that count, those that do not yet, and those that are unknown."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from podtide.core.model.reading import Span
from podtide.core.model.view import PodView


@dataclass(frozen=True, slots=True)
class Readiness:
    """What decides whether a pod's cpu reading already says something about load: starting costs cpu, too."""

    now: float
    """Seconds."""
    initialization_period: float
    """Seconds from a pod's start within which it counts only while ready, with a value measured since."""
    readiness_delay: float
    """Seconds from a pod's start; unready since before then means that it has never been ready."""
    spans: Mapping[str, Span]
    """Pod uid → when its value was measured."""

    def awaits(self, pod: PodView) -> bool:
        """Whether the pod's value is to be left out for now."""
        if pod.ready is None or pod.started is None:
            return True
        changed = pod.ready_since if pod.ready_since is not None else -math.inf
        if pod.started + self.initialization_period > self.now:
            span = self.spans.get(pod.uid)
            return pod.ready == "False" or span is None or span.at < changed + span.window
        return pod.ready == "False" and pod.started + self.readiness_delay > changed


@dataclass(frozen=True, slots=True)
class Groups:
    """Pods by how they count. All but `ready` are uids."""

    ready: int
    """How many pods count with the value they have."""
    unready: Sequence[str]
    """Too young for their value to mean something."""
    missing: Sequence[str]
    """Without a value."""
    ignored: Sequence[str]
    """Leaving or failed."""


def group(pods: Sequence[PodView], known: Collection[str], readiness: Readiness | None) -> Groups:
    """Sort the pods by state and by whether their uid is known to the metric.

    `readiness` is given for cpu only: other values do not depend on how long a pod has been up.
    """
    ready = 0
    unready: list[str] = []
    missing: list[str] = []
    ignored: list[str] = []
    for pod in pods:
        if pod.deleting or pod.phase == "Failed":
            ignored.append(pod.uid)
        elif pod.phase == "Pending":
            unready.append(pod.uid)
        elif pod.uid not in known:
            missing.append(pod.uid)
        elif readiness is not None and readiness.awaits(pod):
            unready.append(pod.uid)
        else:
            ready += 1
    return Groups(ready, unready, missing, ignored)


def ready_pods(pods: Sequence[PodView]) -> int:
    """The pods that share a value of the whole workload: running and ready, those being deleted among them."""
    return sum(pod.phase == "Running" and pod.ready == "True" for pod in pods)
