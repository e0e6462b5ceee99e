"""A cluster for `benchmarks.fleet`, in a process of its own: the embedded API server, and pods that answer scrapes.

Deployments, ReplicaSets and pods stand in the store as a real cluster's would, each pod with an address of its own; one
socket on every loopback address answers for all of them. A pod's value is its share of its workload's load, a little
different at every scrape; now and then some workloads get more or less load.
"""

import asyncio
import json
import random
import sys
from functools import partial
from pathlib import Path
from typing import Any, cast

from podtide.api import crd
from podtide.local.admission import Write
from podtide.local.server import ApiServer

PORT = 9400
_FILLER = "".join(
    f'# HELP engine_metric_{n} Some other metric.\n# TYPE engine_metric_{n} gauge\nengine_metric_{n}{{model="m"}} {n}\n'
    for n in range(40)
).encode()
"""About 4 KB of what else stands on a page."""
_PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %d\r\n\r\n%b"
_STEP = 10.0
"""Seconds between two changes of load."""


class Loads:
    """The load of every workload."""

    def __init__(self, workloads: int, pods: int, seed: int) -> None:
        self._rng = random.Random(seed)
        self.each = max(1, pods // workloads)
        self.values = [8.0] * workloads

    def step(self, share: float) -> None:
        """Change this share of the workloads: half again as much load, or the old one."""
        for number in self._rng.sample(range(len(self.values)), round(share * len(self.values))):
            self.values[number] = 8.0 if self.values[number] > 8.0 else 12.0

    def page(self, pod: int) -> bytes:
        """What a pod answers now."""
        value = self.values[min(pod // self.each, len(self.values) - 1)] * self._rng.uniform(0.97, 1.03)
        body = b"# TYPE queue_length gauge\nqueue_length %.3f\n" % value + _FILLER
        return _PAGE % (len(body), body)


class Exporter(asyncio.Protocol):
    """One connection from a scraper to a pod; which, the local address says."""

    def __init__(self, loads: Loads) -> None:
        self._loads = loads
        self._pod = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        _, high, middle, low = map(int, transport.get_extra_info("sockname")[0].split("."))
        self._pod = ((high - 10) * 250 + middle) * 250 + low - 1

    def data_received(self, data: bytes) -> None:
        if self._transport is not None and data.endswith(b"\r\n\r\n"):
            self._transport.write(self._loads.page(self._pod))


def address(pod: int) -> str:
    """The loopback address of a pod."""
    return f"127.{10 + pod // 62500}.{pod // 250 % 250}.{pod % 250 + 1}"


def fill(api: ApiServer, autoscalers: int, pods: int, interval: int, *, scaled: bool = True) -> None:
    """Everything there is, as it would be after hours of running; without autoscalers if not `scaled`."""
    store = api.store
    store.create(store.kind("apiextensions.k8s.io/v1", "customresourcedefinitions"), "", crd.manifest())
    each = max(1, pods // autoscalers)
    kinds = [store.kind("apps/v1", "deployments"), store.kind("apps/v1", "replicasets"), store.kind("v1", "pods")]
    own = store.kind("autoscaling.aibrix.ai/v1alpha1", "podautoscalers")
    for number in range(autoscalers):
        name = f"web-{number}"
        deployment = store.create(kinds[0], "default", _workload("Deployment", name, each))
        replica_set = store.create(
            kinds[1], "default", _workload("ReplicaSet", f"{name}-5d4f", each, deployment.read())
        )
        for place in range(each):
            body = pod(f"{name}-5d4f-{place}", name, replica_set.read())
            made = store.create(kinds[2], "default", body)
            ready = status(address(number * each + place))
            told = Write("kubelet", sub="status")
            store.patch(kinds[2], "default", made.name, partial(with_status, ready), told)
        if scaled:
            store.create(own, "default", autoscaler(name, each, interval))


def with_status(status: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The object with another status."""
    return {**found, "status": status}


def _owner(owner: dict[str, Any]) -> dict[str, Any]:
    meta = owner["metadata"]
    return {
        "apiVersion": "apps/v1",
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }


def _workload(kind: str, name: str, replicas: int, owner: dict[str, Any] | None = None) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": labels, "ownerReferences": [_owner(owner)] if owner else []},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": _containers()},
        },
    }


def _containers() -> dict[str, Any]:
    environment = [{"name": f"SETTING_{number}", "value": f"value of setting {number}"} for number in range(30)]
    return {
        "containers": [
            {
                "name": "app",
                "image": "registry.example/app:1",
                "env": environment,
                "ports": [{"name": "metrics", "containerPort": PORT}],
                "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
            }
        ]
    }


def pod(name: str, app: str, owner: dict[str, Any]) -> dict[str, Any]:
    """A pod of this owner."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {"app": app, "pod-template-hash": "5d4f"},
            "annotations": {"example.com/note": "n" * 500},
            "ownerReferences": [_owner(owner)],
        },
        "spec": {**_containers(), "nodeName": "node-1"},
    }


def status(ip: str) -> dict[str, Any]:
    """What the kubelet says of a pod that is ready."""
    begun = "2026-01-01T00:00:00Z"
    kinds = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "phase": "Running",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": begun,
        "conditions": [{"type": kind, "status": "True", "lastTransitionTime": begun} for kind in kinds],
    }


def autoscaler(name: str, replicas: int, interval: int) -> dict[str, Any]:
    """A PodAutoscaler of the Deployment of this name."""
    return {
        "apiVersion": "autoscaling.aibrix.ai/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "scalingStrategy": "KPA",
            "minReplicas": max(1, replicas // 2),
            "maxReplicas": 2 * replicas,
            "metricsSources": [
                {
                    "metricSourceType": "pod",
                    "port": str(PORT),
                    "path": "/metrics",
                    "targetMetric": "queue_length",
                    "targetValue": "10",
                    "intervalSeconds": interval,
                }
            ],
        },
    }


async def serve(autoscalers: int, pods: int, interval: int, share: float, kubeconfig: Path) -> None:
    """Run until standard input ends; a line on standard output says that all is ready."""
    loads = Loads(autoscalers, pods, seed=1)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Exporter(loads), "0.0.0.0", PORT, backlog=4096)  # noqa: S104  (127/8)
    async with listening, ApiServer() as api:
        fill(api, autoscalers, pods, interval)
        api.kubeconfig(kubeconfig)
        print(json.dumps({"ready": True}), flush=True)
        ended = loop.run_in_executor(None, sys.stdin.read)
        while not ended.done():
            await asyncio.wait({ended}, timeout=_STEP)
            loads.step(share)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5])))
