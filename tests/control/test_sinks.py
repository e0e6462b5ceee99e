import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from podtide.api import crd, decode
from podtide.control.feeds.base import Seen
from podtide.control.report import Reports
from podtide.control.sinks import ClusterSink, LogSink
from podtide.core.model.spec import Key
from podtide.kube import objects, resources
from podtide.kube.events import Events
from podtide.local.faults import Fault
from podtide.telemetry.meters import Meters
from tests import cluster
from tests.api import manifests
from tests.cluster import Cluster

STATUS = {"mode": "Active"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster.running(tmp_path) as running:
        store = running.api.store
        store.create(store.kind("apiextensions.k8s.io/v1", "customresourcedefinitions"), "", crd.manifest())
        yield running


async def created(world: Cluster) -> objects.Meta:
    manifest = manifests.manifest()
    manifest["metadata"] = {"name": "web", "namespace": "default"}
    stored = await world.other.create(resources.AUTOSCALERS, "default", manifest, into=objects.Partial)
    return stored.metadata


async def status(world: Cluster) -> dict[str, Any]:
    found = await world.other.get(resources.AUTOSCALERS, "default", "web", into=dict[str, Any])
    kept: dict[str, Any] = found.get("status", {})
    return kept


@pytest.mark.parametrize(
    ("owns", "expected"), [pytest.param(True, STATUS, id="ours"), pytest.param(False, {}, id="another's")]
)
async def test_only_the_owner_writes_a_status(world: Cluster, *, owns: bool, expected: dict[str, Any]) -> None:
    metadata = await created(world)
    asked: list[str] = []

    def may_write(uid: str) -> bool:
        asked.append(uid)
        return owns

    sink = ClusterSink(world.client, Events(world.client, "replica-1"), may_write=may_write)
    assert (await sink.write(metadata, STATUS) is not None) is owns
    assert (await status(world), set(asked)) == (expected, {metadata.uid})


async def test_a_status_is_replaced_whatever_it_was(world: Cluster) -> None:
    metadata = await created(world)
    sink = ClusterSink(world.client, Events(world.client, "replica-1"), may_write=lambda _: True)
    versions = [await sink.write(metadata, each) for each in ({**STATUS, "reference": "Deployment/web"}, STATUS)]
    found = await world.other.get(resources.AUTOSCALERS, "default", "web", into=objects.Partial)
    assert await status(world) == STATUS
    assert versions[1] == found.metadata.resourceVersion
    assert objects.is_newer(versions[1] or "", versions[0] or "")


async def test_a_namesake_gets_no_status_of_the_one_before(world: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    metadata = await created(world)
    await world.other.delete(resources.AUTOSCALERS, "default", "web")
    sink = ClusterSink(world.client, Events(world.client, "replica-1"), may_write=lambda _: True)
    assert await sink.write(metadata, STATUS) == ""
    await created(world)
    assert await sink.write(metadata, STATUS) == ""
    assert (await status(world), caplog.records) == ({}, [])


async def test_statuses_that_may_not_be_written_are_complained_of_once(
    world: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    metadata = await created(world)
    sink = ClusterSink(world.client, Events(world.client, "replica-1"), may_write=lambda _: True)
    with caplog.at_level(logging.WARNING), world.api.faults.during(Fault(agent="podtide", status=403)):
        for _ in range(3):
            assert await sink.write(metadata, STATUS) is None
    assert len(caplog.records) == 1
    assert "cannot write the status of default/web: 403" in caplog.text


def test_an_invalid_object_from_a_file_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    manifest = manifests.manifest(minReplicas=9, maxReplicas=3)
    metadata = objects.Meta(name="web", namespace="default", uid="file:default/web")
    decoded = decode.autoscaler({**manifest, "metadata": {"name": "web", "namespace": "default", "uid": metadata.uid}})
    assert decoded.problems
    Reports(LogSink(), Meters()).invalid(Key("default", "web"), metadata, decoded, Seen(), 1.0)
    assert len(caplog.records) == 1
    assert str(decoded.problems[0]) in caplog.text
