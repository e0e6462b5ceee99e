"""What the next owner of an autoscaler begins with: what the last one kept, and what it told in the status.

Memories are kept now and then, statuses are written with every scaling: whichever is newer counts. `fleet` calls it.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from podtide.api import times
from podtide.core.memory import Memory
from podtide.core.model.spec import AutoscalerSpec

log = logging.getLogger(__name__)

_SECOND = 1.0
"""Statuses know whole seconds only."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What a status says of the count."""

    scaled_to_zero: bool | None = None
    since: float = -math.inf
    """Since when that holds, in seconds of the epoch."""
    replicas: int | None = None
    at: float = -math.inf
    """When the last decision was told."""


def inherit(spec: AutoscalerSpec, kept: bytes | None, status: Mapping[str, Any], now: float) -> Memory:
    """The memory to go on with. `kept` is a snapshot, `status` the object's; either may be missing, or of before."""
    told = _told(status, str(spec.target))
    if kept is not None:
        try:
            memory = Memory.restore(kept).resume()
        except ValueError as error:
            log.warning("%s begins anew: %s", spec.key, error)
        else:
            _catch_up(memory, told, now)
            return memory
    memory = Memory(since=now, scaled_to_zero=told.scaled_to_zero)
    if told.replicas is not None:
        # What has changed since then, the last owner has not lived to tell of.
        memory.replicas, memory.left = told.replicas, now
    return memory


def _catch_up(memory: Memory, told: _Told, now: float) -> None:
    """Add what the last owner told after it had kept its memory for the last time."""
    if told.since + _SECOND > memory.clock:
        memory.scaled_to_zero = told.scaled_to_zero
    if told.at + _SECOND > memory.clock and told.replicas not in (None, memory.replicas):
        # When it changed is not known: no value of before now is one of this count.
        memory.replicas, memory.changed = told.replicas, now


def _told(status: Mapping[str, Any], target: str) -> _Told:
    if status.get("reference", target) != target:
        # The count was another workload's.
        return _Told()
    conditions: Sequence[Mapping[str, Any]] = status.get("conditions") or ()
    found = next((one for one in conditions if one.get("type") == "ScaledToZero"), {})
    since, at = (
        times.seconds(text) for text in (found.get("lastTransitionTime"), (status.get("lastDecision") or {}).get("at"))
    )
    replicas = status.get("actualScale")
    return _Told(
        {"True": True, "False": False}.get(str(found.get("status"))),
        -math.inf if since is None else since,
        replicas if isinstance(replicas, int) else None,
        -math.inf if at is None else at,
    )
