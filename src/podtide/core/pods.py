"""Sorts a target's pods into what carries load now and what is on its way. The engine and the algorithms count here."""

import math
from typing import NamedTuple

from podtide.core.model.view import TargetView

FINISHED = frozenset({"Succeeded", "Failed"})
"""Phases of pods that will not run again."""


class Counts(NamedTuple):
    """How many pods are in which state. Finished pods are in none."""

    ready: int = 0
    """Taking traffic."""
    starting: int = 0
    """Not ready yet, and young enough to be expected."""
    stuck: int = 0
    """Not ready for longer than the limit: not counted on any more."""
    leaving: int = 0
    """Terminating."""
    missing: int = 0
    """Asked for in spec.replicas, and not created yet."""
    surge: int = 0
    """Beyond spec.replicas, as during a rollout. Never taken for replicas: a rollout must not ratchet the count up."""

    @property
    def capacity(self) -> int:
        """Pods that carry load now or soon."""
        return self.ready + self.starting

    @property
    def coming(self) -> int:
        """Pods that are asked for and on their way, created or not. A rollout's surge is not asked for."""
        return self.missing + max(0, self.starting - self.surge)


def ready(view: TargetView) -> int:
    """How many pods take traffic: `Counts.ready` alone, for the algorithms."""
    # `PodView.is_ready` in its own words, here and below: a call per pod would be most of what counting costs.
    return len([None for pod in view.pods if pod.ready == "True" and pod.phase == "Running" and not pod.deleting])


def count(view: TargetView, *, starting_limit: float = math.inf, now: float) -> Counts:
    """Count the pods of a view. `starting_limit` is in seconds since a pod's creation."""
    up = starting = stuck = leaving = 0
    for pod in view.pods:
        if pod.ready == "True" and pod.phase == "Running" and not pod.deleting:
            up += 1
        elif pod.deleting:
            leaving += 1
        elif pod.phase in FINISHED:
            continue
        else:
            born = pod.created if pod.created is not None else pod.started
            # A pod without a birthday is expected for good: no API server creates one.
            if born is None or now - born <= starting_limit:
                starting += 1
            else:
                stuck += 1
    beyond = up + starting + stuck - view.replicas
    return Counts(up, starting, stuck, leaving, missing=max(0, -beyond), surge=max(0, beyond))
