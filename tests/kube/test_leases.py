import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from podtide.kube import resources
from podtide.kube.client import Client
from podtide.kube.leases import Lease, Timing
from podtide.local.faults import Fault
from tests import cluster
from tests.cluster import Cluster

QUICK = Timing(duration=1.0, deadline=0.5, retry=0.05)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster.running(tmp_path) as running:
        yield running


class Replica:
    """One competitor, and what it was told."""

    def __init__(self, client: Client, name: str, *, ahead: float = 0.0, timing: Timing = QUICK) -> None:
        """`ahead` is how many seconds its wall clock is wrong."""
        self.told: list[bool] = []
        self.lease = Lease(
            client,
            "default",
            "podtide",
            name,
            timing=timing,
            changed=self.told.append,
            wall=lambda: time.time() + ahead,
            rng=random.Random(1),
        )

    async def until(self, held: bool) -> None:
        async with asyncio.timeout(10):
            while self.lease.is_held() is not held:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def competing(replica: Replica) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(replica.lease.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def holder(world: Cluster) -> Any:
    found = await world.other.get(resources.LEASES, "default", "podtide", into=dict[str, Any])
    return found["spec"]["holderIdentity"]


async def test_who_stands_by_says_once_for_whom(world: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    first, second = Replica(world.client, "first"), Replica(world.other, "second")
    with caplog.at_level(logging.INFO, "podtide.kube.leases"):
        async with competing(first):
            await first.until(True)
            async with competing(second):
                async with asyncio.timeout(10):
                    while not any("held by" in record.message for record in caplog.records):
                        await asyncio.sleep(0.01)
                await asyncio.sleep(4 * QUICK.retry)
                assert first.lease.is_held()
    told = [record.message for record in caplog.records if "held by" in record.message]
    assert told == ["lease podtide is held by first"]


async def test_the_first_wins_and_hands_over_when_it_ends(world: Cluster) -> None:
    first, second = Replica(world.client, "first"), Replica(world.other, "second")
    async with competing(first) as task:
        await first.until(True)
        async with competing(second):
            await asyncio.sleep(0.2)
            assert not second.lease.is_held()
            assert second.lease.holder == "first"
            task.cancel()
            await asyncio.wait({task})
            assert not first.lease.is_held()
            await second.until(True)
            assert await holder(world) == "second"
    assert first.told == [True, False]


async def test_a_holder_cut_off_stops_before_another_can_begin(world: Cluster) -> None:
    cut, other = Replica(world.client, "cut"), Replica(world.other, "other")
    async with competing(cut), competing(other):
        async with asyncio.timeout(10):
            while not (cut.lease.is_held() or other.lease.is_held()):
                await asyncio.sleep(0.01)
        if other.lease.is_held():
            cut, other = other, cut
        agent = "other" if cut.lease._identity == "other" else "podtide"
        with world.api.faults.partition(agent=agent):
            both = 0
            async with asyncio.timeout(10):
                while not other.lease.is_held():
                    both += cut.lease.is_held() and other.lease.is_held()
                    await asyncio.sleep(0.005)
            assert not cut.lease.is_held()
            assert both == 0
        assert cut.told[-1] is False


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
async def test_clocks_that_differ_by_an_hour_change_nothing(world: Cluster, ahead: float) -> None:
    wrong, right = Replica(world.client, "wrong", ahead=ahead), Replica(world.other, "right")
    async with competing(wrong) as task:
        await wrong.until(True)
        async with competing(right):
            # Longer than the Lease lasts: it is renewed, whatever its times say.
            end = time.monotonic() + 1.5 * QUICK.duration
            while time.monotonic() < end:
                assert wrong.lease.is_held()
                assert not right.lease.is_held()
                await asyncio.sleep(0.01)
            with world.api.faults.partition(agent="podtide"):
                await right.until(True)
                assert not wrong.lease.is_held()
            task.cancel()
            await asyncio.wait({task})


async def test_a_shared_lease_is_held_together_and_left_to_the_others(world: Cluster) -> None:
    together = [Replica(world.client, "2 shards"), Replica(world.other, "2 shards")]
    other = Replica(world.other, "3 shards")
    for replica in together:
        replica.lease._shared = True
    async with competing(together[1]) as last:
        # Held before anybody else asks: who is first is not this test's question.
        await together[1].until(True)
        async with competing(together[0]), competing(other):
            for replica in together:
                await replica.until(True)
            end = time.monotonic() + 1.5 * QUICK.duration
            while time.monotonic() < end:
                assert all(replica.lease.is_held() for replica in together)
                assert not other.lease.is_held()
                await asyncio.sleep(0.01)
        assert together[1].lease.is_held()
        async with competing(other):
            last.cancel()
            await asyncio.wait({last})
            await other.until(True)
    assert together[1].told == [True]


async def test_a_slow_api_server_does_not_stretch_the_right_to_act(world: Cluster) -> None:
    replica = Replica(world.client, "slow")
    async with competing(replica):
        await replica.until(True)
        with world.api.faults.during(Fault(agent="podtide", delay=5.0)):
            await replica.until(False)
        await replica.until(True)
    assert replica.told[:3] == [True, False, True]


async def test_slow_answers_cost_no_lease(world: Cluster) -> None:
    """Each takes a quarter of the deadline: to look and to take is two of them, to renew is one."""
    timing = Timing(duration=2.0, deadline=1.2, retry=0.2)
    replica = Replica(world.client, "slow", timing=timing)
    world.api.faults.add(Fault(agent="podtide", delay=timing.deadline / 4))
    async with competing(replica):
        await replica.until(True)
        await asyncio.sleep(1.25 * timing.deadline)
        assert replica.told == [True]


async def test_a_lease_that_is_held_is_renewed_by_one_request(tmp_path: Path) -> None:
    asked: list[str] = []
    async with cluster.running(tmp_path, observe=lambda verb, resource, code, seconds: asked.append(verb)) as world:
        replica = Replica(world.client, "first")
        async with competing(replica), asyncio.timeout(10):
            while asked.count("PUT") < 3:
                await asyncio.sleep(0.01)
            assert asked[:5] == ["GET", "POST", "PUT", "PUT", "PUT"]


async def test_a_lease_that_was_deleted_is_made_anew(world: Cluster) -> None:
    replica = Replica(world.client, "mine")
    async with competing(replica):
        await replica.until(True)
        await world.other.delete(resources.LEASES, "default", "podtide")
        async with asyncio.timeout(10):
            while not await _exists(world):
                await asyncio.sleep(0.01)
        assert await holder(world) == "mine"
    assert replica.told == [True, False]


async def _exists(world: Cluster) -> bool:
    found, _ = await world.other.list(resources.LEASES, "default", into=dict[str, Any])
    return bool(found)


async def test_a_lease_taken_by_force_is_lost(world: Cluster) -> None:
    replica = Replica(world.client, "mine")
    async with competing(replica):
        await replica.until(True)
        body = {"spec": {"holderIdentity": "thief", "leaseDurationSeconds": 60}}
        await world.other.patch(resources.LEASES, "default", "podtide", body, into=dict)
        await replica.until(False)
        assert replica.lease.holder == "thief"


async def test_a_lease_that_may_not_be_taken_is_complained_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    codes: list[int] = []
    async with cluster.running(tmp_path, observe=lambda verb, resource, code, seconds: codes.append(code)) as world:
        replica = Replica(world.client, "first")
        with caplog.at_level(logging.WARNING):
            with world.api.faults.during(Fault(agent="podtide", status=403)):
                async with competing(replica), asyncio.timeout(10):
                    while codes.count(403) < 3:
                        await asyncio.sleep(0.01)
            async with competing(replica):
                await replica.until(True)
    (complaint,) = [record.message for record in caplog.records]
    assert complaint.startswith("cannot take or renew lease default/podtide: 403 ")
