import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from podtide.core.model.spec import Key, TargetRef
from podtide.kube import objects, resources
from podtide.kube.informers import Informers
from podtide.kube.objects import Meta
from podtide.targets.rivals import Rivals
from tests import cluster
from tests.cluster import Cluster

WEB = TargetRef("apps/v1", "Deployment", "web")
OLD, YOUNG = Key("default", "old"), Key("default", "young")


def made(key: Key, minute: int, uid: str = "u") -> Meta:
    at = datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
    return Meta(name=key.name, namespace=key.namespace, uid=uid, creationTimestamp=at)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster.running(tmp_path) as running:
        yield running


@pytest.fixture
async def informers(world: Cluster) -> AsyncIterator[Informers]:
    async with asyncio.TaskGroup() as group:
        informers = Informers(world.client, group)
        yield informers
        informers.stop()


async def test_the_older_has_no_rival_and_the_younger_has(informers: Informers) -> None:
    rivals = Rivals(informers)
    rivals.put(OLD, made(OLD, 1), WEB)
    rivals.put(YOUNG, made(YOUNG, 2), WEB)
    assert rivals.older(OLD, WEB) == ()
    assert rivals.older(YOUNG, WEB) == ("PodAutoscaler default/old",)
    rivals.drop(OLD)
    assert rivals.older(YOUNG, WEB) == ()


async def test_of_two_of_one_age_exactly_one_acts(informers: Informers) -> None:
    rivals = Rivals(informers)
    rivals.put(OLD, made(OLD, 1, "a"), WEB)
    rivals.put(YOUNG, made(YOUNG, 1, "b"), WEB)
    assert [bool(rivals.older(key, WEB)) for key in (OLD, YOUNG)] == [False, True]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(TargetRef("apps/v1", "Deployment", "api"), id="another name"),
        pytest.param(TargetRef("apps/v1", "StatefulSet", "web"), id="another kind"),
        pytest.param(TargetRef("apps/v1", "Deployment", "web", role="decode"), id="another role"),
    ],
)
async def test_another_target_is_no_rivalry(informers: Informers, other: TargetRef) -> None:
    rivals = Rivals(informers)
    rivals.put(OLD, made(OLD, 1), WEB)
    rivals.put(YOUNG, made(YOUNG, 2), other)
    assert rivals.older(YOUNG, other) == ()


async def test_an_older_hpa_is_a_rival_until_it_goes(world: Cluster, informers: Informers) -> None:
    rivals = Rivals(informers)
    rivals.put(YOUNG, Meta(name="young", namespace="default", creationTimestamp=datetime(2999, 1, 1, tzinfo=UTC)), WEB)
    body = {
        "metadata": {"name": "hpa"},
        "spec": {
            "maxReplicas": 3,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        },
    }
    await world.other.create(resources.HPAS, "default", body, into=objects.Partial)
    async with asyncio.timeout(10):
        while rivals.older(YOUNG, WEB) != ("HorizontalPodAutoscaler default/hpa",):
            await asyncio.sleep(0.005)
        await world.other.delete(resources.HPAS, "default", "hpa")
        while rivals.older(YOUNG, WEB):
            await asyncio.sleep(0.005)
