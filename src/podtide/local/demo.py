"""The demo's world: the embedded API server, two workloads with real metrics listeners, and a scenario that plays.

`cli.demo` runs the controller against it. What the world shows is what an onlooker could see through the API.
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Self

import trustme
import yaml

from podtide.api import crd
from podtide.local import metrics
from podtide.local.metrics import Template, Work
from podtide.local.pods import PodFleet, Profile
from podtide.local.scenario import API, LLM, Scenario, Workload, load
from podtide.local.server import ApiServer
from podtide.local.versions import Change
from podtide.local.workloads import Controller

_ASSETS = resources.files("podtide.local") / "assets"
_IDLE_THREADS = 9.0
"""Threads of a metrics-server that nobody asks anything."""
_EVERY = 0.1
"""Seconds between two changes of the load."""


@dataclass(frozen=True, slots=True)
class Row:
    """One workload at one moment."""

    workload: Workload
    load: float
    replicas: int
    ready: int


@dataclass(frozen=True, slots=True)
class Scaled:
    """A change of a workload's replicas."""

    at: float
    workload: Workload
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Told:
    """An event about an autoscaler."""

    at: float
    workload: Workload
    reason: str
    note: str


@dataclass(slots=True)
class Story:
    """What has happened so far; times are seconds since the start."""

    scaled: list[Scaled] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    stepped: dict[Workload, float] = field(default_factory=dict)
    """When each timed load step was made."""

    def reaction(self, workload: Workload) -> float | None:
        """Seconds from a workload's load step to the scale patch that followed."""
        at = self.stepped.get(workload)
        if at is None:
            return None
        return next(
            (s.at - at for s in self.scaled if s.workload == workload and s.at >= at and s.after > s.before), None
        )


class World:
    """Everything but the controller; an async context. `play` runs the scenario once."""

    def __init__(self, scenario: Scenario, duration: float) -> None:
        """`duration` is in seconds."""
        self.scenario = scenario
        self.duration = duration
        self.story = Story()
        self.api = ApiServer()
        authority = trustme.CA()
        self._authority = authority.cert_pem.bytes().decode()
        self._fleet = PodFleet(self.api.store, list(_profiles(authority)))
        self._stack = AsyncExitStack()
        self._began: float | None = None

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.api)
        for manifest in self._manifests():
            self._create(manifest)
        self._stack.callback(self._watch("apps/v1", "deployments", self._see_deployment))
        self._stack.callback(self._watch("events.k8s.io/v1", "events", self._see_event))
        await self._stack.enter_async_context(Controller(self.api.store))
        await self._stack.enter_async_context(self._fleet)
        self._set_loads(0.0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def elapsed(self) -> float:
        """Seconds since the scenario began; 0 before."""
        return 0.0 if self._began is None else asyncio.get_running_loop().time() - self._began

    async def play(self) -> None:
        """Run the scenario to its end."""
        self._began = asyncio.get_running_loop().time()
        while (elapsed := self.elapsed()) < self.duration:
            self._set_loads(elapsed / self.duration)
            self._set_trouble(elapsed / self.duration)
            await asyncio.sleep(_EVERY)

    def rows(self) -> list[Row]:
        """Every workload as it is now."""
        kind = self.api.store.kind("apps/v1", "deployments")
        rows = []
        for workload in self.scenario.loads:
            body = self.api.store.get(kind, *workload).read()
            share = self._fleet.load(*workload)
            rows.append(Row(workload, share.total, body["spec"]["replicas"], len(share.ready)))
        return rows

    def _set_loads(self, at: float) -> None:
        for workload, curve in self.scenario.loads.items():
            self._fleet.set_load(*workload, load(curve, at))
        for workload, when in self.scenario.steps:
            if at >= when and workload not in self.story.stepped and self._began is not None:
                self.story.stepped[workload] = self.elapsed()

    def _set_trouble(self, at: float) -> None:
        for outage in self.scenario.outages:
            for pod in self._fleet.of(*outage.workload):
                pod.trouble.status = 500 if outage.begin <= at < outage.end else 200

    def _manifests(self) -> Iterator[dict[str, Any]]:
        yield crd.manifest()
        for namespace, _ in self.scenario.loads:
            if namespace != "kube-system":
                yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "metrics-server-ca", "namespace": "kube-system"},
            "data": {"ca.crt": self._authority},
        }
        for name in ("vllm", "metrics-server"):
            yield from yaml.safe_load_all((_ASSETS / f"{name}.yaml").read_text())

    def _create(self, manifest: dict[str, Any]) -> None:
        plural = manifest["kind"].lower() + "s"
        kind = self.api.store.kind(manifest["apiVersion"], plural)
        self.api.store.create(kind, manifest["metadata"].get("namespace", ""), manifest)

    def _watch(self, api_version: str, plural: str, see: Any) -> Any:
        return self.api.store.collection(self.api.store.kind(api_version, plural)).listen(see)

    def _see_deployment(self, change: Change) -> None:
        if change.before is None or change.after is None:
            return
        before, after = change.before.read()["spec"]["replicas"], change.after.read()["spec"]["replicas"]
        if before != after:
            workload = (change.after.namespace, change.after.name)
            self.story.scaled.append(Scaled(self.elapsed(), workload, before, after))

    def _see_event(self, change: Change) -> None:
        if change.before is not None or change.after is None:
            return
        event = change.after.read()
        # The two event APIs share one store, and what is stored has the older one's names.
        regarding = event.get("regarding") or event["involvedObject"]
        if regarding["kind"] == "PodAutoscaler":
            workload = (regarding["namespace"], regarding["name"])
            note = event.get("note") or event["message"]
            self.story.told.append(Told(self.elapsed(), workload, event["reason"], note))


def _profiles(authority: trustme.CA) -> Iterator[Profile]:
    yield Profile(
        Template.of(_page("vllm"), {"vllm:num_requests_running": metrics.share}),
        port=8000,
        labels={"app": LLM[1]},
        startup=2.0,
        chunked=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("metrics-server.kube-system.svc").configure_cert(context)
    yield Profile(
        Template.of(_page("metrics-server"), {"go_threads": _threads}),
        port=10250,
        labels={"k8s-app": API[1]},
        tls=context,
        startup=2.0,
    )


def _threads(work: Work) -> float:
    return round(_IDLE_THREADS + work.share)


def _page(name: str) -> bytes:
    return gzip.decompress((_ASSETS / f"{name}.prom.gz").read_bytes())
