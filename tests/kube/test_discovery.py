"""Which path serves a kind; what tenants call their targets must lead nowhere else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podtide.kube import discovery, errors, objects, resources
from podtide.kube.discovery import Discovery, UnknownKindError
from podtide.local.faults import Fault
from tests import cluster
from tests.cluster import Cluster


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster.running(tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    "api_version",
    [
        "../api/v1/namespaces/kube-system/secrets/login?x=/v1",
        "../../metrics?x=/v1",
        "..",
        "apps/v1?watch=true",
        "apps/v1#x",
        "apps/v1/namespaces/other/deployments/web/scale",
        "apps/../apps/v1",
        "Apps/v1",
        "apps/",
        "/v1",
        "a" * 400,
        "x/" + "1" * 100_000,
        "",
    ],
)
async def test_what_is_no_group_and_version_is_never_asked_for(world: Cluster, api_version: str) -> None:
    """It would be the path of a request with the controller's credentials."""
    asked = world.api.faults.add(Fault(agent="podtide"))
    with pytest.raises(UnknownKindError) as raised:
        await Discovery(world.client).resource(api_version, "Thing")
    assert asked.hits == 0
    assert len(str(raised.value)) < 300


async def test_a_group_is_asked_once_for_however_many_kinds_it_does_not_have(world: Cluster) -> None:
    subject = Discovery(world.client)
    asked = world.api.faults.add(Fault(agent="podtide"))
    for number in range(20):
        with pytest.raises(UnknownKindError):
            await subject.resource("batch/v1", f"Thing{number}")
    assert asked.hits == 1


async def test_groups_that_tenants_make_up_are_forgotten(world: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_ASK_AGAIN", 0.0)
    monkeypatch.setattr(discovery, "_REMEMBERED", 3)
    subject = Discovery(world.client)
    for number in range(20):
        with pytest.raises(UnknownKindError):
            await subject.resource(f"g{number}/v1", "Thing")
    assert len(subject) <= 4


@pytest.mark.parametrize("name", ["..", "."])
async def test_no_name_leads_to_another_path(world: Cluster, name: str) -> None:
    asked = world.api.faults.add(Fault(agent="podtide"))
    with pytest.raises(errors.NotFound):
        await world.client.get(resources.DEPLOYMENTS, "default", name, into=objects.Partial, sub="scale")
    assert asked.hits == 0
