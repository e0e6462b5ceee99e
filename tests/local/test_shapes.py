"""Nonsense from clients is refused with a 4xx that says where it is; it never breaks the server."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from podtide.local.refusals import Refusal
from podtide.local.store import Store
from tests.local import making

_PLURALS = {
    "pods": ("v1", making.pod()),
    "deployments": ("apps/v1", making.workload()),
    "statefulsets": ("apps/v1", making.workload("StatefulSet")),
    "secrets": ("v1", {"metadata": {"name": "a"}, "data": {"x": "eA=="}, "stringData": {"y": "z"}}),
    "events": ("v1", {"metadata": {"name": "a"}, "involvedObject": {"namespace": "shop"}}),
    "roles": ("rbac.authorization.k8s.io/v1", {"metadata": {"name": "a"}, "rules": [{"verbs": ["get"]}]}),
    "customresourcedefinitions": ("apiextensions.k8s.io/v1", making.definition()),
}


def _paths(node: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [here, *(path for key, inner in items for path in _paths(inner, (*here, key)))]


def _with(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    inner = _with(node[path[0]], path[1:], value)
    if isinstance(node, dict):
        return {**node, path[0]: inner}
    return [*node[: path[0]], inner, *node[path[0] + 1 :]]


@settings(max_examples=400, deadline=None)
@given(
    plural=some.sampled_from(sorted(_PLURALS)),
    data=some.data(),
    value=some.sampled_from([None, "x", 7, -1, 1.5, True, [], {}, ["x"], {"x": 1}, [None], [7], {"x": None}]),
)
def test_any_value_anywhere_is_taken_or_refused(plural: str, data: some.DataObject, value: Any) -> None:
    version, good = _PLURALS[plural]
    path = data.draw(some.sampled_from(_paths(good)[1:]))
    store = Store()
    making.namespace(store)
    kind = store.kind(version, plural)
    body = _with(good, path, value)
    try:
        made = store.create(kind, "shop" if kind.namespaced else "", body)
    except Refusal as refusal:
        if not 400 <= refusal.code < 500:
            raise
    else:
        assert store.get(kind, made.namespace, made.name).read()["metadata"]["uid"]


@pytest.mark.parametrize(
    ("body", "code"),
    [("{", 400), ("[]", 400), ('"x"', 400), ('{"metadata": 7}', 400), ('{"kind": "Secret"}', 400), ("{}", 422)],
)
async def test_bodies_that_are_no_pod(body: str, code: int, http: aiohttp.ClientSession) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await http.post("/api/v1/namespaces/shop/pods", data=body, headers=headers)
    assert answer.status == code
    assert (await answer.json())["kind"] == "Status"


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", "/api/v1/namespaces/shop/pods/x", 405),
        ("PUT", "/api/v1/namespaces/shop/pods", 405),
        ("GET", "/api/v1/namespaces/shop/nothings", 404),
        ("GET", "/api/v1/namespaces/shop/nodes", 404),
        ("GET", "/api/v1/namespaces/shop/pods/x/exec", 404),
        ("GET", "/api/v1/pods?limit=many", 400),
        ("GET", "/api/v1/pods?watch=true&timeoutSeconds=soon", 400),
        ("GET", "/api/v1/pods?resourceVersionMatch=Exact", 400),
        ("DELETE", "/api/v1/namespaces/shop/pods/x?gracePeriodSeconds=soon", 400),
    ],
)
async def test_requests_that_make_no_sense(method: str, path: str, code: int, http: aiohttp.ClientSession) -> None:
    answer = await http.request(method, path)
    assert answer.status == code
    assert (await answer.json())["code"] == code


async def test_a_form_nobody_can_give(http: aiohttp.ClientSession) -> None:
    answer = await http.get("/api/v1/pods", headers={"Accept": "application/vnd.kubernetes.protobuf"})
    assert answer.status == 406
