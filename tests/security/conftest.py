"""A controller among tenants: it watches every namespace, and the embedded server keeps what it does."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from podtide.api import settings
from podtide.control.app import App, Job
from podtide.kube import resources
from tests.e2e.site import NAMESPACES, Site, open_site

Object = dict[str, Any]
Controlling = Callable[..., Any]

SECRETS = resources.Resource("", "v1", "secrets", "Secret")
OTHERS = "the-other-tenants-namespace"
CANARY = "canary-2c9b1f0e7d"
"""Every credential of these tests has it, in the clear and in base64."""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """The tenant's namespace beside another's, which has a Secret of the same name as one of the tenant's."""
    async with open_site(tmp_path) as opened:
        if opened.api is None:
            pytest.skip("looks into the embedded server")
        await opened.client.create(NAMESPACES, "", {"metadata": {"name": OTHERS}}, into=msgspec.Raw)
        await secret(opened, OTHERS, "theirs", password=f"theirs-{CANARY}")
        yield opened


@pytest.fixture
def controlling(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Controlling:
    """A controller of every namespace with a token of its own: `async with controlling(allowed=...) as app`."""

    @asynccontextmanager
    async def run(*, allowed: tuple[str, ...] = (), record: Path | None = None) -> AsyncIterator[App]:
        chosen = settings.Settings(
            cluster=settings.Cluster(kubeconfig=site.kubeconfig),
            ownership=settings.Ownership(lease_namespace=site.namespace),
            serving=settings.Serving(metrics_host="127.0.0.1", metrics_port=0, health_port=0, log_level="debug"),
            trust=settings.Trust(allowed_endpoints=allowed),
        )
        app = App(Job(chosen, record=record))
        running = asyncio.create_task(app.run())
        try:
            yield app
        finally:
            app.stop()
            await running

    return run


async def secret(site: Site, namespace: str, name: str, **values: str) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
    await site.client.create(SECRETS, namespace, manifest, into=msgspec.Raw)


def endpoint(url: str, **more: Any) -> Object:
    return {
        "metricSourceType": "external",
        "endpoint": url,
        "path": "/metrics",
        "targetMetric": "queue_length",
        "targetValue": "10",
        "intervalSeconds": 1,
        **more,
    }


def is_bad(status: Object) -> bool:
    """Whether the object has been told that its spec or its metrics are no good."""
    return any(
        one["status"] == "False" and one["type"] in ("ValidSpec", "MetricsAvailable")
        for one in status.get("conditions", ())
    )
