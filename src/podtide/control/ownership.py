"""Which autoscalers this replica may act on: those whose shard's Lease it holds. Leader election is one shard."""

import asyncio
from collections.abc import Callable, Sequence

from podtide.core import shards
from podtide.kube.leases import Lease
from podtide.telemetry.meters import Meters

Changed = Callable[[int, bool], None]
"""Told of each shard that is won or lost."""


class Ownership:
    """The Leases of every shard; without Leases, everything is ours."""

    def __init__(self, count: int, meters: Meters) -> None:
        self._count = count
        self._meters = meters
        self._leases: Sequence[Lease] = ()
        self._changed: Changed | None = None

    def compete(self, leases: Sequence[Lease]) -> None:
        """Own only what these Leases, one per shard, give."""
        self._leases = leases

    def subscribe(self, changed: Changed) -> None:
        """Tell of changes from now on."""
        self._changed = changed

    def told(self, number: int, held: bool) -> None:
        """A Lease was won or lost; `Lease` calls this."""
        self._meters.leader.labels(str(number)).set(held)
        if self._changed is not None:
            self._changed(number, held)

    def shard(self, uid: str) -> int:
        """The shard of an autoscaler."""
        return shards.shard(uid, self._count)

    def owns(self, uid: str) -> bool:
        """Whether this replica may write on behalf of an autoscaler at this very moment."""
        return not self._leases or self._leases[self.shard(uid)].is_held()

    async def run(self) -> None:
        """Compete until cancelled, then release."""
        async with asyncio.TaskGroup() as group:
            for lease in self._leases:
                group.create_task(lease.run(), name=f"lease {lease.name}")
