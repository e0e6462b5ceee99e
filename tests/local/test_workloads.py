"""Workloads and simulated pods together: owners, rollouts, scaling, load, metrics over HTTP and HTTPS."""

from __future__ import annotations

import asyncio
import os
import resource
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import trustme

from podtide.local import metrics
from podtide.local.pods import Pod, PodFleet, Profile
from podtide.local.store import Store
from podtide.local.workloads import Controller
from tests.local import making

Object = dict[str, Any]
_PROFILE = Profile(metrics.Template.plain("load"), 8000, startup=0.0, shutdown=0.0)


@pytest.fixture
async def fleet(store: Store) -> AsyncIterator[PodFleet]:
    """Workloads at work, with pods that start and stop at once and serve their load on port 8000."""
    async with Controller(store), PodFleet(store, [_PROFILE]) as fleet:
        yield fleet


def _create(store: Store, body: Object) -> None:
    store.create(store.kind("apps/v1", f"{body['kind'].lower()}s"), "shop", body)


def _edit(store: Store, plural: str, **spec: Any) -> None:
    def change(body: Object) -> Object:
        body["spec"] |= spec
        return body

    store.patch(store.kind("apps/v1", plural), "shop", "web", change)


def _body(store: Store, plural: str) -> Object:
    return store.get(store.kind("apps/v1", plural), "shop", "web").read()


def _pods(store: Store) -> list[Object]:
    return [stored.read() for stored in store.collection(store.kind("v1", "pods")).current("shop")]


async def _settled(store: Store, plural: str, count: int) -> None:
    """Waits until exactly `count` pods are there and available."""

    def holds() -> bool:
        available: int = (_body(store, plural).get("status") or {}).get("availableReplicas", 0)
        return available == count == len(_pods(store))

    await making.until(store, holds)


async def _page(pod: Pod, scheme: str = "http", **options: Any) -> str:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{scheme}://{pod.ip}:{pod.profile.port}/metrics", **options) as answer,
    ):
        return await answer.text()


async def test_a_deployment_owns_its_pods_through_a_replica_set(store: Store, fleet: PodFleet) -> None:
    _create(store, making.workload(replicas=2))
    await _settled(store, "deployments", 2)
    deployment = _body(store, "deployments")
    (owner,) = store.collection(store.kind("apps/v1", "replicasets")).current("shop")
    assert owner.owners == (deployment["metadata"]["uid"],)
    for pod in _pods(store):
        (reference,) = pod["metadata"]["ownerReferences"]
        assert (reference["kind"], reference["uid"], reference["controller"]) == ("ReplicaSet", owner.uid, True)
        assert pod["metadata"]["labels"]["pod-template-hash"] == owner.labels["pod-template-hash"]
        assert pod["status"]["podIP"].startswith("127.")
        assert pod["status"]["startTime"]
        assert {c["type"]: c["status"] for c in pod["status"]["conditions"]}["Ready"] == "True"
        assert pod["status"]["containerStatuses"][0]["ready"]
    assert deployment["status"]["observedGeneration"] == 1


async def test_scaling_up_and_down(store: Store, fleet: PodFleet) -> None:
    _create(store, making.workload(replicas=1))
    await _settled(store, "deployments", 1)
    _edit(store, "deployments", replicas=4)
    await _settled(store, "deployments", 4)
    keep = _pods(store)[0]["metadata"]["name"]

    def dear(body: Object) -> Object:
        body["metadata"]["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": "10"}
        return body

    store.patch(store.kind("v1", "pods"), "shop", keep, dear)
    _edit(store, "deployments", replicas=1)
    await _settled(store, "deployments", 1)
    assert [pod["metadata"]["name"] for pod in _pods(store)] == [keep]
    _edit(store, "deployments", replicas=0)
    await making.until(store, lambda: not _pods(store))


async def test_a_rollout_replaces_every_pod_and_never_serves_with_too_few(store: Store, fleet: PodFleet) -> None:
    _create(store, making.workload(replicas=4, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}))
    await _settled(store, "deployments", 4)
    before = {pod["metadata"]["uid"] for pod in _pods(store)}
    seen: list[tuple[int, int]] = []

    def count(storage: str, change: object) -> None:
        pods = [pod for pod in _pods(store) if "deletionTimestamp" not in pod["metadata"]]
        ready = [pod for pod in pods if any(s["ready"] for s in pod["status"].get("containerStatuses", ()))]
        seen.append((len(ready), len(pods)))

    store.listen(count)
    template = making.workload()["spec"]["template"]
    template["spec"]["containers"][0]["image"] = "nginx:2"
    _edit(store, "deployments", template=template)

    def done() -> bool:
        images = [pod["spec"]["containers"][0]["image"] for pod in _pods(store)]
        updated: int = _body(store, "deployments")["status"].get("updatedReplicas", 0)
        return images == ["nginx:2"] * 4 and updated == 4

    await making.until(store, done)
    assert not before & {pod["metadata"]["uid"] for pod in _pods(store)}
    assert min(ready for ready, _ in seen) >= 4
    assert max(total for _, total in seen) == 5
    assert _body(store, "deployments")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


async def test_a_stateful_set_counts_its_pods(store: Store, fleet: PodFleet) -> None:
    _create(store, making.workload("StatefulSet", replicas=3, serviceName="web"))
    await _settled(store, "statefulsets", 3)
    assert [pod["metadata"]["name"] for pod in _pods(store)] == ["web-0", "web-1", "web-2"]
    _edit(store, "statefulsets", replicas=1)
    await _settled(store, "statefulsets", 1)
    assert [pod["metadata"]["name"] for pod in _pods(store)] == ["web-0"]
    first = _pods(store)[0]["metadata"]["uid"]
    template = making.workload()["spec"]["template"]
    template["spec"]["containers"][0]["image"] = "nginx:2"
    _edit(store, "statefulsets", template=template)
    await making.until(store, lambda: [p["metadata"]["uid"] for p in _pods(store)] not in ([], [first]))
    await _settled(store, "statefulsets", 1)
    assert _pods(store)[0]["spec"]["containers"][0]["image"] == "nginx:2"


async def test_ready_pods_share_the_load(store: Store, fleet: PodFleet) -> None:
    fleet.set_load("shop", "web", 90)
    _create(store, making.workload(replicas=2))
    await _settled(store, "deployments", 2)
    assert [await _page(pod) for pod in fleet.of("shop", "web")] == [
        "# HELP load Load of this pod.\n# TYPE load gauge\nload 45\n"
    ] * 2
    _edit(store, "deployments", replicas=3)
    await _settled(store, "deployments", 3)
    assert [pod.share for pod in fleet.of("shop", "web")] == [30, 30, 30]
    fleet.set_load("shop", "web", 3.6)
    assert "load 1.2\n" in await _page(fleet.of("shop", "web")[0])


async def test_a_starting_pod_refuses_and_a_gone_pod_refuses(store: Store) -> None:
    profile = Profile(metrics.Template.plain("load"), 8000, startup=60, shutdown=0)
    async with PodFleet(store, [profile]) as fleet:
        store.create(store.kind("v1", "pods"), "shop", making.pod())
        await making.until(store, lambda: _pods(store)[0]["status"]["phase"] == "Running")
        (pod,) = fleet.pods.values()
        with pytest.raises(aiohttp.ClientConnectorError):
            await _page(pod)
        store.delete(store.kind("v1", "pods"), "shop", "web-0")
        await making.until(store, lambda: not _pods(store))
        assert fleet.pods == {}


async def test_a_pod_keeps_serving_while_it_shuts_down(store: Store) -> None:
    profile = Profile(metrics.Template.plain("load"), 8000, startup=0, shutdown=60)
    async with PodFleet(store, [profile]) as fleet:
        store.create(store.kind("v1", "pods"), "shop", making.pod())
        await making.until(store, lambda: any(pod.ready_at is not None for pod in fleet.pods.values()))
        (pod,) = fleet.pods.values()
        store.delete(store.kind("v1", "pods"), "shop", "web-0")
        assert "load 0\n" in await _page(pod)
        assert "deletionTimestamp" in _pods(store)[0]["metadata"]


async def test_https_pods(store: Store) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("metrics.example.com").configure_cert(tls)
    trusting = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    profile = Profile(metrics.Template.plain("load"), 10250, tls=tls, startup=0, shutdown=0, chunked=True)
    async with PodFleet(store, [profile]) as fleet:
        fleet.set_load("shop", "web-0", 7)
        store.create(store.kind("v1", "pods"), "shop", making.pod())
        await making.until(store, lambda: any(pod.ready_at is not None for pod in fleet.pods.values()))
        (pod,) = fleet.pods.values()
        assert "load 7\n" in await _page(pod, "https", ssl=trusting, server_hostname="metrics.example.com")
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await _page(pod, "https")


async def test_pods_misbehave_on_demand(store: Store, fleet: PodFleet) -> None:
    _create(store, making.workload(replicas=1))
    await _settled(store, "deployments", 1)
    (pod,) = fleet.of("shop", "web")
    url = f"http://{pod.ip}:8000/metrics"
    async with aiohttp.ClientSession() as http:
        assert (await http.get(url)).status == 200
        assert (await http.get(url.replace("metrics", "other"))).status == 404
        pod.trouble.status = 500
        assert (await http.get(url)).status == 500
        pod.trouble.status, pod.trouble.page = 200, b"not_what_you_want 1\n"
        assert await (await http.get(url)).text() == "not_what_you_want 1\n"
        pod.trouble.cuts = True
        with pytest.raises(aiohttp.ClientConnectionError):
            await http.get(url)
        pod.trouble.cuts, pod.trouble.hangs = False, True
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(0.05):
                await http.get(url)
    assert pod.scrapes == 3


async def test_pods_without_a_profile_run_nowhere(store: Store) -> None:
    profile = Profile(metrics.Template.plain("load"), 8000, labels={"app": "other"})
    async with PodFleet(store, [profile]) as fleet:
        store.create(store.kind("v1", "pods"), "shop", making.pod("a", app="web"))
        store.create(store.kind("v1", "pods"), "shop", making.pod("b", app="other"))
        await making.until(store, lambda: _pods(store)[1]["status"]["phase"] == "Running")
        assert _pods(store)[0]["status"]["phase"] == "Pending"
        assert [pod.key for pod in fleet.pods.values()] == [("shop", "b")]


async def test_deleting_a_deployment_frees_its_addresses(store: Store) -> None:
    async with Controller(store), PodFleet(store, [_PROFILE], first=77) as fleet:
        for _ in range(3):
            _create(store, making.workload(replicas=2))
            await _settled(store, "deployments", 2)
            assert len({pod.ip for pod in fleet.pods.values()}) == 2
            assert all(pod.ip.startswith("127.77.0.") for pod in fleet.pods.values())
            _edit(store, "deployments", replicas=0)
            await making.until(store, lambda: not _pods(store))
            store.delete(store.kind("apps/v1", "deployments"), "shop", "web")
            for one in store.collection(store.kind("apps/v1", "replicasets")).current("shop"):
                store.delete(store.kind("apps/v1", "replicasets"), "shop", one.name)


async def test_a_pod_that_cannot_listen_says_why(store: Store) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with PodFleet(store, [_PROFILE]):
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            store.create(store.kind("v1", "pods"), "shop", making.pod())
            await making.until(store, lambda: "containerStatuses" in _pods(store)[0]["status"])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        status = _pods(store)[0]["status"]
        assert status["phase"] == "Pending"
        assert "Too many open files" in status["containerStatuses"][0]["state"]["waiting"]["message"]
