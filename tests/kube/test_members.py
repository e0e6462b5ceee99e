import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from podtide.kube import resources
from podtide.kube.client import Client
from podtide.kube.leases import Timing
from podtide.kube.members import Members
from podtide.local.faults import Fault
from tests import cluster
from tests.cluster import Cluster

TIMING = Timing(duration=10.0, deadline=6.0, retry=0.05)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster.running(tmp_path) as running:
        yield running


class Replica:
    """A member on a clock that the test sets, and how often it was told of a change."""

    def __init__(self, client: Client, identity: str, group: str = "podtide") -> None:
        self.now = 0.0
        self.news = 0
        self.members = Members(
            client, "default", group, identity, timing=TIMING, noticed=self._noticed, monotonic=lambda: self.now
        )

    def _noticed(self) -> None:
        self.news += 1

    async def sees(self) -> list[str]:
        await self.members.look()
        return sorted(self.members.alive())


async def leases(world: Cluster) -> list[str]:
    listed, _ = await world.other.list(resources.LEASES, "default", into=dict[str, Any])
    return sorted(lease["spec"]["holderIdentity"] for lease in listed)


async def test_members_see_each_other_and_no_other_controller(world: Cluster) -> None:
    one, two = Replica(world.client, "one"), Replica(world.other, "two")
    stranger = Replica(world.other, "stranger", group="another")
    await stranger.sees()
    assert await one.sees() == ["one"]
    assert await two.sees() == ["one", "two"]
    assert await one.sees() == ["one", "two"]
    assert (one.news, two.news) == (2, 1)


async def test_one_that_renews_no_more_is_dead_after_the_leases_duration_and_forgotten_later(world: Cluster) -> None:
    one, dead = Replica(world.client, "one"), Replica(world.other, "dead")
    await dead.sees()
    assert await one.sees() == ["dead", "one"]
    one.now = 9.9
    assert await one.sees() == ["dead", "one"]
    one.now = 10.1
    assert await one.sees() == ["one"]
    assert await leases(world) == ["dead", "one"]
    one.now = 500.0
    await one.sees()
    assert await leases(world) == ["one"]
    # It was only paused.
    assert await dead.sees() == ["dead", "one"]


async def test_one_that_ends_is_gone_at_once(world: Cluster) -> None:
    one, two = Replica(world.client, "one"), Replica(world.other, "two")
    task = asyncio.create_task(two.members.run())
    async with asyncio.timeout(10):
        while await one.sees() != ["one", "two"]:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})
    assert await one.sees() == ["one"]


async def test_an_outage_keeps_what_was_seen(world: Cluster) -> None:
    one, two = Replica(world.client, "one"), Replica(world.other, "two")
    await two.sees()
    await one.sees()
    with world.api.faults.during(Fault(agent="podtide", status=500)):
        assert await one.sees() == ["one", "two"]
