"""Lists and watches over HTTP: pages, versions, bookmarks, what has expired."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from podtide.local.server import ApiServer
from podtide.local.store import Store
from tests.local import making

PODS = "/api/v1/namespaces/shop/pods"


def _create(store: Store, *names: str) -> None:
    for name in names:
        store.create(store.kind("v1", "pods"), "shop", making.pod(name))


@asynccontextmanager
async def _watching(http: aiohttp.ClientSession, query: str, path: str = PODS, **headers: str) -> AsyncIterator[Any]:
    """An open watch as a function that gives the next event."""
    async with http.get(f"{path}?watch=true&{query}", headers=headers) as response:
        assert response.status == 200

        async def following() -> Any:
            async with asyncio.timeout(5):
                line = await response.content.readline()
            return json.loads(line) if line else None

        yield following


def _told(event: Any) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"].get("name", "")


async def test_initial_events_end_with_a_bookmark(api: ApiServer, http: aiohttp.ClientSession) -> None:
    _create(api.store, "a", "b")
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with _watching(http, query) as following:
        assert [_told(await following()) for _ in range(2)] == [("ADDED", "a"), ("ADDED", "b")]
        bookmark = await following()
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert bookmark["object"]["metadata"]["resourceVersion"] == str(api.store.revision)
        _create(api.store, "c")
        assert _told(await following()) == ("ADDED", "c")


async def test_a_watch_without_a_version_shows_what_is_there(api: ApiServer, http: aiohttp.ClientSession) -> None:
    _create(api.store, "a")
    async with _watching(http, "") as following:
        assert _told(await following()) == ("ADDED", "a")


async def test_a_watch_resumes_where_a_list_ended(api: ApiServer, http: aiohttp.ClientSession) -> None:
    _create(api.store, "a")
    version = (await (await http.get(PODS)).json())["metadata"]["resourceVersion"]
    _create(api.store, "b")
    async with _watching(http, f"resourceVersion={version}") as following:
        assert _told(await following()) == ("ADDED", "b")
        api.store.delete(api.store.kind("v1", "pods"), "shop", "a")
        assert _told(await following()) == ("MODIFIED", "a")
        gone = await following()
        assert _told(gone) == ("DELETED", "a")
        assert gone["object"]["metadata"]["resourceVersion"] == str(api.store.revision)


async def test_field_selectors_filter_a_watch(api: ApiServer, http: aiohttp.ClientSession) -> None:
    pods = api.store.kind("v1", "pods")
    async with _watching(http, "fieldSelector=spec.nodeName%3Dn1") as following:
        _create(api.store, "a", "b")

        def bind(body: Any) -> Any:
            body["spec"]["nodeName"] = "n1"
            return body

        api.store.patch(pods, "shop", "b", bind)
        assert _told(await following()) == ("ADDED", "b")


async def test_compacted_history_is_410_in_the_stream(api: ApiServer, http: aiohttp.ClientSession) -> None:
    _create(api.store, "a", "b")
    api.store.compact()
    async with _watching(http, "resourceVersion=2") as following:
        event = await following()
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
        assert await following() is None


async def test_history_has_a_length() -> None:
    async with ApiServer(log_length=3) as api, aiohttp.ClientSession(api.url) as http:
        making.namespace(api.store)
        start = api.store.revision
        _create(api.store, "a", "b", "c", "d", "e")
        async with _watching(http, f"resourceVersion={start}") as following:
            assert (await following())["object"]["code"] == 410
        async with _watching(http, f"resourceVersion={start + 2}") as following:
            assert _told(await following()) == ("ADDED", "c")


async def test_a_watch_ends_when_its_time_is_over(api: ApiServer, http: aiohttp.ClientSession) -> None:
    async with _watching(http, "timeoutSeconds=1") as following:
        assert await following() is None


async def test_a_future_version_is_a_timeout(api: ApiServer, http: aiohttp.ClientSession) -> None:
    answer = await http.get(f"{PODS}?resourceVersion=999999")
    assert answer.status == 504
    assert (await answer.json())["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_pages_show_one_moment(api: ApiServer, http: aiohttp.ClientSession) -> None:
    _create(api.store, "a", "b", "c")
    first = await (await http.get(f"{PODS}?limit=2")).json()
    assert [item["metadata"]["name"] for item in first["items"]] == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 1
    api.store.delete(api.store.kind("v1", "pods"), "shop", "c")
    _create(api.store, "bb", "d")
    token = first["metadata"]["continue"]
    second = await (await http.get(f"{PODS}?limit=2&continue={token}")).json()
    assert [item["metadata"]["name"] for item in second["items"]] == ["c"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert "continue" not in second["metadata"]
    api.store.compact()
    assert (await http.get(f"{PODS}?limit=2&continue={token}")).status == 410


async def test_an_exact_version_lists_the_past(api: ApiServer, http: aiohttp.ClientSession) -> None:
    _create(api.store, "a")
    then = api.store.revision
    _create(api.store, "b")
    api.store.delete(api.store.kind("v1", "pods"), "shop", "a")
    past = await (await http.get(f"{PODS}?resourceVersion={then}&resourceVersionMatch=Exact")).json()
    assert [item["metadata"]["name"] for item in past["items"]] == ["a"]


async def test_a_list_is_sorted_across_namespaces(api: ApiServer, http: aiohttp.ClientSession) -> None:
    making.namespace(api.store, "a-shop")
    _create(api.store, "b", "a")
    api.store.create(api.store.kind("v1", "pods"), "a-shop", making.pod("z"))
    found = await (await http.get("/api/v1/pods")).json()
    assert [item["metadata"]["name"] for item in found["items"]] == ["z", "a", "b"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json;as=Table;v=v1;g=meta.k8s.io", "Table"),
        ("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "PartialObjectMetadata"),
    ],
)
async def test_a_watch_in_other_forms(accept: str, kind: str, api: ApiServer, http: aiohttp.ClientSession) -> None:
    _create(api.store, "a", "b")
    async with _watching(http, "", Accept=accept) as following:
        first, second = await following(), await following()
    assert first["object"]["kind"] == second["object"]["kind"] == kind
    if kind == "Table":
        assert [len(event["object"]["columnDefinitions"]) > 0 for event in (first, second)] == [True, False]
        assert first["object"]["rows"][0]["cells"][0] == "a"


async def test_both_event_apis_show_one_event(api: ApiServer, http: aiohttp.ClientSession) -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "a", "namespace": "shop"},
        "reason": "Started",
        "message": "hello",
        "type": "Normal",
    }
    await http.post("/api/v1/namespaces/shop/events", json=event)
    modern = await (await http.get("/apis/events.k8s.io/v1/namespaces/shop/events/e")).json()
    assert (modern["apiVersion"], modern["note"], modern["regarding"]["name"]) == ("events.k8s.io/v1", "hello", "a")
    listed = await (await http.get("/api/v1/namespaces/shop/events?fieldSelector=involvedObject.name%3Da")).json()
    assert [item["message"] for item in listed["items"]] == ["hello"]
