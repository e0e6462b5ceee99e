import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from podtide.core.model.spec import Key
from podtide.kube import client, errors, kinds, objects, resources, shallow
from podtide.kube.cache import Cache
from podtide.kube.client import Client
from podtide.kube.informers import Informers
from podtide.kube.watch import Pace, Reflector
from podtide.local.faults import Fault
from tests import cluster
from tests.cluster import Cluster

QUICK = Pace(watch=60.0, first_wait=0.01, longest_wait=0.02)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster.running(tmp_path) as running:
        yield running


class Pods:
    """A watched cache of pods and a way to wait for what is in it."""

    def __init__(self, informers: Informers) -> None:
        self.informers = informers
        self.cache: Cache[objects.PodRecord] = informers.cache(kinds.PODS)
        self._changed = asyncio.Event()
        self.cache.subscribe(lambda key, item: self._changed.set())

    def names(self) -> set[str]:
        return {key.name for key, record in self.cache if not record.view.deleting}

    def failure(self) -> errors.KubeError | None:
        return self.informers.failure(resources.PODS)

    async def until(self, *names: str) -> None:
        async with asyncio.timeout(10):
            while self.names() != set(names):
                self._changed.clear()
                await self._changed.wait()

    async def until_it(self, test: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not test():
                await asyncio.sleep(0)


@asynccontextmanager
async def watching(world: Cluster, *, pace: Pace = QUICK, **options: Any) -> AsyncIterator[Pods]:
    async with asyncio.TaskGroup() as group:
        informers = Informers(world.client, group, pace=pace, **options)
        pods = Pods(informers)
        try:
            yield pods
        finally:
            informers.stop()


async def test_lists_then_follows(world: Cluster) -> None:
    await world.create(cluster.pod("a"))
    async with watching(world) as pods:
        await pods.cache.synced.wait()
        assert pods.names() == {"a"}
        await world.create(cluster.pod("b"))
        await pods.until("a", "b")
        await world.other.delete(resources.PODS, "default", "a")
        await pods.until("b")


async def test_a_dropped_watch_is_resumed(world: Cluster) -> None:
    async with watching(world) as pods:
        await pods.cache.synced.wait()
        await world.create(cluster.pod("a"))
        await pods.until("a")
        listed = world.api.faults.add(Fault(agent="podtide", verbs=("list",), resource="pods", status=500))
        world.api.faults.drop_watches(resource="pods")
        await world.create(cluster.pod("b"))
        await pods.until("a", "b")
        assert not listed.hits


async def test_an_outage_keeps_what_was_known_and_its_end_brings_what_was_missed(world: Cluster) -> None:
    await world.create(cluster.pod("old"))
    async with watching(world) as pods:
        await pods.until("old")
        with world.api.faults.partition(agent="podtide"):
            await pods.until_it(lambda: isinstance(pods.failure(), errors.Unreachable))
            await world.other.delete(resources.PODS, "default", "old")
            await world.create(cluster.pod("new"))
            assert pods.names() == {"old"}
        await pods.until("new")
        assert pods.failure() is None


async def test_a_compacted_watch_lists_anew_and_misses_no_deletion(world: Cluster) -> None:
    await world.create(cluster.pod("old"))
    async with watching(world) as pods:
        await pods.until("old")
        with world.api.faults.partition(agent="podtide"):
            await pods.until_it(lambda: pods.failure() is not None)
            await world.other.delete(resources.PODS, "default", "old")
            await world.create(cluster.pod("new"))
            world.api.store.compact()
            listed = world.api.faults.add(Fault(agent="podtide", verbs=("list",), resource="pods", delay=0.001))
        await pods.until("new")
        assert listed.hits


async def test_a_server_that_is_away_at_the_start_is_waited_for(world: Cluster) -> None:
    await world.create(cluster.pod("a"))
    fault = world.api.faults.add(Fault(agent="podtide", status=503))
    async with watching(world) as pods:
        await pods.until_it(lambda: fault.hits >= 3)
        assert not pods.cache.synced.is_set()
        world.api.faults.remove(fault)
        await pods.until("a")


async def test_a_missing_right_is_told_and_does_not_hold_up_readiness(world: Cluster) -> None:
    with world.api.faults.during(Fault(agent="podtide", status=403)):
        async with watching(world) as pods:
            await pods.until_it(lambda: isinstance(pods.failure(), errors.Forbidden))
            assert pods.informers.synced()


async def test_only_the_named_namespaces_are_watched(world: Cluster) -> None:
    for namespace in ("shop", "blog"):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        await world.other.create(resources.Resource("", "v1", "namespaces", "Namespace", False), "", body, into=dict)
    await world.create(cluster.pod("a", namespace="shop"))
    await world.create(cluster.pod("b", namespace="blog"))
    await world.create(cluster.pod("c"))
    async with watching(world, namespaces=("shop", "default")) as pods:
        await pods.cache.synced.wait()
        assert {key for key, _ in pods.cache} == {Key("shop", "a"), Key("default", "c")}


async def test_everything_is_listed_anew_when_due(world: Cluster) -> None:
    async with watching(world, pace=Pace(watch=60.0, resync=0.0, first_wait=0.01)) as pods:
        await pods.cache.synced.wait()
        await world.create(cluster.pod("a"))
        await pods.until("a")
        # Somebody's object that only a list can show to be gone.
        pods.cache.put(Key("default", "ghost"), objects.pod(objects.Pod(objects.Meta(name="ghost"))))
        world.api.faults.drop_watches(resource="pods")
        await pods.until("a")


@asynccontextmanager
async def reflected(server: object, seed: int = 1) -> AsyncIterator[None]:
    """Pods as a server without a network tells them."""
    reflector = Reflector(cast(Client, server), kinds.PODS, Cache(), rng=random.Random(seed))
    task = asyncio.create_task(reflector.run())
    try:
        yield
    finally:
        task.cancel()


class Forgetful:
    """A server that keeps no past: it lists, and every watch is too old."""

    def __init__(self) -> None:
        self.lists = 0

    async def list(self, *_: object, **__: object) -> tuple[list[Any], str]:
        await asyncio.sleep(0.001)
        self.lists += 1
        return [], "1"

    def stream(self, *_: object, **__: object) -> "Forgetful":
        return self

    async def __aenter__(self) -> None:
        raise errors.Gone(410, "Expired", "too old resource version")

    async def __aexit__(self, *_: object) -> None:
        pass


@pytest.mark.looptime
async def test_a_server_that_keeps_no_past_is_listed_ever_more_rarely(looptime: object) -> None:
    server = Forgetful()
    async with reflected(server):
        await asyncio.sleep(120)
    assert 5 <= server.lists <= 15


class Quiet:
    """A server where nothing happens to what is watched, so that it sends nothing but a bookmark a watch."""

    def __init__(self) -> None:
        self.lists = 0
        self.asked: list[str] = []
        """The version that each watch began at."""

    async def list(self, *_: object, **__: object) -> tuple[list[Any], str]:
        self.lists += 1
        return [], "1"

    @asynccontextmanager
    async def stream(self, *_: object, query: dict[str, str], **__: object) -> AsyncIterator[AsyncIterator[bytes]]:
        self.asked.append(query["resourceVersion"])
        yield self._bookmark(100 * len(self.asked))

    async def _bookmark(self, version: int) -> AsyncIterator[bytes]:
        body = f'{{"kind":"Pod","apiVersion":"v1","metadata":{{"resourceVersion":"{version}"}}}}'
        yield f'{{"type":"BOOKMARK","object":{body}}}'.encode()


@pytest.mark.looptime
async def test_a_watch_goes_on_from_the_last_bookmark(looptime: object) -> None:
    # Else what is rarely written falls out of the server's history, and every watch of it ends in a list.
    server = Quiet()
    async with reflected(server):
        await asyncio.sleep(10)
    assert server.asked[:3] == ["1", "100", "200"]
    assert server.lists == 1


class Away:
    """A server that is away, for as long as it is told."""

    def __init__(self) -> None:
        self.is_away = True
        self.back_for = 0.0
        """Seconds after its return that it was first asked."""
        self.returned_at = 0.0

    async def list(self, *_: object, **__: object) -> tuple[list[Any], str]:
        if self.is_away:
            raise errors.Unreachable("away")
        self.back_for = asyncio.get_running_loop().time() - self.returned_at
        await asyncio.Event().wait()
        return [], "1"


@pytest.mark.looptime
@pytest.mark.parametrize("seed", range(10))
async def test_after_a_long_outage_it_is_there_again_within_ten_seconds(looptime: object, seed: int) -> None:
    server = Away()
    async with reflected(server, seed):
        await asyncio.sleep(300 + seed)
        server.is_away, server.returned_at = False, asyncio.get_running_loop().time()
        await asyncio.sleep(60)
    assert 0 < server.back_for <= 10


async def test_one_object_that_cannot_be_read_stops_nobody_elses(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, world: Cluster
) -> None:
    """Its owner would have stopped the watch of everybody's, for good."""
    read = objects.pod
    is_odd = False

    def pod(wire: objects.Pod) -> objects.PodRecord:
        if is_odd and wire.metadata.name == "odd":
            raise ValueError("a quantity of nothing")
        return read(wire)

    monkeypatch.setattr(objects, "pod", pod)
    for name in ("odd", "web"):
        await world.create(cluster.pod(name))
    async with watching(world, pace=Pace(watch=60.0, resync=0.0, first_wait=0.01, longest_wait=0.02)) as pods:
        await pods.until("odd", "web")
        is_odd = True
        await world.other.patch(resources.PODS, "default", "odd", {"metadata": {"labels": {"a": "b"}}}, into=dict)
        await world.create(cluster.pod("later"))
        await pods.until("odd", "web", "later")
        assert pods.failure() is None
        await world.other.delete(resources.PODS, "default", "odd")
        await pods.until("web", "later")
    async with watching(world) as pods:
        await world.create(cluster.pod("odd"))
        await world.create(cluster.pod("last"))
        await pods.until("web", "later", "last")
    assert "default/odd of pods cannot be read" in caplog.text


DEEP = b'{"a":' * 5000 + b"1" + b"}" * 5000


async def test_an_object_nested_deeper_than_is_read_stops_nobody_elses() -> None:
    subject: Reflector[Any, Any] = Reflector(cast(Client, None), kinds.AUTOSCALERS, Cache())
    for name, deep in (("a", b"1"), ("b", DEEP), ("c", b"1")):
        body = b'{"metadata":{"name":"%s","resourceVersion":"7"},"spec":%s}' % (name.encode(), deep)
        subject._apply(b'{"type":"ADDED","object":%s}' % body)
    assert [key.name for key, _ in subject._cache] == ["a", "c"]
    listed = (
        b'{"metadata":{"resourceVersion":"8"},"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"},"spec":%s}]}'
    )
    page = await client._page(listed % DEEP)
    assert [subject._read(bytes(raw))[0].name for raw in page.items or ()] == ["a", "b"]


def test_what_is_too_deep_is_left_out_and_nothing_else() -> None:
    inner = b'{"text":"[{\\"]","list":[1,[2]]}'
    assert shallow.shallow(inner) == inner
    left = shallow.shallow(b'{"before":[],"deep":%s,"after":"]"}' % DEEP)
    assert left == b'{"before":[],"deep":' + b'{"a":' * 99 + b"null" + b"}" * 99 + b',"after":"]"}'
