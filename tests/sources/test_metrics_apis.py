"""cpu and memory, custom and external metrics, from a server that speaks the APIs' wire format."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from podtide.aio.clock import Clock
from podtide.aio.mailbox import Mailbox
from podtide.aio.tasks import Crew
from podtide.api import decode
from podtide.core import engine
from podtide.core.memory import Memory
from podtide.core.model import spec, view
from podtide.core.model.reading import Reading, Reason, Span
from podtide.kube.client import Client
from podtide.kube.discovery import Discovery
from podtide.sources import custom, external, metricsapi, polling, resource
from podtide.sources.agenda import Agenda
from podtide.sources.base import Source
from tests.api import manifests
from tests.sources import metricsapis, specs
from tests.sources.metricsapis import MetricsApis

CPU, MEMORY = spec.Resource("cpu"), spec.Resource("memory")
USAGES = "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"
CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop"
EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop"


@dataclass
class Room:
    """A server, and the sources that read it."""

    apis: MetricsApis
    client: Client
    clock: Clock
    crew: Crew
    by_kind: dict[type[Any], Source]

    def now(self) -> str:
        """A time stamp as Kubernetes writes it."""
        return datetime.fromtimestamp(int(self.clock.now()), UTC).isoformat().replace("+00:00", "Z")

    async def read(
        self, source: spec.Source, target: view.TargetView, *, algorithm: spec.Algorithm | None = None, **more: Any
    ) -> Reading:
        """The first reading of a metric."""
        metric = specs.metric("rps", source, interval=3600.0, **more)
        autoscaler = replace(specs.autoscaler(metric), algorithm=algorithm or spec.Hpa())
        mailbox: Mailbox[Reading] = Mailbox()
        subscription = self.by_kind[type(source)].subscribe(autoscaler, metric, mailbox)
        try:
            subscription.update(target)
            await mailbox.wake.wait()
            (reading,) = mailbox.drain()
            return reading
        finally:
            subscription.close()


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    clock, agenda, crew = Clock(), Agenda(), Crew(logging.getLogger("test"))
    async with metricsapis.running() as (apis, client):
        api = metricsapi.MetricsApi(client, crew)
        desk = polling.Desk(agenda, crew, clock, 5.0)
        by_kind: dict[type[Any], Source] = {
            spec.Resource: resource.Resources(desk, api),
            spec.Custom: custom.Customs(desk, api, Discovery(client)),
            spec.External: external.Externals(desk, api),
        }
        yield Room(apis, client, clock, crew, by_kind)
        agenda.close()
        await crew.aclose()


# --- resource -------------------------------------------------------------------------------------------------------


async def test_cpu_is_read_per_pod_with_its_time_and_window(room: Room) -> None:
    at = room.now()
    room.apis.serve("metrics.k8s.io", "v1beta1")
    room.apis.answers[USAGES] = metricsapis.pod_metrics_list(
        metricsapis.pod_metrics("web-1", ("app", "412345678n", "100Mi"), ("mesh", "1u", "1Mi"), at=at),
        metricsapis.pod_metrics("web-2", ("app", "250m", "1Gi"), ("mesh", "0", "0"), at=at, window="1m0.5s"),
        metricsapis.pod_metrics("db-1", ("app", "8", "9Gi"), at=at),
    )
    reading = await room.read(CPU, specs.target(specs.pod(1), specs.pod(2)))
    # Each container is rounded up to thousandths on its own, as Kubernetes does.
    assert reading.values == {"uid-1": 0.414, "uid-2": 0.25}
    seconds = datetime.fromisoformat(at).timestamp()
    assert reading.spans == {"uid-1": Span(seconds, 15.032), "uid-2": Span(seconds, 60.5)}
    assert (reading.expected, reading.failure, reading.failures) == (2, None, {})


async def test_memory_of_one_container(room: Room) -> None:
    room.apis.serve("metrics.k8s.io", "v1beta1")
    room.apis.answers[USAGES] = metricsapis.pod_metrics_list(
        metricsapis.pod_metrics("web-1", ("app", "1", "100Mi"), ("mesh", "1", "2Mi"), at=room.now()),
        metricsapis.pod_metrics("web-2", ("mesh", "1", "2Mi"), at=room.now()),
    )
    pods = [specs.pod(1), specs.pod(2, containers=(view.ContainerView("mesh"),))]
    reading = await room.read(spec.Resource("memory", "app"), specs.target(*pods))
    assert reading.values == {"uid-1": 100 * 1024 * 1024}
    assert reading.failures["uid-2"].detail == 'pod web-2 has no container "app"; it has mesh'
    assert reading.expected == 2


async def test_one_list_serves_every_autoscaler_of_the_namespace(room: Room) -> None:
    room.apis.serve("metrics.k8s.io", "v1beta1")
    room.apis.answers[USAGES] = metricsapis.pod_metrics_list(
        metricsapis.pod_metrics("web-1", ("app", "1", "1Gi"), at=room.now())
    )
    mailbox: Mailbox[Reading] = Mailbox()
    subscriptions = []
    for number in range(20):
        metric = specs.metric("rps", CPU if number % 2 else MEMORY, interval=3600.0)
        autoscaler = replace(specs.autoscaler(metric), key=spec.Key("shop", f"web-{number}"))
        subscriptions.append(room.by_kind[spec.Resource].subscribe(autoscaler, metric, mailbox))
    for subscription in subscriptions:
        subscription.update(specs.target(specs.pod(1)))
    readings: list[Reading] = []
    while len(readings) < 20:
        await mailbox.wake.wait()
        readings += mailbox.drain()
    assert {tuple(reading.values.values()) for reading in readings} == {(1.0,), (1024.0**3,)}
    assert room.apis.times(USAGES) == 1
    for subscription in subscriptions:
        subscription.close()


async def test_a_usage_from_before_the_pod_is_another_pods(room: Room) -> None:
    room.apis.serve("metrics.k8s.io", "v1beta1")
    room.apis.answers[USAGES] = metricsapis.pod_metrics_list(
        metricsapis.pod_metrics("web-1", ("app", "1", "1Gi"), at=room.now()),
        metricsapis.pod_metrics("web-2", ("app", "2", "1Gi"), at=room.now()),
    )
    young = specs.pod(2, created=room.clock.now() + 60)
    reading = await room.read(CPU, specs.target(specs.pod(1), young))
    assert reading.values == {"uid-1": 1.0}
    assert reading.failures["uid-2"].detail == "the usage of web-2 is that of the pod before it"


async def test_an_old_usage_is_missing(room: Room) -> None:
    room.apis.serve("metrics.k8s.io", "v1beta1")
    room.apis.answers[USAGES] = metricsapis.pod_metrics_list(
        metricsapis.pod_metrics("web-1", ("app", "0", "1Gi"), at="2020-01-01T00:00:00Z")
    )
    reading = await room.read(CPU, specs.target(specs.pod(1)))
    assert reading.values == {}
    assert reading.failures["uid-1"].reason is Reason.NO_DATA
    assert "old" in reading.failures["uid-1"].detail


@pytest.mark.parametrize(
    ("algorithm", "values", "expected"),
    [
        pytest.param(spec.Hpa(), {"uid-1": 1.0, "uid-2": 3.0}, 2, id="HPA sorts unready pods itself"),
        pytest.param(spec.Kpa(), {"uid-1": 1.0}, 1, id="a mean is over ready pods"),
    ],
)
async def test_unready_pods(room: Room, algorithm: spec.Algorithm, values: dict[str, float], expected: int) -> None:
    room.apis.serve("metrics.k8s.io", "v1beta1")
    room.apis.answers[USAGES] = metricsapis.pod_metrics_list(
        *(metricsapis.pod_metrics(f"web-{n}", ("app", cpu, "1Gi"), at=room.now()) for n, cpu in ((1, "1"), (2, "3")))
    )
    reading = await room.read(CPU, specs.target(specs.pod(1), specs.pod(2, ready="False")), algorithm=algorithm)
    assert (reading.values, reading.expected) == (values, expected)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(
            None,
            "the cluster has no metrics.k8s.io API: install metrics-server, or use another source type",
            id="not installed",
        ),
        pytest.param(
            metricsapis.status(403, "Forbidden", 'pods.metrics.k8s.io is forbidden: User "x" cannot list'),
            'the controller may not list pods of metrics.k8s.io in namespace "shop": grant the verb "list" on resource '
            '"pods" in apiGroup "metrics.k8s.io" to its service account',
            id="no right",
        ),
        pytest.param(
            metricsapis.status(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
            "metrics-server does not answer: `kubectl get apiservice v1beta1.metrics.k8s.io` says why (the server is "
            "currently unable to handle the request)",
            id="not running",
        ),
        pytest.param(
            {**metricsapis.pod_metrics_list(), "items": None},
            "metrics.k8s.io has no usage of any pod of Deployment/web yet",
            id="nothing measured",
        ),
        pytest.param((200, "<html>"), f"{USAGES} answered what is no _PodMetricsList", id="a proxy's page"),
    ],
)
async def test_no_usage_is_a_failure_that_says_what_to_do(room: Room, answer: Any, said: str) -> None:
    if answer is not None:
        room.apis.serve("metrics.k8s.io", "v1beta1")
        room.apis.answers[USAGES] = answer
    reading = await room.read(CPU, specs.target(specs.pod(1), specs.pod(2)))
    assert (reading.values, reading.total, reading.expected) == ({}, None, 2)
    assert reading.failure is not None
    assert reading.failure.detail.startswith(said)


async def test_an_api_that_is_installed_later_is_found(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metricsapi, "UNKNOWN", 0.0)
    assert (await room.read(CPU, specs.target(specs.pod(1)))).failure is not None
    room.apis.serve("metrics.k8s.io", "v1beta1")
    room.apis.answers[USAGES] = metricsapis.pod_metrics_list(
        metricsapis.pod_metrics("web-1", ("app", "1", "1Gi"), at=room.now())
    )
    assert (await room.read(CPU, specs.target(specs.pod(1)))).values == {"uid-1": 1.0}


async def test_an_api_server_that_is_away_is_a_failure(room: Room) -> None:
    await room.client.close()
    reading = await room.read(CPU, specs.target(specs.pod(1)))
    assert reading.failure is not None
    assert reading.failure.reason is Reason.API


# --- custom ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v1beta2", "v1beta1"])
async def test_a_metric_of_pods_takes_one_call(room: Room, version: str) -> None:
    room.apis.serve("custom.metrics.k8s.io", *(["v1beta1", "v1beta2"] if version == "v1beta2" else ["v1beta1"]))
    path = f"/apis/custom.metrics.k8s.io/{version}/namespaces/shop/pods/*/rps"
    room.apis.answers[path] = metricsapis.custom_values(
        ("web-1", "1500m"), ("web-2", "41"), ("db-1", "7"), version=version, at=room.now()
    )
    matches = [spec.LabelMatch("verb", "In", ("GET",)), spec.LabelMatch("code", "NotIn", ("500", "503"))]
    reading = await room.read(
        spec.Custom("rps"), specs.target(specs.pod(1), specs.pod(2), specs.pod(3)), matches=matches
    )
    assert reading.values == {"uid-1": 1.5, "uid-2": 41.0}
    assert {span.window for span in reading.spans.values()} == {30.0}
    assert reading.failures["uid-3"].detail == "custom.metrics.k8s.io has no rps of pod web-3"
    assert reading.expected == 3
    assert (room.apis.asked[-1], room.apis.queries[-1]) == (
        path,
        {"metricLabelSelector": "verb=GET,code notin (500,503)"},
    )


async def test_a_metric_of_an_object(room: Room) -> None:
    room.apis.serve("custom.metrics.k8s.io", "v1beta2")
    room.apis.answers["/apis/networking.k8s.io/v1"] = {
        "kind": "APIResourceList",
        "resources": [{"name": "ingresses", "kind": "Ingress", "namespaced": True}],
    }
    room.apis.answers[f"{CUSTOM}/ingresses.networking.k8s.io/main/rps"] = metricsapis.custom_values(
        ("main", "10k"), at=room.now()
    )
    described = spec.ObjectRef("networking.k8s.io/v1", "Ingress", "main")
    reading = await room.read(spec.Custom("rps", described), specs.target())
    assert (reading.total, reading.values, reading.failure) == (10_000.0, {}, None)


async def test_a_metric_of_the_namespace(room: Room) -> None:
    room.apis.serve("custom.metrics.k8s.io", "v1beta2")
    room.apis.answers[f"{CUSTOM}/metrics/rps"] = metricsapis.custom_values(("shop", "3"), at=room.now())
    reading = await room.read(spec.Custom("rps", spec.ObjectRef("v1", "Namespace", "other")), specs.target())
    assert reading.total == 3.0


@pytest.mark.parametrize(
    ("described", "answer", "reason", "said"),
    [
        pytest.param(None, None, Reason.API, "install a metrics adapter", id="no adapter"),
        pytest.param(
            None,
            metricsapis.status(404, "NotFound", "the server could not find the metric rps for pods"),
            Reason.NO_METRIC,
            "`kubectl get --raw /apis/custom.metrics.k8s.io/v1beta2` shows what it has",
            id="no such metric",
        ),
        pytest.param(
            None,
            metricsapis.status(403, "Forbidden", "no"),
            Reason.API,
            'the verb "get" on resource "pods/rps" in apiGroup "custom.metrics.k8s.io"',
            id="no right",
        ),
        pytest.param(
            None, metricsapis.custom_values(at="2026-01-01T00:00:00Z"), Reason.NO_DATA, "of any pod", id="no value"
        ),
        pytest.param(
            spec.ObjectRef("v1", "Namespace", "shop"),
            metricsapis.custom_values(("a", "1"), ("b", "2"), at="2026-01-01T00:00:00Z"),
            Reason.NOT_A_NUMBER,
            "2 values of Namespace shop",
            id="several values of one object",
        ),
        pytest.param(
            spec.ObjectRef("v1", "Namespace", "shop"),
            metricsapis.custom_values(("a", "many"), at="2026-01-01T00:00:00Z"),
            Reason.PARSE,
            '"many" is not a quantity',
            id="no quantity",
        ),
    ],
)
async def test_no_custom_metric(
    room: Room, described: spec.ObjectRef | None, answer: Any, reason: Reason, said: str
) -> None:
    if answer is not None:
        room.apis.serve("custom.metrics.k8s.io", "v1beta2")
        room.apis.answers[f"{CUSTOM}/metrics/rps"] = room.apis.answers[f"{CUSTOM}/pods/*/rps"] = answer
    reading = await room.read(spec.Custom("rps", described), specs.target(specs.pod(1)))
    assert reading.failure is not None
    assert (reading.failure.reason, reading.values, reading.total) == (reason, {}, None)
    assert said in reading.failure.detail


async def test_an_object_of_an_unknown_kind(room: Room) -> None:
    room.apis.serve("custom.metrics.k8s.io", "v1beta2")
    reading = await room.read(spec.Custom("rps", spec.ObjectRef("shop.io/v1", "Till", "a")), specs.target())
    assert reading.failure is not None
    assert "correct describedObject.apiVersion and kind" in reading.failure.detail


# --- external -------------------------------------------------------------------------------------------------------


async def test_external_values_are_added_up_exactly(room: Room) -> None:
    room.apis.serve("external.metrics.k8s.io", "v1beta1")
    room.apis.answers[f"{EXTERNAL}/queue"] = metricsapis.external_values("100m", "200m", "12k", at=room.now())
    reading = await room.read(spec.External("queue", "queue in (q0,q1),team=a"), specs.target())
    # In floats 0.1 + 0.2 would be 0.30000000000000004.
    assert reading.total == 12_000.3
    assert room.apis.queries[-1] == {"labelSelector": "queue in (q0,q1),team=a"}


async def test_a_time_without_a_zone_is_utc_and_may_be_any(room: Room) -> None:
    room.apis.serve("external.metrics.k8s.io", "v1beta1")
    room.apis.answers[f"{EXTERNAL}/queue"] = metricsapis.external_values("3", at="0001-01-01T00:00:00")
    assert (await room.read(spec.External("queue"), specs.target())).total == 3
    assert metricsapi.seconds(datetime(2026, 1, 2)) == datetime(2026, 1, 2, tzinfo=UTC).timestamp()  # noqa: DTZ001 - so


async def test_a_metrics_name_is_escaped(room: Room) -> None:
    room.apis.serve("external.metrics.k8s.io", "v1beta1")
    room.apis.answers[f"{EXTERNAL}/a|b/c"] = metricsapis.external_values("1", at=room.now())
    assert (await room.read(spec.External("a|b/c"), specs.target())).total == 1.0
    assert room.apis.asked[-1] == f"{EXTERNAL}/a%7Cb%2Fc"


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        pytest.param(None, Reason.API, "install a metrics adapter (KEDA", id="no adapter"),
        pytest.param(
            {**metricsapis.external_values(at="2026-01-01T00:00:00Z"), "items": None},
            Reason.NO_DATA,
            'no value of queue with the labels "team=a"; check `selector`',
            id="nothing matches",
        ),
        pytest.param(
            metricsapis.status(403, "Forbidden", "no"),
            Reason.API,
            'the verb "list" on resource "queue" in apiGroup "external.metrics.k8s.io"',
            id="no right",
        ),
        pytest.param(
            metricsapis.status(500, "InternalError", "unable to fetch metrics: redis: connection refused"),
            Reason.API,
            "redis: connection refused",
            id="the adapter's own trouble is passed on",
        ),
        pytest.param(
            (200, '{"items":[' + '{"value":0},' * 600_000 + '{"value":0}]}'),
            Reason.TOO_LARGE,
            "more than 500000 values in 7200023 bytes",
            id="values by the million",
        ),
        pytest.param(
            (200, '{"kind":"' + "x" * metricsapi.MOST + '"}'),
            Reason.API,
            f"the answer is larger than {metricsapi.MOST} bytes",
            id="no end",
        ),
        pytest.param(
            metricsapis.status(500, "InternalError", "x" * 2_000_000),
            Reason.API,
            'queue: {"kind": "Status"',  # not the whole of it, so it is no longer JSON
            id="an error without an end",
        ),
    ],
)
async def test_no_external_metric(room: Room, answer: Any, reason: Reason, said: str) -> None:
    if answer is not None:
        room.apis.serve("external.metrics.k8s.io", "v1beta1")
        room.apis.answers[f"{EXTERNAL}/queue"] = answer
    reading = await room.read(spec.External("queue", "team=a"), specs.target())
    assert reading.failure is not None
    assert (reading.failure.reason, reading.total) == (reason, None)
    assert said in reading.failure.detail


# --- to the decision ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "strategy", "count"),
    [
        pytest.param({"targetMetric": "cpu", "targetType": "Utilization", "targetValue": "50"}, "HPA", 4, id="percent"),
        pytest.param({"targetMetric": "cpu", "targetValue": "50"}, "HPA", 4, id="AIBrix's per cent"),
        pytest.param(
            {"targetMetric": "cpu", "targetType": "AverageValue", "targetValue": "250m"}, "HPA", 4, id="cores"
        ),
        pytest.param({"targetMetric": "cpu", "targetValue": "250"}, "APA", 4, id="AIBrix's millicores"),
        pytest.param({"targetMetric": "memory", "targetValue": "256"}, "HPA", 8, id="AIBrix's MiB"),
        pytest.param(
            {"targetMetric": "memory", "targetType": "Utilization", "targetValue": "50"}, "HPA", 4, id="memory"
        ),
        pytest.param(
            {"targetMetric": "cpu", "targetType": "Utilization", "targetValue": "80", "container": "app"},
            "HPA",
            2,
            id="one container",
        ),
        pytest.param({"targetMetric": "cpu", "targetType": "Utilization", "targetValue": "50"}, "KPA", 4, id="KPA"),
    ],
)
async def test_usage_becomes_a_count(room: Room, source: dict[str, Any], strategy: str, count: int) -> None:
    """Two pods that use 500m of the cpu and 1 GiB of the 1 GiB they request, of it 400m of 500m in `app`."""
    room.apis.serve("metrics.k8s.io", "v1beta1")
    room.apis.answers[USAGES] = metricsapis.pod_metrics_list(
        *(
            metricsapis.pod_metrics(f"web-{n}", ("app", "400m", "768Mi"), ("mesh", "100m", "256Mi"), at=room.now())
            for n in (1, 2)
        )
    )
    requests = {"cpu": 250, "memory": 512 * 1024 * 1024 * 1000}
    containers = tuple(view.ContainerView(name, requests=requests) for name in ("app", "mesh"))
    if "container" in source:
        containers = (view.ContainerView("app", requests={"cpu": 500}), view.ContainerView("mesh"))
    decoded = decode.autoscaler(
        manifests.manifest(
            scalingStrategy=strategy,
            observeWindowSeconds=30,
            metricsSources=[{"metricSourceType": "resource", "intervalSeconds": 3600} | source],
        )
    )
    assert decoded.spec is not None
    long_ago = room.clock.now() - 86_400
    pods = [specs.pod(n, containers=containers, started=long_ago, created=long_ago) for n in (1, 2)]
    target = replace(specs.target(*pods), status_replicas=2)
    mailbox: Mailbox[Reading] = Mailbox()
    metric = decoded.spec.metrics[0]
    subscription = room.by_kind[spec.Resource].subscribe(decoded.spec, metric, mailbox)
    subscription.update(target)
    await mailbox.wake.wait()
    subscription.close()
    memory = Memory(since=room.clock.now() - 60)
    (reading,) = mailbox.drain()
    engine.absorb(memory, decoded.spec, reading)
    decision = engine.decide(memory, decoded.spec, target, room.clock.now())
    assert decision.proposals[0].replicas == count, decision.proposals[0]


async def test_one_namespace_fills_nobody_elses_turn() -> None:
    """All requests of the controller, those that scale among them, wait in one row."""
    under_way, most, free = 0, 0, asyncio.Event()

    class Slow:
        async def request(self, *_: object, **__: object) -> bytes:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await free.wait()
            under_way -= 1
            return b"{}"

    crew = Crew(logging.getLogger(__name__))
    api = metricsapi.MetricsApi(cast(Client, Slow()), crew)
    group = metricsapi.EXTERNAL
    queries = [
        metricsapi.Query(group, "v1beta1", namespace, f"/{number}", "list", "x", "x")
        for namespace in ("evil", "shop")
        for number in range(64 if namespace == "evil" else 1)
    ]
    asked = [asyncio.create_task(api.get(query, dict, timeout=5, fresh=1)) for query in queries]
    for _ in range(10):
        await asyncio.sleep(0)
    assert under_way == metricsapi.OF_EACH + 1
    free.set()
    assert await asyncio.gather(*asked) == [{}] * 65
    assert most == metricsapi.OF_EACH + 1
    assert not api._turns
    await crew.aclose()
