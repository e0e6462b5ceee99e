"""What the tests of the embedded cluster share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from podtide.local.server import ApiServer
from podtide.local.store import Store
from tests.local import making


@pytest.fixture
def store() -> Store:
    """A store with the namespace `shop`."""
    store = Store()
    making.namespace(store)
    return store


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    """A running server, everybody administrator, with the namespace `shop`."""
    async with ApiServer() as api:
        making.namespace(api.store)
        yield api


@pytest.fixture
async def http(api: ApiServer) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of that server."""
    async with aiohttp.ClientSession(api.url) as session:
        yield session
