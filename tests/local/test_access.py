"""Tokens and RBAC: a role suffices, one verb less does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from podtide.local import access
from podtide.local.server import ApiServer
from tests.local import making

Object = dict[str, Any]
_RBAC = "rbac.authorization.k8s.io/v1"


@pytest.fixture
async def guarded() -> AsyncIterator[ApiServer]:
    """A server with RBAC on."""
    async with ApiServer(tokens={"root": access.ADMIN, "eve": access.User("eve")}) as api:
        making.namespace(api.store)
        yield api


def _grant(api: ApiServer, rules: list[Object], *, cluster: bool = False) -> None:
    """Binds rules to the ServiceAccount shop/robot."""
    prefix, namespace = ("cluster", "") if cluster else ("", "shop")
    kind = "ClusterRole" if cluster else "Role"
    subject = {"kind": "ServiceAccount", "name": "robot", "namespace": "shop"}
    store = api.store
    store.create(store.kind(_RBAC, f"{prefix}roles"), namespace, {"metadata": {"name": "r"}, "rules": rules})
    binding = {
        "metadata": {"name": "b"},
        "subjects": [subject],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "r"},
    }
    store.create(store.kind(_RBAC, f"{prefix}rolebindings"), namespace, binding)


def _rule(verbs: str, resources: str, group: str = "", **more: Any) -> Object:
    return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split(), **more}


def _client(api: ApiServer, token: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(api.url, headers={"Authorization": f"Bearer {token}"})


async def _status(api: ApiServer, method: str, path: str, **options: Any) -> int:
    async with _client(api, api.token("shop", "robot")) as http:
        return (await http.request(method, path, **options)).status


PODS = "/api/v1/namespaces/shop/pods"
SCALE = "/apis/apps/v1/namespaces/shop/deployments/web/scale"
_MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.mark.parametrize(
    ("verbs", "status"), [("get list watch", 200), ("list", 200), ("get watch", 403), ("", 403), ("*", 200)]
)
async def test_listing_takes_the_list_verb(verbs: str, status: int, guarded: ApiServer) -> None:
    _grant(guarded, [_rule(verbs, "pods")])
    assert await _status(guarded, "GET", PODS) == status


async def test_a_subresource_is_a_resource_of_its_own(guarded: ApiServer) -> None:
    store = guarded.store
    store.create(store.kind("apps/v1", "deployments"), "shop", making.workload())
    _grant(guarded, [_rule("get patch", "deployments", "apps"), _rule("get", "deployments/scale", "apps")])
    assert await _status(guarded, "GET", SCALE) == 200
    body = {"json": {"spec": {"replicas": 3}}, "headers": _MERGE}
    assert await _status(guarded, "PATCH", SCALE, **body) == 403
    assert await _status(guarded, "PATCH", SCALE.removesuffix("/scale"), **body) == 200


async def test_any_scale_can_be_granted(guarded: ApiServer) -> None:
    store = guarded.store
    store.create(store.kind("apps/v1", "deployments"), "shop", making.workload())
    _grant(guarded, [_rule("get patch", "*/scale", "*")], cluster=True)
    assert await _status(guarded, "PATCH", SCALE, json={"spec": {"replicas": 3}}, headers=_MERGE) == 200
    assert await _status(guarded, "GET", SCALE.removesuffix("/scale")) == 403


async def test_a_role_holds_in_its_namespace_only(guarded: ApiServer) -> None:
    _grant(guarded, [_rule("list", "pods")])
    assert await _status(guarded, "GET", PODS) == 200
    assert await _status(guarded, "GET", "/api/v1/namespaces/default/pods") == 403
    assert await _status(guarded, "GET", "/api/v1/pods") == 403


async def test_a_rule_can_name_objects(guarded: ApiServer) -> None:
    store = guarded.store
    for name in ("mine", "yours"):
        store.create(store.kind("v1", "secrets"), "shop", {"metadata": {"name": name}})
    _grant(guarded, [_rule("get", "secrets", resourceNames=["mine"])])
    assert await _status(guarded, "GET", "/api/v1/namespaces/shop/secrets/mine") == 200
    assert await _status(guarded, "GET", "/api/v1/namespaces/shop/secrets/yours") == 403


async def test_a_role_taken_back_is_gone_at_once(guarded: ApiServer) -> None:
    _grant(guarded, [_rule("list", "pods")])
    async with _client(guarded, guarded.token("shop", "robot")) as http:
        assert (await http.get(PODS)).status == 200
        guarded.store.delete(guarded.store.kind(_RBAC, "rolebindings"), "shop", "b")
        assert (await http.get(PODS)).status == 403


async def test_what_everybody_may(guarded: ApiServer) -> None:
    async with _client(guarded, "eve") as http:
        for path in ("/api", "/apis/apps/v1", "/version", "/healthz"):
            assert (await http.get(path)).status == 200
        forbidden = await http.get(PODS)
        assert forbidden.status == 403
        told = 'User "eve" cannot list resource "pods" in API group "" in the namespace "shop"'
        assert told in (await forbidden.json())["message"]
    async with aiohttp.ClientSession(guarded.url) as http:
        assert (await http.get("/version")).status == 200
        assert (await http.get("/apis")).status == 403


async def test_reviews_answer_for_the_asker_and_for_others(guarded: ApiServer) -> None:
    _grant(guarded, [_rule("list", "pods")])
    asked = {"resourceAttributes": {"verb": "list", "resource": "pods", "namespace": "shop"}}
    own = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    async with _client(guarded, guarded.token("shop", "robot")) as http:
        assert (await (await http.post(own, json={"spec": asked})).json())["status"] == {"allowed": True}
    async with _client(guarded, "eve") as http:
        assert (await (await http.post(own, json={"spec": asked})).json())["status"] == {"allowed": False}
    about = {**asked, "user": "system:serviceaccount:shop:robot"}
    others = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    async with _client(guarded, "root") as http:
        assert (await (await http.post(others, json={"spec": about})).json())["status"] == {"allowed": True}


async def test_a_service_account_gets_tokens(guarded: ApiServer) -> None:
    store = guarded.store
    store.create(store.kind("v1", "serviceaccounts"), "shop", {"metadata": {"name": "robot"}})
    _grant(guarded, [_rule("list", "pods")])
    async with _client(guarded, "root") as http:
        asked = await http.post("/api/v1/namespaces/shop/serviceaccounts/robot/token", json={"spec": {}})
        token = (await asked.json())["status"]["token"]
    async with _client(guarded, token) as http:
        assert (await http.get(PODS)).status == 200
