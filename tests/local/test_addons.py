"""The metrics APIs of the embedded server, with data that is set here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from podtide.local.addons import Series
from podtide.local.admission import Write
from podtide.local.refusals import Object
from podtide.local.server import ApiServer
from tests.local import making

CONTAINERS = {"containers": [{"name": "app", "image": "a"}, {"name": "proxy", "image": "p"}]}
USED = {"app": {"cpu": "250m", "memory": "64Mi"}, "proxy": {"cpu": "10m", "memory": "16Mi"}}


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    """A server with two pods, of which one runs."""
    async with ApiServer() as api:
        making.namespace(api.store)
        kind = api.store.kind("v1", "pods")
        for name in ("web-0", "web-1"):
            api.store.create(kind, "shop", {"metadata": {"name": name, "labels": {"pod": name}}, "spec": CONTAINERS})
        running = {"phase": "Running"}
        write = Write("kubelet", sub="status")
        api.store.patch(kind, "shop", "web-0", lambda body: {**body, "status": running}, write)
        yield api


async def get(api: ApiServer, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(api.url + path) as response:
        is_json = response.content_type == "application/json"
        return response.status, await (response.json() if is_json else response.text())


@pytest.mark.parametrize("group", ["metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"])
async def test_what_has_no_data_is_not_there(api: ApiServer, group: str) -> None:
    assert (await get(api, f"/apis/{group}"))[0] == 404
    assert (await get(api, f"/apis/{group}/v1beta1/namespaces/shop/pods"))[0] == 404
    listed = (await get(api, "/apis"))[1]["groups"]
    assert group not in {found["name"] for found in listed}


async def test_usages_of_running_pods(api: ApiServer) -> None:
    api.metrics.usage = lambda _, container: USED[container]
    code, found = await get(api, "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods")
    assert (code, found["kind"]) == (200, "PodMetricsList")
    (item,) = found["items"]
    assert item["metadata"]["name"] == "web-0"
    assert item["containers"] == [{"name": name, "usage": used} for name, used in USED.items()]
    one = await get(api, "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods/web-0")
    assert one[1]["containers"] == item["containers"]
    missing = await get(api, "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods/web-1")
    assert (missing[0], missing[1]["message"]) == (404, 'pods.metrics.k8s.io "web-1" not found')
    assert (await get(api, "/apis/metrics.k8s.io/v1beta1/pods?labelSelector=pod%3Dweb-1"))[1]["items"] == []


async def test_a_pod_without_the_usage_of_one_container_is_left_out(api: ApiServer) -> None:
    api.metrics.usage = lambda _, container: USED[container] if container == "app" else None
    assert (await get(api, "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"))[1]["items"] == []


def by_name(body: Object) -> str | None:
    return {"web-0": "3", "web-1": "4500m", "shop": "12"}.get(body["metadata"]["name"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("pods/*/rps", {("Pod", "web-0"): "3", ("Pod", "web-1"): "4500m"}, id="every pod"),
        pytest.param("pods/web-1/rps", {("Pod", "web-1"): "4500m"}, id="one pod"),
        pytest.param("metrics/rps", {("Namespace", "shop"): "12"}, id="the namespace"),
        pytest.param("deployments.apps/*/rps", {}, id="objects that have none"),
    ],
)
async def test_custom_metrics_of_objects(api: ApiServer, path: str, expected: Any) -> None:
    api.metrics.custom["rps"] = by_name
    code, found = await get(api, f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/{path}")
    assert (code, found["kind"]) == (200, "MetricValueList")
    described = [(item["describedObject"], item["value"]) for item in found["items"]]
    assert {(which["kind"], which["name"]): value for which, value in described} == expected
    assert (await get(api, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/qps"))[0] == 404


async def test_external_metrics_by_label(api: ApiServer) -> None:
    api.metrics.external["depth"] = [Series("30", {"queue": "in"}), Series("7", {"queue": "out"})]
    path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/depth"
    assert [item["value"] for item in (await get(api, path))[1]["items"]] == ["30", "7"]
    assert [item["value"] for item in (await get(api, f"{path}?labelSelector=queue%3Dout"))[1]["items"]] == ["7"]
    assert (await get(api, path.replace("depth", "height")))[0] == 404
