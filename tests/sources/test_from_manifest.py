"""From a manifest to a pod's number, over a real socket: labels, aggregation, ports, paths, schemes, counters."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from podtide.aio.mailbox import Mailbox
from podtide.api import decode
from podtide.core import engine
from podtide.core.memory import Memory
from podtide.core.model import view
from podtide.core.model.reading import Reading, Reason
from podtide.net import auth, prepare
from podtide.sources import registry
from tests.api import manifests
from tests.net.authority import Authority

PAGE = """\
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{model_name="llama",engine="0"} 3
vllm:num_requests_waiting{model_name="llama",engine="1"} 5
vllm:num_requests_waiting{model_name="qwen",engine="0"} 7
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{model_name="llama"} 0.5
vllm:kv_cache_usage_perc{model_name="qwen"} 0.9
# TYPE sglang:num_queue_reqs gauge
sglang:num_queue_reqs{priority=""} 10
sglang:num_queue_reqs{priority="1"} 4
sglang:num_queue_reqs{priority="2"} 6
# TYPE requests_total counter
requests_total{code="200"} 100
requests_total{code="500"} 1
"""


@dataclass
class Served:
    """A server of pages, and what it was asked."""

    port: int = 0
    pages: dict[str, str] = field(default_factory=lambda: {"/metrics": PAGE})
    hosts: list[str] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.hosts.append(request.headers["Host"])
        text = self.pages.get(request.path)
        return web.Response(status=404) if text is None else web.Response(text=text)


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    served = Served()
    runner = web.ServerRunner(web.Server(served.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    served.port = runner.addresses[0][1]
    try:
        yield served
    finally:
        await runner.cleanup()


@asynccontextmanager
async def sources(**defaults: Any) -> AsyncIterator[registry.Sources]:
    options = registry.Options(defaults=prepare.Defaults(**defaults), timeout=5.0)
    made = registry.Sources(auth.NoCredentials(), options, rng=random.Random(1))
    looking = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await made.aclose()


async def read(served: Served, source: dict[str, Any], *, pod: dict[str, Any] | None = None, **more: Any) -> Reading:
    """The first reading of a metrics source of a manifest, for one pod."""
    base = {"metricSourceType": "pod", "targetMetric": "num_requests_waiting", "targetValue": "5"}
    manifest = manifests.manifest(metricsSources=[base | {"intervalSeconds": 3600} | source])
    decoded = decode.autoscaler(manifest)
    assert decoded.spec is not None, decoded.problems
    metric = decoded.spec.metrics[0]
    mailbox: Mailbox[Reading] = Mailbox()
    async with sources(**more) as made:
        subscription = made.subscribe(decoded.spec, metric, mailbox)
        facts = {"ports": (view.PortView("metrics", served.port),)} | (pod or {})
        container = view.ContainerView("app", ports=facts.pop("ports"))
        seen = view.PodView("web-1", "uid-1", ip="127.0.0.1", containers=(container,), **facts)
        subscription.update(view.TargetView(0.0, 1, 1, pods=(seen,)))
        await mailbox.wake.wait()
        subscription.close()
    return mailbox.drain()[0]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param({}, 15.0, id="all series are added up"),
        pytest.param({"matchLabels": {"model_name": "llama"}}, 8.0, id="one model"),
        pytest.param({"matchLabels": {"model_name": "llama", "engine": "1"}}, 5.0, id="two labels"),
        pytest.param(
            {"matchExpressions": [{"key": "model_name", "operator": "NotIn", "values": ["llama"]}]}, 7.0, id="not in"
        ),
        pytest.param(
            {
                "matchLabels": {"engine": "0"},
                "matchExpressions": [{"key": "model_name", "operator": "In", "values": ["llama", "qwen"]}],
            },
            10.0,
            id="labels and expressions",
        ),
        pytest.param({"matchExpressions": [{"key": "engine", "operator": "Exists"}]}, 15.0, id="exists"),
        pytest.param({"podAggregation": "avg"}, 5.0, id="the mean"),
        pytest.param({"podAggregation": "max"}, 7.0, id="the highest"),
        pytest.param({"podAggregation": "min"}, 3.0, id="the lowest"),
        pytest.param({"podAggregation": "max", "matchLabels": {"model_name": "llama"}}, 5.0, id="both"),
        pytest.param({"targetMetric": "kv_cache_usage_perc", "targetValue": "0.8"}, 0.7, id="ratios are averaged"),
        pytest.param(
            {"targetMetric": "gpu_cache_usage_perc", "targetValue": "0.8", "podAggregation": "max"},
            0.9,
            id="a renamed metric",
        ),
        pytest.param({"targetMetric": "requests_total", "matchLabels": {"code": "500"}}, 1.0, id="a literal name"),
    ],
)
async def test_a_number_of_many_series(source: dict[str, Any], expected: float) -> None:
    async with serving() as served:
        reading = await read(served, source)
    assert reading.values == {"uid-1": pytest.approx(expected)}


async def test_the_engines_name_is_found_by_the_pods_label() -> None:
    async with serving() as served:
        reading = await read(served, {}, pod={"labels": {"model.aibrix.ai/engine": "sglang"}})
    # The total, and not its parts again.
    assert reading.values == {"uid-1": 10.0}


async def test_no_series_with_the_labels_is_a_failure_that_lists_them() -> None:
    async with serving() as served:
        reading = await read(served, {"matchLabels": {"model_name": "mistral"}})
    assert reading.values == {}
    failure = reading.failures["uid-1"]
    assert failure.reason is Reason.NO_SERIES
    assert 'model_name is one of: "llama", "qwen"' in failure.detail


async def test_an_unknown_name_lists_the_nearest() -> None:
    async with serving() as served:
        reading = await read(served, {"targetMetric": "num_requests_wating"})
    assert "vllm:num_requests_waiting" in reading.failures["uid-1"].detail


OTHER = view.PortView("http", 1)


@pytest.mark.parametrize(
    ("source", "pod"),
    [
        pytest.param({}, {}, id="the only port"),
        pytest.param({"port": "metrics"}, {"more": (OTHER,)}, id="a named port"),
        pytest.param({"port": "PORT"}, {"more": (OTHER,)}, id="a number"),
        pytest.param({}, {"more": (OTHER,), "annotations": {"prometheus.io/port": "PORT"}}, id="the annotation"),
        pytest.param({}, {"more": (OTHER,), "annotations": {"prometheus.io/port": "metrics"}}, id="a name in it"),
        pytest.param({"port": "PORT"}, {"annotations": {"prometheus.io/port": "1"}}, id="the source wins"),
    ],
)
async def test_ports(source: dict[str, Any], pod: dict[str, Any]) -> None:
    async with serving() as served:
        source = {name: text.replace("PORT", str(served.port)) for name, text in source.items()}
        facts: dict[str, Any] = {"ports": (view.PortView("metrics", served.port), *pod.get("more", ()))}
        if "annotations" in pod:
            facts["annotations"] = {
                key: text.replace("PORT", str(served.port)) for key, text in pod["annotations"].items()
            }
        reading = await read(served, source, pod=facts)
    assert reading.values == {"uid-1": 15.0}


async def test_several_ports_without_a_word_are_a_failure() -> None:
    async with serving() as served:
        reading = await read(served, {}, pod={"ports": (view.PortView("a", 1), view.PortView("b", 2))})
    failure = reading.failures["uid-1"]
    assert (failure.reason, "several ports (a 1, b 2)" in failure.detail) == (Reason.NO_PORT, True)


@pytest.mark.parametrize(
    ("source", "pod", "asked"),
    [
        pytest.param({}, {}, "/metrics", id="as everybody has it"),
        pytest.param({"path": "stats"}, {}, "/stats", id="the source's, without a slash"),
        pytest.param({}, {"annotations": {"prometheus.io/path": "/actuator"}}, "/actuator", id="the annotation's"),
        pytest.param({"path": "/stats"}, {"annotations": {"prometheus.io/path": "/x"}}, "/stats", id="source first"),
        pytest.param(
            {}, {"labels": {"model.aibrix.ai/engine": "trtllm"}}, "/prometheus/metrics", id="the engine's own"
        ),
    ],
)
async def test_paths(source: dict[str, Any], pod: dict[str, Any], asked: str) -> None:
    async with serving() as served:
        served.pages = {asked: "load 4\n"}
        reading = await read(served, {"targetMetric": "load"} | source, pod=pod)
    assert reading.values == {"uid-1": 4.0}


@pytest.mark.parametrize(
    ("source", "pod"),
    [
        pytest.param({"protocolType": "https"}, {}, id="the source's protocol"),
        pytest.param({}, {"annotations": {"prometheus.io/scheme": "https"}}, id="the annotation's"),
    ],
)
async def test_schemes_and_names(source: dict[str, Any], pod: dict[str, Any], tmp_path: Path) -> None:
    authority = Authority()
    source |= {
        "tls": {"caBundle": authority.pem.decode(), "serverName": "pods.shop.svc"},
        "hostHeader": "shop.example",
    }
    async with serving(authority.issue("pods.shop.svc").server(tmp_path)) as served:
        reading = await read(served, source, pod=pod)
    assert reading.values == {"uid-1": 15.0}
    assert served.hosts == ["shop.example"]


async def test_a_counters_series_become_a_rate_and_a_count() -> None:
    """Two scrapes of a real page, ten seconds apart for the engine: 20 requests a second over the window of ten."""
    async with serving() as served:
        source = {"targetMetric": "requests_total", "valueType": "rate", "matchLabels": {"code": "200"}}
        first = await read(served, source)
        served.pages["/metrics"] = PAGE.replace('"200"} 100', '"200"} 300')
        second = await read(served, source)
    assert first.values == {}
    (sample,) = first.series["uid-1"]
    assert (sample.name, sample.labels, sample.value) == ("requests_total", {"code": "200"}, 100.0)
    decoded = decode.autoscaler(
        manifests.manifest(
            scalingStrategy="HPA",
            observeWindowSeconds=30,
            metricsSources=[{"metricSourceType": "pod", "targetValue": "5", "intervalSeconds": 10} | source],
        )
    )
    assert decoded.spec is not None
    memory = Memory(since=0.0)
    for reading, at in ((first, 1000.0), (second, 1010.0)):
        engine.absorb(memory, decoded.spec, Reading("requests_total", at, series=reading.series, expected=1))
    seen = view.TargetView(1010.0, 1, 1, pods=(view.PodView("web-1", "uid-1"),))
    decision = engine.decide(memory, decoded.spec, seen, 1010.0)
    # 200 in ten seconds, and half a scrape's distance beyond, as the window is not full: 15 s at 20 a second over 30 s.
    assert decision.proposals[0].value == pytest.approx(10.0)
    assert decision.proposals[0].replicas == 2
