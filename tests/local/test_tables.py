"""Tables: ages, JSON paths and the columns of definitions."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from podtide.local import columns, tables
from podtide.local.server import ApiServer
from tests.local import making


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (600, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 300, "3h5m"),
        (26 * 3600, "26h"),
        (3 * 86400, "3d"),
        (3 * 86400 + 7200, "3d2h"),
        (400 * 86400, "400d"),
        (800 * 86400, "2y70d"),
        (-5, "0s"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert columns.age(seconds) == text


_BODY = {
    "spec": {"names": ["a", "b"], "a.b": 1},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Paused", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.names[1]", "b"),
        (".spec.names[*]", "a"),
        (".spec.a\\.b", 1),
        (".spec['a.b']", 1),
        ('.status.conditions[?(@.type=="Paused")].status', "False"),
        (".status.conditions[?(@.type == 'Ready')].status", "True"),
        (".status.nothing.here", None),
        (".spec.names[7]", None),
    ],
)
def test_json_paths(path: str, found: Any) -> None:
    assert tables.first(_BODY, path) == found


async def test_a_definitions_columns(api: ApiServer, http: aiohttp.ClientSession) -> None:
    shown = [
        {"name": "Count", "type": "integer", "jsonPath": ".spec.count"},
        {"name": "Names", "type": "string", "jsonPath": ".spec.names", "priority": 1},
    ]
    making.define(api.store, columns=shown)
    path = "/apis/toys.example.com/v1/namespaces/shop/gadgets"
    await http.post(path, json=making.gadget(count=3, names=["a", "b"]))
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    table = await (await http.get(f"{path}?includeObject=None", headers=accept)).json()
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Count", "Names"]
    assert table["rows"] == [{"cells": ["one", 3, '["a","b"]']}]
