"""Several replicas compete for shards on one embedded server; each is an `Ownership` with Leases of its own."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from podtide.control.ownership import Ownership
from podtide.kube import config
from podtide.kube.client import Client
from podtide.kube.leases import Lease, Timing
from podtide.kube.members import Members
from podtide.telemetry.meters import Meters
from tests import cluster
from tests.cluster import Cluster

QUICK = Timing(duration=1.0, deadline=0.5, retry=0.05)


class Replica:
    """One controller process's part in it; it records what it works on."""

    def __init__(self, client: Client, name: str, shards: int) -> None:
        self.name = name
        self.open_: set[int] = set()
        self.handed: list[int] = []
        self.ownership = Ownership(shards, Meters())
        rng = random.Random(name)

        def lease(called: str, identity: str, changed: Callable[[bool], None], *, shared: bool = False) -> Lease:
            return Lease(
                client,
                "default",
                called,
                identity,
                timing=QUICK,
                changed=changed,
                noticed=self.ownership.noticed,
                shared=shared,
                rng=rng,
            )

        members = Members(client, "default", "podtide", name, timing=QUICK, noticed=self.ownership.noticed, rng=rng)
        told = self.ownership.told
        if shards == 1:
            self.ownership.compete([lease("podtide", name, partial(told, 0))], None, None)
        else:
            division = lease("podtide", f"{shards} shards", self.ownership.divided, shared=True)
            leases = [lease(f"podtide-{number}", name, partial(told, number)) for number in range(shards)]
            self.ownership.compete(leases, members, division)
        self.ownership.serve(self)

    def open(self, number: int) -> None:
        self.open_.add(number)

    def close(self, number: int) -> None:
        self.open_.discard(number)

    def holds(self) -> bool:
        return any(self.ownership.holds(number) for number in range(len(self.ownership._leases)))

    async def hand_over(self, number: int) -> None:
        self.handed.append(number)


class Stage:
    """A server and the replicas on it."""

    def __init__(self, world: Cluster, kubeconfig: str) -> None:
        self.world = world
        self.replicas: dict[str, Replica] = {}
        self._kubeconfig = kubeconfig
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stack = AsyncExitStack()

    async def join(self, name: str, shards: int) -> Replica:
        client = Client(await config.load(self._kubeconfig), user_agent=name, qps=1000)
        await self._stack.enter_async_context(client)
        replica = self.replicas[name] = Replica(client, name, shards)
        self._tasks[name] = asyncio.create_task(replica.ownership.run())
        return replica

    async def leave(self, name: str) -> None:
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.wait({task})
        del self.replicas[name]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait, and check at every moment that no shard has two owners."""
        async with asyncio.timeout(15):
            while not holds():
                self.check()
                await asyncio.sleep(0.005)

    def check(self) -> None:
        acting = [replica for replica in self.replicas.values() if replica.holds()]
        assert len({len(replica.ownership._leases) for replica in acting}) <= 1, "two divisions act"
        for number in range(8):
            owners = [
                replica.name
                for replica in self.replicas.values()
                if number < len(replica.ownership._leases) and replica.ownership.holds(number)
            ]
            assert len(owners) <= 1, f"shard {number} has {owners}"

    def sizes(self) -> list[int]:
        return sorted(len(replica.open_) for replica in self.replicas.values())

    async def close(self) -> None:
        for name in tuple(self._tasks):
            await self.leave(name)
        await self._stack.aclose()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with cluster.running(tmp_path) as world, _closing(Stage(world, str(tmp_path / "kubeconfig"))) as stage:
        yield stage


@asynccontextmanager
async def _closing(stage: Stage) -> AsyncIterator[Stage]:
    try:
        yield stage
    finally:
        await stage.close()


async def test_shards_move_to_who_joins_and_from_who_leaves(stage: Stage) -> None:
    first = await stage.join("first", 4)
    await stage.until(lambda: len(first.open_) == 4)
    await stage.join("second", 4)
    await stage.until(lambda: stage.sizes() == [2, 2])
    assert sorted(first.handed) == [2, 3]
    await stage.join("third", 4)
    await stage.until(lambda: stage.sizes() == [1, 1, 2])
    await stage.leave("first")
    await stage.until(lambda: stage.sizes() == [2, 2])


async def test_a_replica_cut_off_loses_its_shards_before_another_has_them(stage: Stage) -> None:
    for name in ("first", "second"):
        await stage.join(name, 4)
    await stage.until(lambda: stage.sizes() == [2, 2])
    with stage.world.api.faults.partition(agent="first"):
        await stage.until(lambda: len(stage.replicas["second"].open_) == 4)
        assert stage.replicas["first"].open_ == set()
    await stage.until(lambda: stage.sizes() == [2, 2])


async def test_a_leader_stays_leader_when_another_joins(stage: Stage) -> None:
    # The later one comes first in the alphabet, which must not matter.
    leader = await stage.join("zulu", 1)
    await stage.until(lambda: leader.open_ == {0})
    other = await stage.join("alpha", 1)
    await stage.until(lambda: other.ownership._leases[0].holder == "zulu")
    await asyncio.sleep(10 * QUICK.retry)
    assert (leader.open_, other.open_) == ({0}, set())


@pytest.mark.parametrize(("before", "after"), [(2, 3), (1, 3)])
async def test_replicas_that_divide_the_fleet_otherwise_wait_for_the_others_to_go(
    stage: Stage, before: int, after: int
) -> None:
    old = [await stage.join(f"old-{number}", before) for number in range(2)]
    await stage.until(lambda: sum(stage.sizes()) == before)
    new = await stage.join("new", after)
    for replica in sorted(old, key=lambda one: -len(one.open_)):
        end = time.monotonic() + 1.2 * QUICK.duration
        # Of one shard, the leader gives its Lease back for anybody; of several, the division's runs out with its last.
        while time.monotonic() < end:
            stage.check()
            await asyncio.sleep(0.01)
        assert new.open_ == set() or (before == 1 and not any(one.open_ for one in old))
        await stage.leave(replica.name)
    await stage.until(lambda: len(new.open_) == after)


async def test_without_the_right_to_list_replicas_one_takes_all(stage: Stage) -> None:
    from podtide.local.faults import Fault

    stage.world.api.faults.add(Fault(verbs=("list",), resource="leases.coordination.k8s.io", status=403))
    first = await stage.join("first", 3)
    await stage.until(lambda: len(first.open_) == 3)


async def test_without_leases_everything_is_ours() -> None:
    ownership = Ownership(1, Meters())
    assert ownership.owns("any")
