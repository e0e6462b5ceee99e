"""The release as it is installed: the controller starts with what the chart gives it, with just enough rights."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
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

RIGHTS: tuple[Right, ...] = (
    ("list", "autoscaling.aibrix.ai", "podautoscalers"),
    ("watch", "autoscaling.aibrix.ai", "podautoscalers"),
    ("patch", "autoscaling.aibrix.ai", "podautoscalers/status"),
    ("create", "events.k8s.io", "events"),
    ("list", "", "pods"),
    ("watch", "", "pods"),
    ("list", "apps", "deployments"),
    ("watch", "apps", "deployments"),
    ("list", "apps", "replicasets"),
    ("watch", "apps", "replicasets"),
    ("patch", "apps", "deployments/scale"),
    ("list", "autoscaling", "horizontalpodautoscalers"),
    ("watch", "autoscaling", "horizontalpodautoscalers"),
    ("get", "", "secrets"),
    *((verb, "coordination.k8s.io", "leases") for verb in ("create", "delete", "get", "list", "patch", "update")),
    ("get", "", "configmaps"),
    ("create", "", "configmaps"),
)
"""All that one Deployment's autoscaler with a token from a Secret asks for, until it ends in order."""
AT_THE_END = {("delete", "coordination.k8s.io", "leases"), ("create", "", "configmaps")}
"""What it asks for as it ends."""
LATER = {("update", "", "configmaps")}
"""What a controller that runs for longer asks for besides; the tests of its parts do."""


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
    task: asyncio.Task[None]

    def replicas(self) -> Any:
        """How many the workload is to have."""
        store = self.cluster.api.store
        return store.get(store.kind("apps/v1", "deployments"), "shop", "web").read()["spec"]["replicas"]

    async def until(self, holds: Callable[[], Any], what: str) -> None:
        """Wait for something, as long as the controller runs."""
        end = time.monotonic() + PATIENCE
        while not holds():
            if self.task.done():
                self.task.result()
            assert time.monotonic() < end, what
            await asyncio.sleep(0.02)


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Installs a release and runs its container's command: `async with running(documents) as controller`."""

    @asynccontextmanager
    async def run(documents: list[Object]) -> AsyncIterator[Running]:
        async with cluster.opened() as opened, workloads.Controller(opened.api.store):
            profile = pods.Profile(metrics.Template.plain("queue_length"), port=PORT, startup=0.1, shutdown=0.1)
            async with pods.PodFleet(opened.api.store, [profile]) as fleet:
                await opened.install(documents, helm.NAMESPACE)
                await opened.install(_work())
                fleet.set_load("shop", "web", 40)
                account = helm.only(documents, "ServiceAccount")["metadata"]["name"]
                audit = Audit(access.service_account(helm.NAMESPACE, account))
                audit.watch(opened.api.gate)
                _mount(opened, account, tmp_path, monkeypatch)
                app = _container(documents, monkeypatch)
                working = asyncio.create_task(app.run())
                try:
                    yield Running(opened, audit, working)
                finally:
                    app.stop()
                    await working

    return run


def _mount(opened: Cluster, account: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kubelet puts into every container: the token, the authority, and where the API server is."""
    assert opened.api.tls is not None
    (directory / "token").write_text(opened.api.token(helm.NAMESPACE, account))
    (directory / "ca.crt").write_bytes(opened.api.tls.authority)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(directory / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(directory / "ca.crt"))
    host, _, port = opened.api.url.removeprefix("https://").rpartition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)


def _container(documents: list[Object], monkeypatch: pytest.MonkeyPatch) -> App:
    """The controller of the rendered container: its arguments and its environment."""
    container = helm.container(documents)
    environment = {}
    for entry in container["env"]:
        field_path = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        environment[entry["name"]] = {"metadata.namespace": helm.NAMESPACE, "metadata.name": "podtide-0"}.get(
            field_path, entry.get("value")
        )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    expanded = [_expanded(argument, environment) for argument in container["args"]]
    arguments = main.parser().parse_args(expanded)
    return App(Job(command.options(arguments), from_files=arguments.from_files))


def _expanded(argument: str, environment: dict[str, str]) -> str:
    for name, value in environment.items():
        argument = argument.replace(f"$({name})", value)
    return argument


def _work() -> list[Object]:
    container = {"name": "web", "image": "web:1", "ports": [{"containerPort": PORT}]}
    deployment = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
    }
    source = {
        "metricSourceType": "pod",
        "protocolType": "http",
        "port": str(PORT),
        "path": "/metrics",
        "targetMetric": "queue_length",
        "targetValue": "10",
        "intervalSeconds": 1,
        "auth": {"headerSecretRef": {"header": "X-Scrape", "name": "scrape", "key": "token"}},
    }
    autoscaler = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "scalingStrategy": "KPA",
        "minReplicas": 1,
        "maxReplicas": 4,
        "metricsSources": [source],
    }
    meta = {"name": "web", "namespace": "shop"}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {**meta, "name": "scrape"}, "data": {"token": "eA=="}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": deployment},
        {
            "apiVersion": "autoscaling.aibrix.ai/v1alpha1",
            "kind": "PodAutoscaler",
            "metadata": meta,
            "spec": autoscaler,
        },
    ]


def _rendered(**values: Any) -> list[Object]:
    free = _free_ports()
    return helm.render({"metrics": {"port": free[0]}, "health": {"port": free[1]}, **values})


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _without(documents: list[Object], right: Right) -> list[Object]:
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


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="a ClusterRole"),
        pytest.param({"watchNamespaces": ["shop", "search"]}, id="Roles of the watched namespaces"),
    ],
)
async def test_the_installed_controller_scales_with_just_these_rights(
    running: Callable[..., Any], values: Object
) -> None:
    async with running(_rendered(rbac={"aggregate": False}, **values)) as controller:
        await controller.until(lambda: controller.replicas() == 4, "never scaled")
        soon = set(RIGHTS) - AT_THE_END
        await controller.until(lambda: soon <= controller.audit.asked, "some rights were never asked for")
        found = await controller.cluster.get("/apis/autoscaling.aibrix.ai/v1alpha1/namespaces/shop/podautoscalers/web")
        assert found["status"]["desiredScale"] > 1
    assert controller.audit.asked - LATER == set(RIGHTS)
    assert controller.audit.refused == set()


@pytest.mark.parametrize(
    "right",
    [
        ("list", "autoscaling.aibrix.ai", "podautoscalers"),
        ("list", "", "pods"),
        ("get", "", "secrets"),
        ("create", "coordination.k8s.io", "leases"),
        ("patch", "apps", "deployments/scale"),
    ],
    ids=lambda right: f"{right[0]} {right[2]}",
)
async def test_nothing_scales_with_one_right_less(running: Callable[..., Any], right: Right) -> None:
    async with running(_without(_rendered(), right)) as controller:
        await controller.until(lambda: right in controller.audit.refused, f"{right} was never refused")
    assert controller.replicas() == 1


async def test_scaling_goes_on_without_courtesies(running: Callable[..., Any]) -> None:
    courtesies = {("create", "events.k8s.io", "events"), ("list", "autoscaling", "horizontalpodautoscalers")}
    documents = _rendered()
    for right in courtesies:
        documents = _without(documents, right)
    async with running(documents) as controller:
        await controller.until(lambda: controller.replicas() == 4, "never scaled")
        await controller.until(lambda: controller.audit.refused == courtesies, "courtesies were never refused")
