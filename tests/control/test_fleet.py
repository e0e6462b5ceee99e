"""The life of the workers: edits, deletions, crashes and the end, while a patch may be on its way. On virtual time."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from prometheus_client import generate_latest

from podtide.aio.clock import Clock
from podtide.aio.mailbox import Mailbox
from podtide.api import decode, times
from podtide.control import keeper
from podtide.control.changes import News
from podtide.control.feeds.base import Change, Remove, Seen, Upsert
from podtide.control.fleet import Fleet
from podtide.control.keeper import Keeper
from podtide.control.ownership import Ownership
from podtide.control.report import Reports
from podtide.core.memory import Memory
from podtide.core.model.decision import Applied, Decision, Outcome
from podtide.core.model.reading import Reading
from podtide.core.model.spec import AutoscalerSpec, Key, MetricSpec
from podtide.core.model.view import TargetView
from podtide.kube.objects import Meta
from podtide.sources.registry import Sources
from podtide.targets.base import Target, always
from podtide.targets.registry import Targets
from podtide.telemetry.meters import Meters
from tests.api import manifests

pytestmark = pytest.mark.looptime

INTERVAL = 2.0
"""Seconds between the ticks of a KPA."""


class Quiet:
    """Sources that say nothing, and know how many read them."""

    def __init__(self) -> None:
        self.open = 0

    def subscribe(self, spec: AutoscalerSpec, metric: MetricSpec, mailbox: Mailbox[Reading]) -> "Quiet":
        self.open += 1
        return self

    def update(self, view: TargetView) -> None:
        pass

    def close(self) -> None:
        self.open -= 1


class Stage:
    """Targets whose every tick is written down, and can be made to take long or to crash."""

    def __init__(self) -> None:
        self.rivals = self
        self.ticks: list[str] = []
        self.busy: dict[str, int] = {}
        self.most_busy = 0
        self.slow: dict[str, float] = {}
        """Uid → seconds that a patch takes."""
        self.broken: set[str] = set()
        self.replicas = 2
        self.rights: list[Callable[[], bool]] = []
        """What each patch is to ask before it goes out."""

    def put(self, spec: AutoscalerSpec, metadata: Meta) -> None:
        pass

    def drop(self, key: Key) -> None:
        pass

    def for_spec(self, spec: AutoscalerSpec) -> Target:
        return Slow(self, spec)


class Slow:
    """One target."""

    def __init__(self, stage: Stage, spec: AutoscalerSpec) -> None:
        self.stage = stage
        self.spec = spec

    async def view(self, now: float) -> TargetView:
        if self.spec.uid in self.stage.broken:
            raise RuntimeError("broken")
        return TargetView(at=now, replicas=self.stage.replicas, version="1")

    async def apply(self, decision: Decision, *, may_write: Callable[[], bool] = always) -> Applied:
        stage, name = self.stage, self.spec.key.name
        stage.rights.append(may_write)
        stage.busy[name] = stage.busy.get(name, 0) + 1
        stage.most_busy = max(stage.most_busy, stage.busy[name])
        try:
            await asyncio.sleep(stage.slow.get(self.spec.uid, 0.0))
        finally:
            stage.busy[name] -= 1
        stage.ticks.append(f"{self.spec.uid} generation {self.spec.generation}")
        return Applied(Outcome.UNCHANGED, decision.current)


class Told:
    """A feed that says what the test says, and a sink that keeps what it is told."""

    def __init__(self) -> None:
        self.box: Mailbox[Change] = Mailbox()
        self.stored: dict[str, Mapping[str, Any]] = {}
        """Uid → status."""
        self.status: Mapping[str, Any] = {}
        """As earlier owners left it, of every object."""

    async def changes(self) -> AsyncIterator[Change]:
        while True:
            await self.box.wake.wait()
            for change in self.box.drain():
                yield change

    def is_synced(self) -> bool:
        return True

    def seen(self, key: Key) -> Seen:
        return Seen(self.status)

    async def write(self, metadata: Meta, status: Mapping[str, Any]) -> str | None:
        self.stored[metadata.uid] = status
        return ""

    def tell(self, metadata: Meta, news: News, now: float) -> None:
        pass


class Kept:
    """What the last owner of every shard has left."""

    def __init__(self, states: Mapping[str, bytes]) -> None:
        self._states = states

    async def load(self, number: int) -> Mapping[str, bytes]:
        return self._states

    async def save(self, number: int, states: Iterable[tuple[str, bytes]], *, permit: Callable[[], bool]) -> bool:
        return True


class World:
    """A fleet and what is around it."""

    def __init__(self) -> None:
        self.feed = Told()
        self.stage = Stage()
        self.sources = Quiet()
        self.meters = Meters()
        self.reports = Reports(self.feed, self.meters)

    def upsert(self, uid: str = "first", *, name: str = "web", generation: int = 1, **fields: Any) -> None:
        manifest = manifests.manifest(**fields)
        manifest["metadata"] = {"name": name, "namespace": "shop", "uid": uid, "generation": generation}
        metadata = Meta(name=name, namespace="shop", uid=uid, generation=generation)
        self.feed.box.put(Upsert(Key("shop", name), metadata, decode.autoscaler(manifest)))

    def remove(self, name: str = "web") -> None:
        self.feed.box.put(Remove(Key("shop", name)))


@asynccontextmanager
async def running(
    world: World, *, insecure_skip_verify: bool = False, kept: Kept | None = None
) -> AsyncIterator[Fleet]:
    loop = asyncio.get_running_loop()
    clock = Clock(wall=lambda: 0.0, monotonic=loop.time)
    async with asyncio.TaskGroup() as group:
        ownership = Ownership(1, world.meters)
        fleet = Fleet(
            group,
            world.feed,
            ownership,
            cast(Targets, world.stage),
            cast(Sources, world.sources),
            world.reports,
            keeper=cast(Keeper, kept) if kept is not None else None,
            keep_every=60.0,
            clock=clock,
            meters=world.meters,
            rng=random.Random(1),
            insecure_skip_verify=insecure_skip_verify,
        )
        tasks = [group.create_task(work) for work in (world.reports.run(), ownership.run(), fleet.run())]
        yield fleet
        tasks[2].cancel()
        await fleet.stop()
        for task in tasks:
            task.cancel()


async def test_an_edit_waits_for_the_tick_in_flight(looptime: object) -> None:
    world = World()
    async with running(world):
        world.stage.slow["first"] = 4.0
        world.upsert()
        await asyncio.sleep(3)
        assert world.stage.busy == {"web": 1}
        world.upsert(generation=2)
        await asyncio.sleep(60)
    assert world.stage.most_busy == 1
    assert world.stage.ticks[:2] == ["first generation 1", "first generation 2"]


@pytest.mark.parametrize("change", ["another target", "another object"])
async def test_so_does_what_takes_the_name_of_another(looptime: object, change: str) -> None:
    world = World()
    async with running(world):
        world.stage.slow["first"] = 4.0
        world.upsert()
        await asyncio.sleep(3)
        if change == "another object":
            world.remove()
            world.upsert("second")
        else:
            target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"}
            world.upsert(generation=2, scaleTargetRef=target)
        await asyncio.sleep(60)
    assert world.stage.most_busy == 1


async def test_a_patch_goes_out_only_while_the_lease_is_held(looptime: object, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    async with running(world) as fleet:
        world.upsert()
        await asyncio.sleep(30)
        may_write = world.stage.rights[-1]
        assert may_write()
        monkeypatch.setattr(fleet._ownership, "holds", lambda number: False)
        assert not may_write()


@pytest.mark.parametrize(
    ("told", "at", "kept", "expected"),
    [
        pytest.param("True", 1010.0, False, "True", id="scaled to zero after the last save"),
        pytest.param("False", 1010.0, True, "False", id="woken after it"),
        pytest.param("False", 990.0, True, "True", id="scaled to zero before it, which the status was never told"),
        pytest.param("True", 1000.7, False, "True", id="in its second"),
        pytest.param(None, 0.0, True, "True", id="nothing told"),
    ],
)
async def test_whose_zero_it_was_is_taken_from_what_was_told_last(
    looptime: object, told: str | None, at: float, kept: bool, expected: str
) -> None:
    """Statuses are written with every scaling, memories now and then; either may be the newer."""
    world = World()
    if told is not None:
        since = times.stamp(at)
        world.feed.status = {"conditions": [{"type": "ScaledToZero", "status": told, "lastTransitionTime": since}]}
    memory = Memory(1000.9, scaled_to_zero=kept)
    async with running(world, kept=Kept({keeper.label("first"): memory.snapshot()})):
        world.upsert(minReplicas=0)
        await asyncio.sleep(10)
    conditions = {each["type"]: each["status"] for each in world.feed.stored["first"]["conditions"]}
    assert conditions["ScaledToZero"] == expected


@pytest.mark.parametrize(("told", "expected"), [(0, "False"), (3, "True")])
async def test_a_zero_that_the_status_was_not_told_of_may_have_been_ours(
    looptime: object, told: int, expected: str
) -> None:
    """With no memory kept, whoever scaled may have ended before it said so."""
    world = World()
    world.stage.replicas = 0
    conditions = [{"type": "ScaledToZero", "status": "False", "lastTransitionTime": times.stamp(0.0)}]
    world.feed.status = {"conditions": conditions, "actualScale": told}
    async with running(world):
        world.upsert(minReplicas=0, scalingStrategy="HPA")
        await asyncio.sleep(60)
    found = {each["type"]: each["status"] for each in world.feed.stored["first"]["conditions"]}
    assert found["ScaledToZero"] == expected


async def test_what_was_loaded_before_a_failover_and_back_is_not_begun_with(looptime: object) -> None:
    """The answer comes when the shard is ours again, after another owner has kept more."""
    world = World()
    loads: list[asyncio.Future[Mapping[str, bytes]]] = []

    class Slowly(Kept):
        async def load(self, number: int) -> Mapping[str, bytes]:
            loads.append(asyncio.get_running_loop().create_future())
            return await loads[-1]

    def left(*, replicas: int) -> Mapping[str, bytes]:
        memory = Memory(0.0)
        memory.replicas = replicas
        return {keeper.label("first"): memory.snapshot()}

    async with running(world, kept=Slowly({})) as fleet:
        world.upsert()
        await asyncio.sleep(1)
        fleet.close(0)
        fleet.open(0)
        await asyncio.sleep(1)
        loads[0].set_result(left(replicas=7))
        await asyncio.sleep(1)
        (member,) = fleet._members.values()
        assert member.worker is None
        loads[1].set_result(left(replicas=5))
        await asyncio.sleep(0.1)
        assert member.memory is not None
        assert member.memory.replicas == 5


async def test_a_persons_zero_that_the_status_tells_of_is_not_taken_for_ours(looptime: object) -> None:
    """It was told after the last save."""
    world = World()
    world.stage.replicas = 0
    memory = Memory(0.0, scaled_to_zero=False)
    memory.replicas, memory.has_run = 4, True
    conditions = [{"type": "ScaledToZero", "status": "False", "lastTransitionTime": times.stamp(-1000.0)}]
    world.feed.status = {"conditions": conditions, "actualScale": 0, "lastDecision": {"at": times.stamp(30.0)}}
    async with running(world, kept=Kept({keeper.label("first"): memory.snapshot()})):
        world.upsert(minReplicas=0, scalingStrategy="HPA")
        await asyncio.sleep(60)
    found = {each["type"]: each["status"] for each in world.feed.stored["first"]["conditions"]}
    assert found["ScaledToZero"] == "False"


@pytest.mark.parametrize(
    ("is_ours", "scale", "least", "expected"),
    [
        # As of any zero that it has found and may keep.
        pytest.param("False", 3, 0, True, id="it may be zero"),
        pytest.param("True", 0, 2, None, id="it may not"),
    ],
)
async def test_the_status_of_another_target_says_nothing_of_this_ones_zero(
    looptime: object, is_ours: str, scale: int, least: int, expected: bool | None
) -> None:
    world = World()
    world.stage.replicas = 0
    conditions = [{"type": "ScaledToZero", "status": is_ours, "lastTransitionTime": times.stamp(-1000.0)}]
    world.feed.status = {"conditions": conditions, "actualScale": scale, "reference": "Deployment/other"}
    async with running(world) as fleet:
        world.upsert(minReplicas=least, scalingStrategy="HPA")
        await asyncio.sleep(60)
        (member,) = fleet._members.values()
        assert member.memory is not None
        assert member.memory.scaled_to_zero is expected


async def test_a_deleted_autoscaler_leaves_nothing_behind(looptime: object) -> None:
    world = World()
    async with running(world):
        await asyncio.sleep(1)
        before = len(asyncio.all_tasks())
        world.upsert()
        await asyncio.sleep(30)
        assert world.sources.open == 1
        world.remove()
        await asyncio.sleep(30)
        assert (world.sources.open, len(asyncio.all_tasks())) == (0, before)
        assert b'name="web"' not in exported(world)


async def test_one_that_crashes_is_started_again_and_hurts_no_other(
    looptime: object, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    with caplog.at_level(logging.CRITICAL):
        async with running(world):
            world.stage.broken.add("bad")
            world.upsert("bad", name="bad")
            world.upsert("good", name="good")
            await asyncio.sleep(100)
            assert set(world.stage.ticks) == {"good generation 1"}
            world.stage.broken.clear()
            await asyncio.sleep(100)
    assert "bad generation 1" in world.stage.ticks
    assert world.sources.open == 0


async def test_an_invalid_edit_ends_the_worker_and_a_good_one_starts_it_again(looptime: object) -> None:
    world = World()
    async with running(world):
        world.upsert()
        await asyncio.sleep(29)
        ticks = len(world.stage.ticks)
        world.upsert(generation=2, maxReplicas=0)
        await asyncio.sleep(30)
        assert len(world.stage.ticks) == ticks
        assert valid(world.feed.stored["first"]) == "False"
        assert b'name="web"' not in exported(world)
        world.upsert(generation=3)
        await asyncio.sleep(30)
        assert valid(world.feed.stored["first"]) == "True"
    assert "first generation 2" not in world.stage.ticks


async def test_the_end_waits_for_a_patch_but_not_for_ever(looptime: Any) -> None:
    world = World()
    async with running(world) as fleet:
        world.stage.slow = {"quick": 4.0, "stuck": 1000.0}
        world.upsert("quick", name="quick")
        world.upsert("stuck", name="stuck")
        await asyncio.sleep(3)
        began = asyncio.get_running_loop().time()
        await fleet.stop()
        assert asyncio.get_running_loop().time() - began < 10
    assert world.stage.ticks == ["quick generation 1"]


@pytest.mark.parametrize(
    ("protocol", "tls", "default", "expected"),
    [
        pytest.param("https", {}, False, 0.0, id="verified by default"),
        pytest.param("https", {"insecureSkipVerify": True}, False, 1.0, id="switched off by the object"),
        pytest.param("https", {}, True, 1.0, id="switched off for all"),
        pytest.param("https", {"insecureSkipVerify": False}, True, 0.0, id="switched on by the object"),
        pytest.param("http", {}, True, 0.0, id="nothing to verify"),
    ],
)
async def test_who_accepts_any_certificate_is_exported(
    looptime: object, protocol: str, tls: dict[str, Any], default: bool, expected: float
) -> None:
    world = World()
    source = {**manifests.manifest()["spec"]["metricsSources"][0], "protocolType": protocol, "tls": tls}
    async with running(world, insecure_skip_verify=default):
        world.upsert(metricsSources=[source])
        await asyncio.sleep(1)
        labels = {"namespace": "shop", "name": "web"}
        name = "podtide_autoscaler_insecure_skip_verify"
        assert world.meters.registry.get_sample_value(name, labels) == expected


async def test_a_shard_that_comes_back_is_exported_again(looptime: object) -> None:
    world = World()
    async with running(world) as fleet:
        world.upsert()
        await asyncio.sleep(30)
        told = series(world)
        fleet.close(0)
        assert series(world) == set()
        fleet.open(0)
        await asyncio.sleep(30)
        assert series(world) == told


def series(world: World) -> set[str]:
    """Which series there are of the autoscaler."""
    lines = exported(world).decode().splitlines()
    return {line.partition("{")[0] for line in lines if 'name="web"' in line}


def valid(status: Mapping[str, Any]) -> str:
    return str(next(one["status"] for one in status["conditions"] if one["type"] == "ValidSpec"))


def exported(world: World) -> bytes:
    return generate_latest(world.meters.registry)


async def test_a_thousand_at_once_are_all_decided_and_told_of(looptime: object) -> None:
    world = World()
    async with running(world):
        for number in range(1000):
            world.upsert(str(number), name=f"web-{number}")
        await asyncio.sleep(2 * INTERVAL)
        assert len({tick.split()[0] for tick in world.stage.ticks}) == 1000
        assert len(world.feed.stored) == 1000
        assert world.sources.open == 1000


async def test_a_flood_of_edits_costs_one_worker_and_loses_no_time(looptime: Any) -> None:
    world = World()
    async with running(world):
        world.upsert(generation=1)
        await asyncio.sleep(2 * INTERVAL)
        before = len(asyncio.all_tasks())
        world.stage.ticks.clear()
        most = 0
        # Fifty a second for four intervals: a worker that had to wait for an edit's end would never decide.
        for generation in range(2, 2 + int(50 * 4 * INTERVAL)):
            world.upsert(generation=generation, maxReplicas=10 + generation % 5)
            await asyncio.sleep(0.02)
            most = max(most, len(asyncio.all_tasks()))
        assert most <= before + 3
        assert world.stage.most_busy == 1
        assert len(world.stage.ticks) >= 3
        await asyncio.sleep(2 * INTERVAL)
        assert len(asyncio.all_tasks()) == before
        assert world.stage.ticks[-1] == f"first generation {generation}"
