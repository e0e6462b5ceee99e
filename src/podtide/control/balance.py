"""Who should have which shards: pure arithmetic on what a replica sees. Called by `control.ownership`.

Shards stay where they are as long as that is fair. A replica with two more than another hands one over; a free one is
for whoever has fewest. Everybody decides for himself on a view that may be a moment old; the Leases settle the rest.
"""

from collections.abc import Collection, Mapping, Sequence

SPARE = 15.0
"""Seconds after which a free shard is for anybody: those who should have taken it do not."""


def loads(holders: Sequence[str], alive: Collection[str]) -> dict[str, int]:
    """How many shards each living replica holds."""
    counts = dict.fromkeys(alive, 0)
    for holder in holders:
        if holder in counts:
            counts[holder] += 1
    return counts


def surplus(mine: Collection[int], counts: Mapping[str, int]) -> int | None:
    """The shard to hand over now; None while nobody has two fewer."""
    if not mine or min(counts.values(), default=len(mine)) > len(mine) - 2:
        return None
    return max(mine)


def wanted(me: str, free: Mapping[int, float], counts: Mapping[str, int]) -> set[int]:
    """The shards to take: one if nobody has fewer, and those that have been free for too long.

    `free` is shard → seconds since which it is free. The order differs from replica to replica, so that two that begin
    together do not want the same one first.
    """
    spare = {number for number, seconds in free.items() if seconds >= SPARE}
    if free and counts.get(me, 0) <= min(counts.values(), default=0):
        order = sorted(free)
        rank = sorted({*counts, me}).index(me)
        return spare | {order[rank % len(order)]}
    return spare
