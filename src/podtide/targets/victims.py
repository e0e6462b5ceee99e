"""Which pods a scale-down should take: the least loaded, if the spec asks for it (USERS 18).

Kubernetes' ReplicaSets, and what is built on them, remove pods with a low `controller.kubernetes.io/pod-deletion-cost`
first. Only pods that are about to go are marked, so that a fleet that does not shrink costs no write; marks that are no
longer true are taken off.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from podtide.core.model.decision import Decision
from podtide.core.model.signal import Signal
from podtide.core.model.view import PodView
from podtide.kube import errors, objects, resources
from podtide.kube.client import Client

log = logging.getLogger(__name__)

COST = "controller.kubernetes.io/pod-deletion-cost"
MARK = "-1001"
"""Our value of it. An odd one, since a pod with any other keeps it: somebody has thought about that pod."""
_MOST = 50
"""Pods marked before one scale-down, at most; the rest goes as Kubernetes likes."""
_WITHIN = 2.0
"""Seconds for all marks. The scale-down does not wait longer for a courtesy."""


def loads(signals: Iterable[Signal]) -> dict[str, float]:
    """How busy each pod is by its busiest metric, as a share of the busiest pod; only those with values."""
    found: dict[str, float] = {}
    for signal in signals:
        top = max(signal.per_pod.values(), default=0.0)
        for uid, value in signal.per_pod.items():
            found[uid] = max(found.get(uid, 0.0), value / top if top > 0 else 0.0)
    return found


def choose(pods: Sequence[PodView], load: Mapping[str, float], *, removing: int) -> list[PodView]:
    """The ready pods to go, the least loaded first.

    Kubernetes takes pods that are not ready before any other, so that many fewer need be chosen. Of equals the younger
    goes, as it does there.
    """
    living = [pod for pod in pods if not pod.deleting and pod.phase in ("Pending", "Running")]
    unready = sum(not pod.is_ready for pod in living)
    known = [pod for pod in living if pod.is_ready and pod.uid in load and pod.annotations.get(COST, MARK) == MARK]
    known.sort(key=lambda pod: (load[pod.uid], -(pod.created or 0.0), pod.uid))
    return known[: max(0, min(removing - unready, _MOST))]


async def mark(
    client: Client, namespace: str, pods: Sequence[PodView], decision: Decision, *, may_write: Callable[[], bool]
) -> None:
    """Mark the pods that a scale-down is to take, before it is made. What goes wrong is no reason not to scale."""
    chosen = choose(pods, loads(decision.signals), removing=decision.current - decision.desired)
    wanted = {pod.uid for pod in chosen}
    changes: list[tuple[PodView, str | None]] = [(pod, MARK) for pod in chosen if COST not in pod.annotations]
    # Anybody may have written the mark on any number of pods; what is left is taken off the next time.
    changes += [(pod, None) for pod in pods if pod.annotations.get(COST) == MARK and pod.uid not in wanted][:_MOST]

    async def change(pod: PodView, cost: str | None) -> None:
        body = {"metadata": {"annotations": {COST: cost}, "uid": pod.uid}}
        await client.patch(resources.PODS, namespace, pod.name, body, into=objects.Partial, permit=may_write)

    try:
        async with asyncio.timeout(_WITHIN), asyncio.TaskGroup() as group:
            for pod, cost in changes:
                group.create_task(change(pod, cost), name=f"mark {pod.name}")
    except* (errors.KubeError, TimeoutError) as trouble:
        log.warning("%s: not every pod could be marked to go first: %s", decision.key, trouble.exceptions[0])
