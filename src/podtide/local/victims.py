"""Which pods go first when a ReplicaSet shrinks, in the order of the real ReplicaSet controller.

`replicasets` calls it. https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from podtide.local.briefs import Brief

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def choose(pods: Sequence[Brief], count: int, now: float, related: Iterable[Brief] = ()) -> list[Brief]:
    """The `count` pods to delete; `related` are the pods that share the nodes, for example of the same Deployment."""
    if count >= len(pods):
        return list(pods)
    crowd = Counter(pod.node for pod in (related or pods) if pod.is_active)
    return sorted(pods, key=lambda pod: _rank(pod, crowd[pod.node], now))[:count]


def _rank(pod: Brief, crowd: int, now: float) -> tuple[object, ...]:
    return (
        bool(pod.node),  # not yet on a node
        _PHASES.get(pod.phase, 1),  # pending
        pod.is_ready,  # not ready
        pod.cost,  # cheap to lose
        -crowd,  # many on its node
        _age(now - pod.ready_since) if pod.is_ready else 0,  # ready for a short time
        -pod.restarts,  # restarted often
        _age(now - pod.created),  # young
        pod.uid,
    )


def _age(seconds: float) -> int:
    """Ages count in powers of two, so that pods of about the same age are told apart by chance, not by seconds."""
    return math.floor(math.log2(seconds)) if seconds >= 1 else -1
