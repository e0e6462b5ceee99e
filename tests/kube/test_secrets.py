import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podtide.core.model.reading import Failure, Reason
from podtide.kube import resources
from podtide.kube.secrets import Secrets
from podtide.local.faults import Fault
from tests import cluster
from tests.cluster import Cluster


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster.running(tmp_path) as running:
        yield running


async def put(world: Cluster, name: str, value: bytes) -> None:
    body = {"kind": "Secret", "metadata": {"name": name}, "data": {"token": base64.b64encode(value).decode()}}
    await world.other.create(resources.SECRETS, "default", body, into=dict)


async def test_values_come_decoded(world: Cluster) -> None:
    await put(world, "mine", b"\x00secret")
    assert await Secrets(world.client).secret("default", "mine") == {"token": b"\x00secret"}


async def test_a_config_map_has_text_and_bytes(world: Cluster) -> None:
    body = {"kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"a": "x"}, "binaryData": {"b": "eQ=="}}
    await world.other.create(resources.CONFIG_MAPS, "default", body, into=dict)
    assert await Secrets(world.client).config_map("default", "ca") == {"a": b"x", "b": b"y"}


async def test_what_is_not_there_says_so(world: Cluster) -> None:
    found = await Secrets(world.client).secret("default", "ghost")
    assert found == Failure(Reason.CREDENTIALS)
    assert "Secret default/ghost does not exist" in str(found)


@pytest.mark.parametrize("name", ["..", ".", "../secrets/mine", "../../kube-system/secrets/mine", "mine?x=y", "%6Dine"])
async def test_a_name_cannot_lead_to_another_namespace(world: Cluster, name: str) -> None:
    await put(world, "mine", b"secret")
    secrets = Secrets(world.client)
    for found in (await secrets.secret("default", name), await secrets.config_map("default", name)):
        assert found == Failure(Reason.CREDENTIALS)
        assert "this is no name" in str(found)


async def test_a_missing_right_says_which(world: Cluster) -> None:
    with world.api.faults.during(Fault(status=403)):
        found = await Secrets(world.client).secret("default", "mine")
    assert found == Failure(Reason.CREDENTIALS)
    assert "grant it the verb get" in str(found)


async def test_a_changed_secret_is_seen_when_its_time_is_over(world: Cluster) -> None:
    await put(world, "mine", b"old")
    patient, hasty = Secrets(world.client, fresh=60.0), Secrets(world.client, fresh=0.0)
    assert await patient.secret("default", "mine") == await hasty.secret("default", "mine") == {"token": b"old"}
    await world.other.patch(resources.SECRETS, "default", "mine", {"data": {"token": "bmV3"}}, into=dict)
    assert await patient.secret("default", "mine") == {"token": b"old"}
    assert await hasty.secret("default", "mine") == {"token": b"new"}


async def test_an_outage_leaves_what_was_known(world: Cluster) -> None:
    await put(world, "mine", b"known")
    secrets = Secrets(world.client, fresh=0.0)
    await secrets.secret("default", "mine")
    with world.api.faults.partition(agent="podtide"):
        assert await secrets.secret("default", "mine") == {"token": b"known"}
        assert await secrets.secret("default", "other") == Failure(Reason.API)


async def test_what_nobody_asks_for_any_more_is_forgotten(world: Cluster) -> None:
    """An object that names another Secret with each edit had them all kept, with what is in them, for good."""
    secrets = Secrets(world.client, fresh=0.0, kept=0.0)
    for number in range(20):
        await put(world, f"mine-{number}", b"secret" * 100)
        assert await secrets.secret("default", f"mine-{number}") == {"token": b"secret" * 100}
    assert len(secrets) <= 2
