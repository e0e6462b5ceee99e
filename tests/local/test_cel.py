"""CEL rules of definitions: what they evaluate to, what they cannot, and what the server makes of them."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from podtide.local import cel
from podtide.local.server import ApiServer
from tests.local import making

_SELF = {"min": 2, "max": 5, "name": "web-1", "list": [1, 2, 3], "map": {"a": 1}, "ratio": 0.5, "none": None}


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("self.min <= self.max", True),
        ("self.min + 1 * 3 == self.max", True),
        ("(self.min + 1) * 3 == 9", True),
        ("self.max - 1 - 1 == 3", True),
        ("-7 / 2 == -3 && -7 % 2 == -1", True),
        ("has(self.min) && !has(self.other)", True),
        ("(has(self.other) ? self.other : 1) <= self.max", True),
        ("!has(self.other) || self.other > 0", True),
        ("self.other > 0 || true", True),
        ("self.other > 0 && false", False),
        ("self.name == 'web-1' && self.name != \"x\"", True),
        ("self.name.startsWith('web') && self.name.endsWith('1') && self.name.contains('b-')", True),
        ("self.name.matches('^[a-z]+-[0-9]+$')", True),
        ("size(self.list) == 3 && self.list.size() == 3 && size(self.name) == 5", True),
        ("self.list[0] == 1 && self.map['a'] == 1", True),
        ("self.list.all(x, x > 0) && self.list.exists(x, x == 2) && self.list.exists_one(x, x > 2)", True),
        ("self.list.all(x, x < self.min)", False),
        ("2 in self.list && 'a' in self.map && !('b' in self.map)", True),
        ("self.name in ['a', 'web-1']", True),
        ("self.ratio < 1.0", True),
        ("self.none == null", True),
        ("true ? false : true", False),
    ],
)
def test_values(rule: str, *, value: bool) -> None:
    assert cel.compiled(rule)({"self": _SELF}) is value


@pytest.mark.parametrize(
    "rule", ["self.other > 0", "self.name > 1", "self.list[9] == 1", "self.min / 0 == 1", "self.min && true"]
)
def test_what_has_no_value(rule: str) -> None:
    with pytest.raises(cel.Undefined):
        cel.compiled(rule)({"self": _SELF})


@pytest.mark.parametrize(
    "rule", ["self.min <", "duration('1s')", "self.list.map(x, x)", "self.min # 1", "(1", "1 2", ""]
)
def test_what_is_not_supported(rule: str) -> None:
    with pytest.raises(cel.NotSupported):
        cel.compiled(rule)


def _schema(*rules: dict[str, str]) -> dict[str, Any]:
    spec = {
        "type": "object",
        "properties": {"count": {"type": "integer"}, "limit": {"type": "integer"}},
        "x-kubernetes-validations": list(rules),
    }
    return {"type": "object", "properties": {"spec": spec}}


async def test_a_broken_rule_is_refused_with_its_message(api: ApiServer, http: aiohttp.ClientSession) -> None:
    rules = (
        {"rule": "self.count <= self.limit", "message": "count must not be above limit"},
        {"rule": "self.limit >= oldSelf.limit", "message": "limit must not fall"},
    )
    making.define(api.store, schema=_schema(*rules))
    path = "/apis/toys.example.com/v1/namespaces/shop/gadgets"
    refused = await http.post(path, json=making.gadget(count=3, limit=2))
    assert refused.status == 422
    assert (await refused.json())["details"]["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": 'Invalid value: "object": count must not be above limit',
            "field": "spec",
        }
    ]
    undefined = await http.post(path, json=making.gadget(count=3))
    assert "no such key: limit" in (await undefined.json())["message"]
    assert (await http.post(path, json=making.gadget(count=3, limit=4))).status == 201
    merge = {"Content-Type": "application/merge-patch+json"}
    fallen = await http.patch(f"{path}/one", json={"spec": {"limit": 3}}, headers=merge)
    assert "limit must not fall" in (await fallen.json())["message"]
    assert (await http.patch(f"{path}/one", json={"spec": {"limit": 5}}, headers=merge)).status == 200


async def test_a_rule_that_cannot_be_evaluated_is_refused_with_its_definition(http: aiohttp.ClientSession) -> None:
    body = making.definition(_schema({"rule": "self.count.isSorted()"}))
    refused = await http.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=body)
    assert refused.status == 422
    assert "function 'isSorted' is not supported" in (await refused.json())["message"]
