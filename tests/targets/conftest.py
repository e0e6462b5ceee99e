"""A cluster and the watches of it, for tests of targets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from podtide.kube.informers import Informers
from podtide.kube.watch import Pace
from tests import cluster
from tests.cluster import Cluster


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster.running(tmp_path) as running:
        yield running


@pytest.fixture
async def informers(world: Cluster) -> AsyncIterator[Informers]:
    async with watching(world) as informers:
        yield informers


@asynccontextmanager
async def watching(world: Cluster) -> AsyncIterator[Informers]:
    """Watches that come back at once."""
    async with asyncio.TaskGroup() as group:
        informers = Informers(world.client, group, pace=Pace(first_wait=0.01, longest_wait=0.02))
        try:
            yield informers
        finally:
            informers.stop()
