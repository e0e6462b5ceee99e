"""PodAutoscalers from a watch, many at once."""

import asyncio
from typing import Any, cast

import pytest

from podtide.api import decode
from podtide.api.settings import Settings
from podtide.control.feeds import crd
from podtide.control.feeds.base import Upsert
from podtide.control.feeds.crd import CrdFeed
from podtide.core.model.spec import Key
from podtide.kube.cache import Cache
from podtide.kube.informers import Informers
from podtide.kube.kinds import Manifest
from podtide.kube.objects import Meta
from tests.api import manifests


class Watched:
    """Informers of which only the cache is asked for."""

    def __init__(self) -> None:
        self.autoscalers: Cache[Manifest] = Cache()

    def cache(self, kind: object) -> Cache[Manifest]:
        return self.autoscalers

    def put(self, name: str, generation: int = 1, **fields: Any) -> None:
        meta = Meta(name=name, namespace="shop", uid=name, generation=generation)
        body = manifests.manifest(**fields)
        body["metadata"] |= {"name": name, "namespace": "shop", "uid": name, "generation": generation}
        self.autoscalers.put(Key("shop", name), Manifest(meta, body))


async def test_a_thousand_at_once_leave_others_their_turns_and_are_synced_when_all_are_told() -> None:
    watched = Watched()
    feed = CrdFeed(cast(Informers, watched), Settings())
    turns: list[int] = []
    told: list[str] = []

    async def follow() -> None:
        async for change in feed.changes():
            told.append(change.key.name)  # noqa: PERF401 - it never ends

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    for number in range(1000):
        watched.put(f"web-{number}")
    watched.autoscalers.synced.set()
    while not feed.is_synced():
        turns.append(len(told))
        await asyncio.sleep(0)
    following.cancel()
    assert len(told) == 1000
    assert len(turns) >= 1000 // crd.AT_ONCE
    assert max(after - before for before, after in zip(turns, [*turns[1:], 1000], strict=True)) <= crd.AT_ONCE


async def test_a_status_is_no_change_and_a_spec_is() -> None:
    watched = Watched()
    feed = CrdFeed(cast(Informers, watched), Settings())
    told: list[int] = []

    async def follow() -> None:
        async for change in feed.changes():
            assert isinstance(change, Upsert)
            assert change.decoded.spec is not None
            told.append(change.decoded.spec.bounds.maximum)

    following = asyncio.create_task(follow())
    for generation, maximum in ((1, 5), (1, 5), (2, 7)):
        watched.put("web", generation, maxReplicas=maximum)
        for _ in range(3):
            await asyncio.sleep(0)
    following.cancel()
    assert told == [5, 7]


async def test_a_mistake_of_ours_costs_the_object_that_brings_it_to_light_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It ended the feed, and with it the controller."""
    watched = Watched()
    feed = CrdFeed(cast(Informers, watched), Settings())
    read = decode.autoscaler

    def crash(manifest: Any, settings: Settings) -> decode.Decoded:
        if manifest["metadata"]["name"] == "odd":
            raise OverflowError("of a reader")
        return read(manifest, settings)

    monkeypatch.setattr(decode, "autoscaler", crash)
    watched.put("odd")
    watched.put("web")
    changes = feed.changes()
    odd, web = [await anext(changes), await anext(changes)]
    assert isinstance(odd, Upsert)
    assert isinstance(web, Upsert)
    assert web.decoded.spec is not None
    assert [str(problem) for problem in odd.decoded.problems] == [
        "spec: cannot be read (OverflowError); the controller's log says where"
    ]
    assert "shop/odd: reading the object crashed" in caplog.text


@pytest.mark.looptime
async def test_a_hundred_edits_a_second_are_told_of_once_a_second(looptime: object) -> None:
    """Each begins a worker and writes a status: one object must not take the turns of all others."""
    watched = Watched()
    feed = CrdFeed(cast(Informers, watched), Settings())
    told: list[tuple[str, int]] = []

    async def follow() -> None:
        async for change in feed.changes():
            assert isinstance(change, Upsert)
            told.append((change.key.name, change.metadata.generation))

    following = asyncio.create_task(follow())
    watched.autoscalers.synced.set()
    for generation in range(1, 1001):
        watched.put("busy", generation)
        if generation % 100 == 0:
            watched.put("calm", generation // 100)
        await asyncio.sleep(0.01)
        assert feed.is_synced()
    await asyncio.sleep(2)
    following.cancel()
    busy = [generation for name, generation in told if name == "busy"]
    assert len(busy) <= crd.BURST + 12
    assert busy[-1] == 1000
    assert [generation for name, generation in told if name == "calm"] == list(range(1, 11))


@pytest.mark.looptime
async def test_an_object_that_is_deleted_while_its_edits_wait_is_gone(looptime: object) -> None:
    watched = Watched()
    feed = CrdFeed(cast(Informers, watched), Settings())
    told: list[str] = []

    async def follow() -> None:
        async for change in feed.changes():
            told.append(type(change).__name__)  # noqa: PERF401 - it never ends

    following = asyncio.create_task(follow())
    for _ in range(20):
        for generation in range(1, 4):
            watched.put("web", generation)
            await asyncio.sleep(0.01)
        watched.autoscalers.drop(Key("shop", "web"))
        await asyncio.sleep(0.01)
    await asyncio.sleep(10)
    following.cancel()
    assert told[-1] == "Remove"
    assert told.count("Upsert") <= crd.BURST + 2
