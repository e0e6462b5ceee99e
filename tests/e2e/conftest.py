"""A namespace and a controller, for the end-to-end tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from podtide.api import settings
from podtide.control.app import App, Job
from tests.e2e.site import Site, open_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        yield opened


@pytest.fixture
async def controller(site: Site) -> AsyncIterator[App]:
    async with controlling(site) as app:
        yield app


@asynccontextmanager
async def controlling(site: Site, **ownership: Any) -> AsyncIterator[App]:
    """A whole controller on the site's namespace, ended in order; `ownership` are settings of leader election."""
    chosen = settings.Settings(
        cluster=settings.Cluster(kubeconfig=site.kubeconfig, namespaces=(site.namespace,)),
        ownership=settings.Ownership(lease_namespace=site.namespace, **ownership),
        serving=settings.Serving(metrics_host="127.0.0.1", metrics_port=0, health_port=0),
        # The embedded server's pods have loopback addresses, which objects may not name otherwise.
        trust=settings.Trust(allowed_endpoints=("127.0.0.0/8",) if site.api else ()),
    )
    app = App(Job(chosen))
    running = asyncio.create_task(app.run(), name="controller")
    try:
        yield app
    finally:
        app.stop()
        await running
