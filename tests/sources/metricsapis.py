"""A server that speaks the metrics APIs as metrics-server and the adapters do, for the sources that read them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from kubernetes.aio.client import Configuration

from podtide.kube.client import Client

Body = Mapping[str, Any] | tuple[int, Mapping[str, Any] | str]
Answer = Body | Callable[[], Body]


@dataclass
class MetricsApis:
    """What it answers by path, and what it was asked."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Every path, escaped as it came."""
    queries: list[dict[str, str]] = field(default_factory=list)
    """The parameters that came with it."""

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """One request."""
        self.asked.append(request.rel_url.raw_path)
        self.queries.append(dict(request.query))
        body = self.answers.get(request.path, (404, "404 page not found\n"))
        if callable(body):
            body = body()
        code, content = body if isinstance(body, tuple) else (200, body)
        if isinstance(content, str):
            return web.Response(text=content, status=code)
        return web.json_response(content, status=code)

    def times(self, path: str) -> int:
        """How often a path was asked for."""
        return self.asked.count(path)

    def serve(self, group: str, *versions: str) -> None:
        """Have the aggregator know a group."""
        served = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
        self.answers[f"/apis/{group}"] = {
            "kind": "APIGroup",
            "apiVersion": "v1",
            "name": group,
            "versions": served,
            "preferredVersion": served[0],
        }


@asynccontextmanager
async def running() -> AsyncIterator[tuple[MetricsApis, Client]]:
    """The server, and a client of it."""
    apis = MetricsApis()
    runner = web.ServerRunner(web.Server(apis.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        async with Client(Configuration(host=f"http://{host}:{port}")) as client:
            yield apis, client
    finally:
        await runner.cleanup()


def status(code: int, reason: str, message: str) -> tuple[int, Mapping[str, Any]]:
    """A refusal as Kubernetes words it."""
    return code, {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def pod_metrics(name: str, *containers: tuple[str, str, str], at: str, window: str = "15.032s") -> Mapping[str, Any]:
    """One pod as metrics-server 0.8 tells of it; a container is its name, cpu and memory."""
    return {
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": at, "labels": {"app": "web"}},
        "timestamp": at,
        "window": window,
        "containers": [{"name": which, "usage": {"cpu": cpu, "memory": memory}} for which, cpu, memory in containers],
    }


def pod_metrics_list(*items: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a list of pods.metrics.k8s.io answers."""
    return {"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}, "items": list(items)}


def custom_values(*items: tuple[str, str], version: str = "v1beta2", at: str) -> Mapping[str, Any]:
    """What custom.metrics.k8s.io answers for (object's name, value) pairs, in the words of its version."""
    return {
        "kind": "MetricValueList",
        "apiVersion": f"custom.metrics.k8s.io/{version}",
        "metadata": {},
        "items": [
            {
                "describedObject": {"kind": "Pod", "namespace": "shop", "name": name, "apiVersion": "/v1"},
                "timestamp": at,
                "value": value,
            }
            | (
                {"metric": {"name": "rps", "selector": None}, "windowSeconds": 30}
                if version == "v1beta2"
                else {"metricName": "rps", "window": 30, "selector": None}
            )
            for name, value in items
        ],
    }


def external_values(*values: str, at: str) -> Mapping[str, Any]:
    """What external.metrics.k8s.io answers."""
    return {
        "kind": "ExternalMetricValueList",
        "apiVersion": "external.metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": [
            {"metricName": "queue", "metricLabels": {"queue": f"q{number}"}, "timestamp": at, "value": value}
            for number, value in enumerate(values)
        ],
    }
