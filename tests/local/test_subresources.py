"""Actions on objects, documents for kubectl, protobuf bodies."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from podtide.local import protobuf
from podtide.local.refusals import Refusal
from podtide.local.server import ApiServer
from tests.local import making

PODS = "/api/v1/namespaces/shop/pods"


async def test_binding_and_eviction(api: ApiServer, http: aiohttp.ClientSession) -> None:
    await http.post(PODS, json=making.pod())
    target = {"metadata": {"name": "web-0"}, "target": {"kind": "Node", "name": "n1"}}
    assert (await http.post(f"{PODS}/web-0/binding", json=target)).status == 201
    assert (await (await http.get(f"{PODS}/web-0")).json())["spec"]["nodeName"] == "n1"
    eviction = {"metadata": {"name": "web-0"}, "deleteOptions": {"gracePeriodSeconds": 0}}
    assert (await http.post(f"{PODS}/web-0/eviction", json=eviction)).status == 201
    assert (await http.get(f"{PODS}/web-0")).status == 404


async def test_what_needs_a_node_is_not_offered(api: ApiServer, http: aiohttp.ClientSession) -> None:
    await http.post(PODS, json=making.pod())
    assert (await http.post(f"{PODS}/web-0/exec")).status == 405
    assert (await http.get(f"{PODS}/web-0/log")).status == 200


async def test_a_collection_is_deleted_by_selector(api: ApiServer, http: aiohttp.ClientSession) -> None:
    for name, tier in (("a", "x"), ("b", "x"), ("c", "y")):
        await http.post(PODS, json=making.pod(name, tier=tier))
    gone = await (await http.delete(f"{PODS}?labelSelector=tier%3Dx")).json()
    assert [item["metadata"]["name"] for item in gone["items"]] == ["a", "b"]
    left = await (await http.get(PODS)).json()
    assert [item["metadata"]["name"] for item in left["items"]] == ["c"]


async def test_kubectl_finds_field_validation_in_the_openapi_documents(http: aiohttp.ClientSession) -> None:
    index = await (await http.get("/openapi/v3")).json()
    document = await (await http.get(index["paths"]["apis/apps/v1"]["serverRelativeURL"])).json()
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in [parameter["name"] for parameter in patch["parameters"]]
    old = await http.get(
        "/openapi/v2", headers={"Accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"}
    )
    assert (await old.read()).startswith(b"\n\x032.0")
    assert (await http.get("/openapi/v3/apis/nothing/v1")).status == 404


def _field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


def _envelope(kind: str, raw: bytes) -> bytes:
    about = _field(1, b"v1") + _field(2, kind.encode())
    return b"k8s\x00" + _field(1, about) + _field(2, raw)


async def test_a_namespace_in_protobuf(http: aiohttp.ClientSession) -> None:
    label = _field(11, _field(1, b"team") + _field(2, b"blue"))
    raw = _field(1, _field(1, b"more") + _field(3, b"") + label)
    headers = {"Content-Type": protobuf.MEDIA}
    made = await http.post("/api/v1/namespaces", data=_envelope("Namespace", raw), headers=headers)
    assert made.status == 201
    assert (await made.json())["metadata"]["labels"]["team"] == "blue"


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        ("Secret", _field(2, _field(1, b"k") + _field(2, b"v")), {"data": {"k": "dg=="}}),
        ("Scale", _field(2, b"\x08\x96\x01"), {"spec": {"replicas": 150}}),
        ("Role", _field(2, _field(1, b"get") + _field(1, b"list")), {"rules": [{"verbs": ["get", "list"]}]}),
        ("Scale", b"\x99\x06" + b"\x00" * 8 + _field(2, b"\x08\x01"), {"spec": {"replicas": 1}}),
    ],
)
def test_protobuf_bodies(kind: str, raw: bytes, expected: dict[str, Any]) -> None:
    assert protobuf.decode(_envelope(kind, raw)) == {"apiVersion": "v1", "kind": kind, **expected}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{}", 400),
        (b"k8s\x00\x0a\xff", 400),
        (b"k8s\x00", 400),
        (_envelope("Scale", b"\x12\x7f"), 400),
        (_envelope("Deployment", b""), 415),
    ],
)
def test_protobuf_that_is_not_read(data: bytes, code: int) -> None:
    with pytest.raises(Refusal) as refused:
        protobuf.decode(data)
    assert refused.value.code == code
