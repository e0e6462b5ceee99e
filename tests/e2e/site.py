"""Where the end-to-end tests run: the embedded API server, or any cluster that PODTIDE_E2E_KUBECONFIG names.

The tests see a kubeconfig and a namespace, and nothing of which of the two it is. In a real cluster the pods are
`python:3-slim` with the script below; beside the embedded server they are simulated, with real sockets of their own.
Either way a pod's page shows what the ConfigMap `load` says for its workload.
"""

import asyncio
import contextlib
import io
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

from podtide.cli import main
from podtide.kube import config, errors, resources
from podtide.kube.client import Client
from podtide.kube.resources import Resource
from podtide.local.metrics import Template, Work
from podtide.local.pods import Pod, PodFleet, Profile
from podtide.local.server import ApiServer
from podtide.local.store import Store
from podtide.local.workloads import Controller

KUBECONFIG = "PODTIDE_E2E_KUBECONFIG"
PORT = 8000
METRIC = "queue_length"

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
SERVICES = Resource("", "v1", "services", "Service")
APPLY = "application/apply-patch+yaml"

Object = dict[str, Any]

SCRIPT = f"""
import http.server, os, pathlib
class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        value = pathlib.Path("/load", os.environ["APP"]).read_text().strip()
        body = f"# TYPE {METRIC} gauge\\n{METRIC} {{value}}\\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("", {PORT}), Page).serve_forever()
"""
"""What a real pod runs."""


@dataclass(frozen=True)
class Site:
    """One namespace of one cluster."""

    kubeconfig: str
    namespace: str
    client: Client
    patience: float
    """Seconds that anything may take; a real kubelet needs a minute to show a changed ConfigMap."""
    api: ApiServer | None
    """The embedded server, for tests of trouble that a real cluster cannot be asked for."""

    async def apply(self, resource: Resource, manifest: Object) -> Object:
        """Create or change an object, as `kubectl apply --server-side` does."""
        name = manifest["metadata"]["name"]
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **manifest}
        return await self.client.patch(
            resource, self.namespace, name, body, into=dict[str, Any], content_type=APPLY, force="true"
        )

    async def get(self, resource: Resource, name: str) -> Object:
        """An object as it is."""
        return await self.client.get(resource, self.namespace, name, into=dict[str, Any])

    async def merge(self, resource: Resource, name: str, change: Object, sub: str = "") -> Object:
        """Change an object by a merge patch."""
        return await self.client.patch(resource, self.namespace, name, change, into=dict[str, Any], sub=sub)

    async def delete(self, resource: Resource, name: str) -> None:
        """Delete an object."""
        await self.client.delete(resource, self.namespace, name)

    async def load(self, **each: float) -> None:
        """What every pod of a workload shows from now on."""
        data = {workload.replace("_", "-"): str(value) for workload, value in each.items()}
        try:
            await self.merge(resources.CONFIG_MAPS, "load", {"data": data})
        except errors.NotFound:
            await self.client.create(
                resources.CONFIG_MAPS,
                self.namespace,
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "load"}, "data": data},
                into=msgspec.Raw,
            )

    async def until(
        self, resource: Resource, name: str, holds: Callable[[Object], Any], *, patience: float | None = None
    ) -> Object:
        """The first state of an object of which `holds` is true; fails with the last one seen."""
        end = time.monotonic() + (patience or self.patience)
        found: Object = {}
        while time.monotonic() < end:
            with contextlib.suppress(errors.NotFound):
                found = {"status": {}, **await self.get(resource, name)}
                if holds(found):
                    return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"{resource.name} {name} never got there; it is {found}")

    async def replicas(self, resource: Resource, name: str, wanted: int) -> Object:
        """Wait until a workload is to have so many replicas."""
        return await self.until(resource, name, lambda found: found["spec"].get("replicas", 0) == wanted)

    async def ready(self, resource: Resource, name: str, wanted: int) -> Object:
        """Wait until so many pods are ready."""
        return await self.until(resource, name, lambda found: found["status"].get("readyReplicas", 0) == wanted)

    async def condition(self, name: str, kind: str, status: str, reason: str = "", *, saying: str = "") -> Object:
        """Wait for a condition of a PodAutoscaler with these words in reason and message; returns the condition."""

        def found(autoscaler: Object) -> Object | None:
            return next(
                (
                    one
                    for one in autoscaler.get("status", {}).get("conditions", ())
                    if one["type"] == kind
                    and one["status"] == status
                    and reason in one["reason"]
                    and saying in one["message"]
                ),
                None,
            )

        return found(await self.until(resources.AUTOSCALERS, name, found)) or {}

    async def events(self, name: str) -> list[Object]:
        """The events about an object, the oldest first."""
        listed, _ = await self.client.list(resources.EVENTS, self.namespace, into=dict[str, Any])
        mine = [event for event in listed if event["regarding"]["name"] == name]
        return sorted(mine, key=lambda event: event["metadata"]["creationTimestamp"])

    async def event(self, name: str, reason: str) -> Object:
        """Wait for an event about an object."""
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            for event in await self.events(name):
                if event["reason"] == reason:
                    return event
            await asyncio.sleep(0.05)
        raise AssertionError(f"no event {reason} about {name}; there are {await self.events(name)}")


@asynccontextmanager
async def open_site(directory: Path) -> AsyncIterator[Site]:
    """A fresh namespace with the CRD in place."""
    given = os.environ.get(KUBECONFIG)
    async with AsyncExitStack() as stack:
        api = None if given else await stack.enter_async_context(_embedded())
        kubeconfig = given or str(api.kubeconfig(directory / "kubeconfig") if api else "")
        client = await stack.enter_async_context(Client(await config.load(kubeconfig), user_agent="e2e", qps=500))
        await _install(client)
        name = f"podtide-e2e-{uuid.uuid4().hex[:8]}"
        await client.create(NAMESPACES, "", {"metadata": {"name": name}}, into=msgspec.Raw)
        try:
            yield Site(kubeconfig, name, client, 240.0 if given else 40.0, api)
        finally:
            if given:
                await client.delete(NAMESPACES, "", name)


async def _install(client: Client) -> None:
    """The CRD as `podtide crd` prints it, served."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main.main(["crd", "-o", "json"]) == 0
    manifest = msgspec.json.decode(printed.getvalue())
    name = manifest["metadata"]["name"]
    await client.patch(DEFINITIONS, "", name, manifest, into=msgspec.Raw, content_type=APPLY, force="true")
    await until_served(client, resources.AUTOSCALERS)


async def until_served(client: Client, resource: Resource) -> None:
    """Wait until a kind that was just defined can be used."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(errors.NotFound):
                await client.list(resource, into=msgspec.Raw)
                return
            await asyncio.sleep(0.1)


@asynccontextmanager
async def _embedded() -> AsyncIterator[ApiServer]:
    async with ApiServer() as api:
        template = Template.plain(METRIC, lambda work: _shown(api.store, work))
        profile = Profile(template, port=PORT, labels={"page": "http"}, startup=0.2, shutdown=0.1)
        async with Controller(api.store), PodFleet(api.store, [profile]):
            yield api


def _shown(store: Store, work: Work) -> float:
    """What the pod's ConfigMap says, as the script of a real one reads it."""
    namespace, name = cast("Pod", work).key
    pod = store.get(store.kind("v1", "pods"), namespace, name).read()
    load = store.get(store.kind("v1", "configmaps"), namespace, "load").read()
    return float(load["data"][pod["metadata"]["labels"]["app"]])
