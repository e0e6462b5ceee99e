"""Which autoscalers this replica may act on: those whose shard's Lease it holds. Leader election is one shard.

Shards move when a replica joins (handed over, after the last tick and with what is remembered), leaves (released) or
dies (its Leases run out). Replicas that divide the fleet into different numbers of shards never act side by side: all
of one division hold one more Lease together, and the others wait until it has run out.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Protocol

from podtide.control import balance
from podtide.core import shards
from podtide.kube.leases import Lease
from podtide.kube.members import Members
from podtide.telemetry.meters import Meters

log = logging.getLogger(__name__)

LOOK = 5.0
"""Seconds after which the sharing out is looked at, though nothing seems to have happened."""


class Shards(Protocol):
    """Who works on the autoscalers of a shard: `control.fleet`."""

    def open(self, number: int) -> None:
        """A shard is ours now."""
        ...

    def close(self, number: int) -> None:
        """A shard is ours no more; nothing may be written on its behalf."""
        ...

    async def hand_over(self, number: int) -> None:
        """Finish with a shard in order: end what is in flight, keep what is remembered. It is still ours meanwhile."""
        ...


class Ownership:
    """The Leases of every shard; without Leases, everything is ours."""

    def __init__(self, count: int, meters: Meters) -> None:
        self._count = count
        self._meters = meters
        self._leases: Sequence[Lease] = ()
        self._members: Members | None = None
        self._division: Lease | None = None
        self._shards: Shards | None = None
        self._leaving: set[int] = set()
        """Shards that are being handed over: still held, but nothing new is begun."""
        self._news = asyncio.Event()

    def compete(self, leases: Sequence[Lease], members: Members | None, division: Lease | None) -> None:
        """Own only what these Leases, one per shard, give; with several shards only while `division` is held, too.

        Without `members` there is nothing to share out: whoever is first has the one Lease there is.
        """
        self._leases, self._members, self._division = leases, members, division
        for number, lease in enumerate(leases):
            lease.want(False)
            # Known from the start, so that an alert sees a shard that nobody ever led.
            self._meters.leader.labels(str(number)).set(False)

    def serve(self, shards: Shards) -> None:
        """Tell of every shard that is won or lost."""
        self._shards = shards

    def told(self, number: int, held: bool) -> None:
        """A Lease was won or lost; `Lease` calls this."""
        self._meters.leader.labels(str(number)).set(held)
        self._news.set()
        if self._shards is not None:
            (self._shards.open if held else self._shards.close)(number)

    def divided(self, held: bool) -> None:
        """The division's Lease was won or lost; `Lease` calls this."""
        self._news.set()

    def noticed(self) -> None:
        """A holder has changed, or a replica has come or gone."""
        self._news.set()

    def shard(self, uid: str) -> int:
        """The shard of an autoscaler."""
        return shards.shard(uid, self._count)

    def holds(self, number: int) -> bool:
        """Whether a shard's Lease is ours at this very moment."""
        if not self._leases:
            return True
        return self._leases[number].is_held() and (self._division is None or self._division.is_held())

    def owns(self, uid: str) -> bool:
        """Whether this replica may write on behalf of an autoscaler at this very moment."""
        return self.holds(self.shard(uid))

    async def run(self) -> None:
        """Compete until cancelled, then release."""
        if self._leases:
            await self._compete(self._members)
        else:
            for number in range(self._count):
                self.told(number, True)
            await asyncio.Event().wait()

    async def _compete(self, members: Members | None) -> None:
        if members is not None:
            await members.look()
        async with asyncio.TaskGroup() as group:
            leases = (*self._leases, *([self._division] if self._division else []))
            tasks = [group.create_task(lease.run(), name=f"lease {lease.name}") for lease in leases]
            if members is None:
                for lease in leases:
                    lease.want(True)
                return
            tasks.append(group.create_task(members.run(), name="members"))
            try:
                while True:
                    self._share(members, group)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK):
                            await self._news.wait()
                    self._news.clear()
            finally:
                # Leases first, then our name: a group would end its tasks in any order, and others wait for the Leases.
                for task in tasks:
                    task.cancel()

    def _share(self, members: Members, group: asyncio.TaskGroup) -> None:
        """Want what is free and fair to take; hand over what is not ours to keep."""
        mine = {number for number, lease in enumerate(self._leases) if lease.is_held()} - self._leaving
        if self._division is not None and not self._division.is_held():
            for number, lease in enumerate(self._leases):
                lease.want(False)
                if number in mine:
                    self._hand_over(number, group)
            return
        counts = balance.loads([lease.holder for lease in self._leases], members.alive())
        free = {
            number: seconds for number, lease in enumerate(self._leases) if (seconds := lease.free_for()) is not None
        }
        wanted = balance.wanted(members.identity, free, counts)
        for number, lease in enumerate(self._leases):
            lease.want(number in wanted)
        extra = None if free or self._leaving else balance.surplus(mine, counts)
        if extra is not None:
            self._hand_over(extra, group)

    def _hand_over(self, number: int, group: asyncio.TaskGroup) -> None:
        log.info("handing over shard %d", number)
        self._leaving.add(number)
        group.create_task(self._part_with(number), name=f"hand over shard {number}")

    async def _part_with(self, number: int) -> None:
        try:
            if self._shards is not None:
                await self._shards.hand_over(number)
        finally:
            await self._leases[number].resign()
            self._leaving.discard(number)
            self._news.set()
