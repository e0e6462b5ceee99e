from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podtide.kube import errors, objects, resources
from podtide.kube.blobs import Blobs
from tests import cluster
from tests.cluster import Cluster


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster.running(tmp_path) as running:
        yield running


def always() -> bool:
    return True


async def config_maps(world: Cluster) -> list[str]:
    listed, _ = await world.other.list(resources.CONFIG_MAPS, "default", into=objects.ConfigMap)
    return [found.metadata.name for found in listed if found.binaryData]


async def test_what_was_saved_is_loaded(world: Cluster) -> None:
    kept = {f"key-{number}": bytes([number]) * 300 for number in range(10)}
    blobs = Blobs(world.client, "default", "state", part=1000)
    assert await blobs.load() == {}
    await blobs.save(kept, permit=always)
    assert await Blobs(world.other, "default", "state").load() == kept
    assert await config_maps(world) == ["state-0", "state-1", "state-2", "state-3"]

    # Less than before: the parts too many are emptied.
    await blobs.save({"key-1": b"new"}, permit=always)
    assert await Blobs(world.other, "default", "state").load() == {"key-1": b"new"}
    assert await config_maps(world) == ["state-0"]


async def test_one_that_fits_into_no_part_is_left_out(world: Cluster) -> None:
    blobs = Blobs(world.client, "default", "state", part=1000)
    await blobs.save({"large": bytes(2000), "small": b"x"}, permit=always)
    assert await blobs.load() == {"small": b"x"}


async def test_an_earlier_owner_cannot_overwrite_a_later_ones(world: Cluster) -> None:
    earlier, later = (Blobs(client, "default", "state") for client in (world.client, world.other))
    await earlier.save({"a": b"1"}, permit=always)
    await later.load()
    await later.save({"a": b"2"}, permit=always)
    with pytest.raises(errors.Conflict):
        await earlier.save({"a": b"3"}, permit=always)
    assert await later.load() == {"a": b"2"}


async def test_nothing_is_written_without_the_right_to(world: Cluster) -> None:
    blobs = Blobs(world.client, "default", "state")
    with pytest.raises(errors.Withheld):
        await blobs.save({"a": b"1"}, permit=lambda: False)
    assert await blobs.load() == {}
