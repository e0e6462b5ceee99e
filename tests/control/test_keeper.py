import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podtide.control.keeper import Keeper, label
from podtide.local.faults import Fault
from tests import cluster
from tests.cluster import Cluster


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster.running(tmp_path) as running:
        yield running


def always() -> bool:
    return True


async def test_the_next_owner_finds_what_the_last_one_left(world: Cluster) -> None:
    first, second = Keeper(world.client, "default", "podtide"), Keeper(world.other, "default", "podtide")
    assert await first.load(1) == {}
    states = {label("file:shop/web"): b"state", label("file:shop/api"): b"another"}
    assert await first.save(1, states.items(), permit=always)
    assert await second.load(1) == states
    assert await second.load(0) == {}


async def test_who_saves_after_another_has_saves_again_later(world: Cluster) -> None:
    first, second = Keeper(world.client, "default", "podtide"), Keeper(world.other, "default", "podtide")
    await first.load(0)
    await second.load(0)
    assert await first.save(0, [("a", b"1")], permit=always)
    assert not await second.save(0, [("a", b"2")], permit=always)
    assert await second.save(0, [("a", b"2")], permit=always)
    assert await first.load(0) == {"a": b"2"}


async def test_what_cannot_be_kept_is_said_once(world: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    keeper = Keeper(world.client, "default", "podtide")
    await keeper.load(0)
    with caplog.at_level(logging.WARNING), world.api.faults.during(Fault(agent="podtide", status=403)):
        for _ in range(3):
            assert not await keeper.save(0, [("a", b"1")], permit=always)
    assert len(caplog.records) == 1
    assert "a failover will begin anew" in caplog.text


async def test_an_answer_that_comes_too_late_is_called_that(
    world: Cluster, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("podtide.control.keeper.WITHIN", 0.05)
    keeper = Keeper(world.client, "default", "podtide")
    with caplog.at_level(logging.WARNING), world.api.faults.during(Fault(agent="podtide", delay=1.0)):
        assert await keeper.load(0) == {}
        assert not await keeper.save(0, [("a", b"1")], permit=always)
    assert [record.message.endswith(": no answer in time") for record in caplog.records] == [True, True]


async def test_a_shard_is_not_saved_by_who_has_lost_it(world: Cluster) -> None:
    keeper = Keeper(world.client, "default", "podtide")
    await keeper.load(0)
    assert not await keeper.save(0, [("a", b"1")], permit=lambda: False)
    assert await keeper.load(0) == {}
