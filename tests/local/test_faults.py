"""Trouble on demand: each kind hits whom it should, and only them."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from podtide.local.faults import Fault
from podtide.local.server import ApiServer
from tests.local import making

PODS = "/api/v1/namespaces/shop/pods"


async def test_an_error_code_for_some_requests_a_few_times(api: ApiServer, http: aiohttp.ClientSession) -> None:
    fault = api.faults.add(Fault(verbs=("list",), resource="pods", status=429, retry_after=7, times=2))
    for _ in range(2):
        answer = await http.get(PODS)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        assert (await answer.json())["reason"] == "TooManyRequests"
    assert (await http.get("/api/v1/namespaces/shop/secrets")).status == 200
    assert (await http.get(PODS)).status == 200
    assert fault.hits == 2


async def test_subresources_are_told_apart(api: ApiServer, http: aiohttp.ClientSession) -> None:
    api.store.create(api.store.kind("apps/v1", "deployments"), "shop", making.workload())
    web = "/apis/apps/v1/namespaces/shop/deployments/web"
    with api.faults.during(Fault(resource="deployments.apps", sub="scale", status=500)):
        assert (await http.get(f"{web}/scale")).status == 500
        assert (await http.get(web)).status == 200
    assert (await http.get(f"{web}/scale")).status == 200


async def test_a_slow_server(api: ApiServer, http: aiohttp.ClientSession) -> None:
    with api.faults.during(Fault(delay=30)), pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(0.05):
            await http.get(PODS)
    assert (await http.get(PODS)).status == 200


async def test_a_client_that_leaves_before_it_is_answered_is_no_error_of_the_server(
    api: ApiServer, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    slow = api.faults.add(Fault(delay=0.1, times=1))
    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(0.05):
            await http.post(PODS, json=making.pod())
    await asyncio.sleep(0.2)
    assert slow.hits == 1
    assert (await http.get(PODS)).status == 200
    assert [record.message for record in caplog.records if record.name == "aiohttp.server"] == []


async def test_one_client_is_cut_off(api: ApiServer) -> None:
    async with (
        aiohttp.ClientSession(api.url, headers={"User-Agent": "left/1"}) as left,
        aiohttp.ClientSession(api.url, headers={"User-Agent": "right/1"}) as right,
    ):
        seen = await left.get(f"{PODS}?watch=true")
        kept = await right.get(f"{PODS}?watch=true")
        with api.faults.partition(agent="left"):
            assert await seen.content.readline() == b""
            with pytest.raises(aiohttp.ClientConnectionError):
                await left.post(PODS, json=making.pod())
            assert (await right.post(PODS, json=making.pod())).status == 201
            assert json.loads(await kept.content.readline())["type"] == "ADDED"
        assert (await left.get(PODS)).status == 200
        kept.close()


async def test_watches_are_dropped_by_resource(api: ApiServer, http: aiohttp.ClientSession) -> None:
    pods = await http.get(f"{PODS}?watch=true")
    secrets = await http.get("/api/v1/namespaces/shop/secrets?watch=true")
    assert api.faults.drop_watches(resource="pods") == 1
    assert await pods.content.readline() == b""
    api.store.create(api.store.kind("v1", "secrets"), "shop", {"metadata": {"name": "a"}})
    assert json.loads(await secrets.content.readline())["type"] == "ADDED"
    secrets.close()
