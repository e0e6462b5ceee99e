"""Structural schemas: what is pruned, filled in and refused, and how custom resources behave over HTTP."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from podtide.local import schema
from podtide.local.server import ApiServer
from tests.local import making

_GADGET = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["count"],
            "properties": {
                "count": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 9},
                "mode": {"type": "string", "enum": ["On", "Off"], "default": "On"},
                "names": {"type": "array", "maxItems": 2, "items": {"type": "string", "minLength": 2}},
                "port": {"x-kubernetes-int-or-string": True},
                "limits": {"type": "object", "additionalProperties": {"type": "number"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "pairs": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["key"],
                    "items": {"type": "object", "properties": {"key": {"type": "string"}, "n": {"type": "integer"}}},
                },
                "since": {"type": "string", "format": "date-time"},
            },
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        pytest.param({}, ["spec.count: Required value"], id="missing"),
        pytest.param({"count": 10}, ["spec.count in body should be less than or equal to 9"], id="too large"),
        pytest.param({"count": -1}, ["spec.count in body should be greater than or equal to 0"], id="too small"),
        pytest.param({"count": "1"}, ['must be of type integer: "string"'], id="a string"),
        pytest.param({"count": True}, ['must be of type integer: "boolean"'], id="a boolean is no integer"),
        pytest.param({"count": 1.5}, ['must be of type integer: "number"'], id="a fraction"),
        pytest.param({"count": 1.0}, [], id="a whole float is an integer"),
        pytest.param({"count": 1, "mode": "Maybe"}, ['supported values: "On", "Off"'], id="no such choice"),
        pytest.param({"count": 1, "names": ["ab", "c"]}, ["spec.names[1] in body should be at least 2"], id="short"),
        pytest.param({"count": 1, "names": ["ab"] * 3}, ["must have at most 2 items"], id="too many"),
        pytest.param({"count": 1, "port": "web"}, [], id="int or string"),
        pytest.param({"count": 1, "port": 1.5}, ["must be of type integer"], id="neither int nor string"),
        pytest.param({"count": 1, "limits": {"a": "x"}}, ["spec.limits.a in body must be of type number"], id="values"),
        pytest.param({"count": 1, "pairs": [{"key": "a"}, {"key": "a"}]}, ["Duplicate value"], id="duplicates"),
        pytest.param({"count": 1, "since": "yesterday"}, ["must be of type date-time"], id="no date"),
        pytest.param({"count": 99, "mode": 1}, ["less than", "type string"], id="every problem is told"),
    ],
)
def test_validation(spec: Any, told: list[str]) -> None:
    causes = [str(cause) for cause in schema.validate({"spec": spec}, _GADGET)]
    assert len(causes) == len(told), causes
    assert all(part in cause for part, cause in zip(told, causes, strict=True)), causes


def test_defaults_fill_what_is_absent_or_null() -> None:
    given: list[dict[str, Any]] = [{"count": 1}, {"count": 1, "mode": None}]
    for spec in given:
        body = {"spec": spec}
        schema.default(body, _GADGET)
        assert body["spec"]["mode"] == "On"


def test_unknown_fields_are_pruned_but_not_where_they_are_welcome() -> None:
    body = {"metadata": {"x": 1}, "spec": {"count": 1, "other": 2, "free": {"a": 1}, "pairs": [{"key": "a", "z": 1}]}}
    assert schema.prune(body, _GADGET) == ["spec.other", "spec.pairs[0].z"]
    assert body == {"metadata": {"x": 1}, "spec": {"count": 1, "free": {"a": 1}, "pairs": [{"key": "a"}]}}


async def test_a_custom_resource_lives_with_its_definition(api: ApiServer, http: aiohttp.ClientSession) -> None:
    path = "/apis/toys.example.com/v1/namespaces/shop/gadgets"
    assert (await http.get(path)).status == 404
    making.define(api.store, schema=_GADGET)
    made = await http.post(path, json=making.gadget(count=1, other=2))
    assert made.status == 201
    body = await made.json()
    assert body["spec"] == {"count": 1, "mode": "On"}
    assert body["metadata"]["generation"] == 1
    strict = await http.post(f"{path}?fieldValidation=Strict", json=making.gadget("two", count=1, other=2))
    assert strict.status == 400
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert (await http.delete(f"{crds}/gadgets.toys.example.com")).status == 200
    assert (await http.get(path)).status == 404


async def test_a_custom_scale_follows_the_definitions_paths(api: ApiServer, http: aiohttp.ClientSession) -> None:
    making.define(api.store, scale=True)
    path = "/apis/toys.example.com/v1/namespaces/shop/gadgets"
    await http.post(path, json=making.gadget(count=3))
    merge = {"Content-Type": "application/merge-patch+json"}
    status = {"status": {"count": 2, "selector": "app=one"}}
    await http.patch(f"{path}/one/status", json=status, headers=merge)
    scale = await (await http.get(f"{path}/one/scale")).json()
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (scale["spec"], scale["status"]) == ({"replicas": 3}, {"replicas": 2, "selector": "app=one"})
    await http.patch(f"{path}/one/scale", json={"spec": {"replicas": 5}}, headers=merge)
    body = await (await http.get(f"{path}/one")).json()
    assert (body["spec"]["count"], body["metadata"]["generation"]) == (5, 2)


async def test_an_update_of_a_custom_resource_needs_its_version(api: ApiServer, http: aiohttp.ClientSession) -> None:
    making.define(api.store)
    path = "/apis/toys.example.com/v1/namespaces/shop/gadgets"
    await http.post(path, json=making.gadget(count=3))
    answer = await http.put(f"{path}/one", json=making.gadget(count=4))
    assert answer.status == 422
    assert "must be specified for an update" in (await answer.json())["message"]
