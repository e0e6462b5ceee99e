"""Which pods of a group count: where one replica is several pods, the one that serves its metrics.

Labels as the owners' projects document them: LeaderWorkerSet's leader is worker 0 and the only pod that its own scale
selects; AIBrix serves from index 0 of a pod group; a Ray cluster serves from its head.
"""

from collections.abc import Mapping

ROLE = "role-name"
"""AIBrix' label for a pod's role within a StormService."""

_HEADS = {
    "leaderworkerset.sigs.k8s.io/worker-index": "0",
    "stormservice.orchestration.aibrix.ai/pod-group-index": "0",
    "ray.io/node-type": "head",
}


def is_head(labels: Mapping[str, str]) -> bool:
    """Whether a pod stands for its replica; one that is no member of any group does."""
    return all(labels.get(name, head) == head for name, head in _HEADS.items())
