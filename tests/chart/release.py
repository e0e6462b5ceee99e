"""A release in the embedded server: its manifests installed, its container's command run with its account's rights."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.config import incluster_config

from podtide.cli import main
from podtide.cli import run as command
from podtide.control.app import App, Job
from podtide.local import access, metrics, pods, workloads
from podtide.local.refusals import Refusal
from tests.chart import cluster, helm
from tests.chart.cluster import Cluster

PORT = 8000
PATIENCE = 30.0

Object = dict[str, Any]
Right = tuple[str, str, str]
"""Verb, group, and resource with its subresource."""


@dataclass
class Audit:
    """What the controller's account asked for, and what it was refused."""

    account: access.User
    asked: set[Right] = field(default_factory=set)
    refused: set[Right] = field(default_factory=set)

    def watch(self, gate: access.Gate) -> None:
        """Look on from now on."""
        check = gate.check

        def checked(user: access.User, ask: access.Ask) -> None:
            if user != self.account or not ask.resource:
                return check(user, ask)
            right = (ask.verb, ask.group, f"{ask.resource}/{ask.sub}" if ask.sub else ask.resource)
            self.asked.add(right)
            try:
                return check(user, ask)
            except Refusal:
                self.refused.add(right)
                raise

        gate.check = checked  # type: ignore[method-assign]  # nothing of the server is in the way of its own answers


@dataclass
class Running:
    """A controller at work."""

    cluster: Cluster
    audit: Audit
    app: App
    task: asyncio.Task[None]

    def replicas(self, plural: str = "deployments") -> Any:
        """How many the workload is to have."""
        store = self.cluster.api.store
        return store.get(store.kind("apps/v1", plural), "shop", "web").read()["spec"]["replicas"]

    async def until(self, holds: Callable[[], Any], what: str) -> None:
        """Wait for something, as long as the controller runs."""
        end = time.monotonic() + PATIENCE
        while not holds():
            if self.task.done():
                self.task.result()
            assert time.monotonic() < end, what
            await asyncio.sleep(0.02)


class Release:
    """Runs releases, each in a server of its own."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """`directory` holds what a kubelet would mount."""
        self._directory = directory
        self._monkeypatch = monkeypatch

    @asynccontextmanager
    async def running(
        self, documents: list[Object], work: Iterable[Object], *, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[Running]:
        """Install a release and what it is to scale, and run its container's command. With `tls` pods speak HTTPS."""
        async with cluster.opened() as opened, workloads.Controller(opened.api.store):
            page = metrics.Template.plain("queue_length")
            profile = pods.Profile(page, port=PORT, startup=0.1, shutdown=0.1, tls=tls)
            async with pods.PodFleet(opened.api.store, [profile]) as fleet:
                await opened.install(documents, helm.NAMESPACE)
                await opened.install(work)
                fleet.set_load("shop", "web", 40)
                account = helm.only(documents, "ServiceAccount")["metadata"]["name"]
                audit = Audit(access.service_account(helm.NAMESPACE, account))
                audit.watch(opened.api.gate)
                self._mount(opened, account)
                app = self._container(documents)
                working = asyncio.create_task(app.run())
                try:
                    yield Running(opened, audit, app, working)
                finally:
                    app.stop()
                    await working

    def mount(self, place: str, name: str, content: str) -> None:
        """A file of a ConfigMap or Secret that the chart mounts under /etc/podtide."""
        (self._directory / place).mkdir(exist_ok=True)
        (self._directory / place / name).write_text(content)

    def _mount(self, opened: Cluster, account: str) -> None:
        """What the kubelet puts into every container: the token, the authority, and where the API server is."""
        assert opened.api.tls is not None
        (self._directory / "token").write_text(opened.api.token(helm.NAMESPACE, account))
        (self._directory / "ca.crt").write_bytes(opened.api.tls.authority)
        self._monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(self._directory / "token"))
        self._monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(self._directory / "ca.crt"))
        host, _, port = opened.api.url.removeprefix("https://").rpartition(":")
        self._monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        self._monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)

    def _container(self, documents: list[Object]) -> App:
        """The controller of the rendered container: its arguments and its environment."""
        container = helm.container(documents)
        environment = {}
        for entry in container["env"]:
            field_path = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            environment[entry["name"]] = {"metadata.namespace": helm.NAMESPACE, "metadata.name": "podtide-0"}.get(
                field_path, entry.get("value")
            )
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)
        mounted = {"/etc/podtide": str(self._directory)}
        expanded = [_expanded(argument, environment, mounted) for argument in container["args"]]
        arguments = main.parser().parse_args(expanded)
        return App(Job(command.options(arguments), from_files=arguments.from_files))


def _expanded(argument: str, environment: dict[str, str], mounted: dict[str, str]) -> str:
    """As the kubelet hands it over; what the chart mounts lies in a directory of the test."""
    for name, value in environment.items():
        argument = argument.replace(f"$({name})", value)
    for place, directory in mounted.items():
        argument = argument.replace(f"={place}/", f"={directory}/")
    return argument


def rendered(**values: Any) -> list[Object]:
    """The chart's documents, with ports that are free here."""
    free = _free_ports()
    return helm.render({"metrics": {"port": free[0]}, "health": {"port": free[1]}, **values})


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def scraped(**more: Any) -> Object:
    """A source: the page of every pod, asked for with a token from a Secret."""
    return {
        "metricSourceType": "pod",
        "protocolType": "http",
        "port": str(PORT),
        "path": "/metrics",
        "targetMetric": "queue_length",
        "targetValue": "10",
        "intervalSeconds": 1,
        "auth": {"headerSecretRef": {"header": "X-Scrape", "name": "scrape", "key": "token"}},
        **more,
    }


def work(*sources: Object, kind: str = "Deployment", **more: Any) -> list[Object]:
    """A workload of one pod, what scales it on these sources, and the Secret."""
    container = {"name": "web", "image": "web:1", "ports": [{"containerPort": PORT}]}
    workload = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
        **({"serviceName": "web"} if kind == "StatefulSet" else {}),
    }
    autoscaler = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": "web"},
        "scalingStrategy": "KPA",
        "minReplicas": 1,
        "maxReplicas": 4,
        "metricsSources": list(sources) or [scraped()],
        **more,
    }
    meta = {"name": "web", "namespace": "shop"}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {**meta, "name": "scrape"}, "data": {"token": "eA=="}},
        {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": workload},
        {
            "apiVersion": "autoscaling.aibrix.ai/v1alpha1",
            "kind": "PodAutoscaler",
            "metadata": meta,
            "spec": autoscaler,
        },
    ]


def without(documents: list[Object], right: Right) -> list[Object]:
    """The documents without one verb on one resource; every other right stays."""
    verb, group, resource = right
    removed = 0
    for document in documents:
        if document["kind"] not in ("Role", "ClusterRole"):
            continue
        rules = []
        for rule in document["rules"]:
            if rule.get("apiGroups") == [group] and resource in rule["resources"] and verb in rule["verbs"]:
                removed += 1
                rules.append({**rule, "resources": [other for other in rule["resources"] if other != resource]})
                rules.append({**rule, "resources": [resource], "verbs": [v for v in rule["verbs"] if v != verb]})
            else:
                rules.append(rule)
        document["rules"] = [rule for rule in rules if rule["verbs"] and rule.get("resources", True)]
    assert removed, f"no rule grants {right}"
    return documents
