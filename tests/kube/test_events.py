import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from podtide.kube import resources
from podtide.kube.events import Events, Regarding
from podtide.local.faults import Fault
from tests import cluster
from tests.cluster import Cluster

WEB = Regarding("autoscaling.aibrix.ai/v1alpha1", "PodAutoscaler", "default", "web", "u1")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster.running(tmp_path) as running:
        yield running


async def stored(world: Cluster) -> list[dict[str, Any]]:
    return (await world.other.list(resources.EVENTS, into=dict[str, Any]))[0]


def emit(events: Events, note: str = "New size: 4", now: float = 1767323045.5) -> None:
    events.emit(WEB, "Normal", "SuccessfulRescale", note, action="Rescale", now=now)


async def test_an_event_says_what_happened_to_what(world: Cluster) -> None:
    events = Events(world.client, "replica-1")
    emit(events)
    await events.flush()
    (event,) = await stored(world)
    assert event["reason"] == "SuccessfulRescale"
    assert event["note"] == "New size: 4"
    assert event["regarding"]["uid"] == "u1"
    assert event["eventTime"] == "2026-01-02T03:04:05.500000Z"
    assert event["reportingInstance"] == "replica-1"


async def test_a_long_note_is_cut_and_not_refused(world: Cluster) -> None:
    events = Events(world.client, "replica-1")
    emit(events, note="x" * 5000)
    await events.flush()
    (event,) = await stored(world)
    assert len(event["note"]) == 1024


async def test_a_flood_about_one_object_is_held_back(world: Cluster) -> None:
    events = Events(world.client, "replica-1", burst=2, refill=60.0)
    for _ in range(5):
        emit(events)
    emit(events, now=1767323045.5 + 60)
    await events.flush()
    assert len(await stored(world)) == 3
    assert events.dropped == 3


async def test_an_event_that_is_refused_is_counted_and_hurts_nobody(world: Cluster) -> None:
    events = Events(world.client, "replica-1")
    emit(events)
    with world.api.faults.during(Fault(status=500)):
        await events.flush()
    assert events.dropped == 1


async def test_a_flush_waits_for_the_event_that_is_being_sent(world: Cluster) -> None:
    events = Events(world.client, "replica-1")
    sending = asyncio.create_task(events.run())
    emit(events)
    await asyncio.sleep(0)
    await events.flush()
    sending.cancel()
    await asyncio.wait({sending})
    assert len(await stored(world)) == 1
