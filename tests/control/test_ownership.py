"""Several replicas compete for shards on one embedded server; each is an `Ownership` with Leases of its own."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
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

        def lease(number: int) -> Lease:
            return Lease(
                client,
                "default",
                f"podtide-{number}",
                name,
                timing=QUICK,
                changed=lambda held: self.ownership.told(number, held),
                noticed=self.ownership.noticed,
                rng=rng,
            )

        members = Members(
            client, "default", "podtide", name, shards=shards, timing=QUICK, noticed=self.ownership.noticed, rng=rng
        )
        self.ownership.compete([lease(number) for number in range(shards)], members)
        self.ownership.serve(self)

    def open(self, number: int) -> None:
        self.open_.add(number)

    def close(self, number: int) -> None:
        self.open_.discard(number)

    async def hand_over(self, number: int) -> None:
        assert self.ownership.holds(number), "what is handed over is still ours"
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
    await stage.until(lambda: len(other.ownership._members.alive() if other.ownership._members else ()) == 2)
    await asyncio.sleep(10 * QUICK.retry)
    assert (leader.open_, other.open_) == ({0}, set())


async def test_replicas_that_divide_the_fleet_otherwise_wait_for_the_older_to_go(stage: Stage) -> None:
    old = await stage.join("old", 2)
    await stage.until(lambda: len(old.open_) == 2)
    new = await stage.join("new", 3)
    # The API server's clock counts in whole seconds; of two made within one, the name decides.
    for _ in range(20):
        stage.check()
        assert len(old.open_) + len(new.open_) == 0 or not (old.open_ and new.open_)
        await asyncio.sleep(QUICK.retry)
    elder, younger = (old, new) if old.open_ else (new, old)
    await stage.leave(elder.name)
    await stage.until(lambda: len(younger.open_) == len(younger.ownership._leases))


async def test_without_the_right_to_list_replicas_one_takes_all(stage: Stage) -> None:
    from podtide.local.faults import Fault

    stage.world.api.faults.add(Fault(verbs=("list",), resource="leases.coordination.k8s.io", status=403))
    first = await stage.join("first", 3)
    await stage.until(lambda: len(first.open_) == 3)


async def test_without_leases_everything_is_ours() -> None:
    ownership = Ownership(1, Meters())
    assert ownership.owns("any")
