"""Pods on their way are capacity: while they start, the load they were asked for must not ask for more.

A workload whose pods take minutes to load a model stays overloaded meanwhile. A strategy that multiplies the current
count by the overload would double it with every tick until the first pod is up. KPA limits growth by the ready count,
and HPA counts starting pods as idle; the engine applies this where the strategy has no such rule.
"""

import math

from podtide.core.model.decision import Note

STAGE = "starting"


def hold(replicas: int, *, current: int, coming: int, rate: float) -> tuple[int, Note | None]:
    """The count, as far as `rate` times the pods that are up allows; never below the current one.

    `coming` is how many of the current pods are starting, or asked for and not there yet. Those that have been starting
    for too long are not among them: nothing comes of waiting for them.
    """
    if replicas <= current or coming <= 0:
        return replicas, None
    most = max(current, math.ceil(rate * max(1, current - coming)))
    if replicas <= most:
        return replicas, None
    message = f"{coming} of {current} pods are on their way"
    return most, Note(STAGE, replicas, most, "PodsStarting", message)
