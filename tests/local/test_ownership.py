"""Server-side apply: who owns what, what conflicts, what goes when it is no longer applied."""

from __future__ import annotations

from typing import Any

import pytest

from podtide.local.admission import Write
from podtide.local.refusals import Refusal
from podtide.local.store import Store
from tests.local import making

Object = dict[str, Any]


def _apply(store: Store, manager: str, body: Object, *, force: bool = False) -> Object:
    kind = store.kind("apps/v1", "deployments")
    write = Write(manager, applies=True, force=force)
    return store.apply(kind, "shop", "web", {"metadata": {"name": "web"}, **body}, write).read()


def _owners(body: Object, *path: str) -> list[str]:
    found = []
    for entry in body["metadata"]["managedFields"]:
        node = entry["fieldsV1"]
        for step in path:
            node = node.get(step) if node is not None else None
        if node is not None:
            found.append(entry["manager"])
    return found


_REPLICAS = ("f:spec", "f:replicas")


def test_apply_creates(store: Store) -> None:
    body = _apply(store, "a", making.workload() | {"metadata": {"name": "web", "labels": {"x": "y"}}})
    assert body["metadata"]["labels"] == {"x": "y"}
    assert _owners(body, *_REPLICAS) == ["a"]
    assert body["spec"]["template"]["spec"]["restartPolicy"] == "Always"


def test_another_owners_field_is_a_conflict_and_can_be_forced(store: Store) -> None:
    _apply(store, "a", making.workload())
    with pytest.raises(Refusal, match=r'conflict with "a" using apps/v1: \.spec\.replicas') as refused:
        _apply(store, "b", {"spec": {"replicas": 7}})
    assert refused.value.code == 409
    body = _apply(store, "b", {"spec": {"replicas": 7}}, force=True)
    assert body["spec"]["replicas"] == 7
    assert _owners(body, *_REPLICAS) == ["b"]


def test_agreeing_is_sharing(store: Store) -> None:
    _apply(store, "a", making.workload())
    body = _apply(store, "b", {"spec": {"replicas": 2}})
    assert sorted(_owners(body, *_REPLICAS)) == ["a", "b"]


def test_what_is_no_longer_applied_goes(store: Store) -> None:
    first = making.workload()
    first["metadata"]["annotations"] = {"x": "1", "y": "2"}
    _apply(store, "a", first)
    second = making.workload()
    second["metadata"]["annotations"] = {"x": "1"}
    assert _apply(store, "a", second)["metadata"]["annotations"] == {"x": "1"}


def test_lists_with_keys_are_owned_by_item(store: Store) -> None:
    _apply(store, "a", making.workload())
    more = {"name": "sidecar", "image": "proxy:1"}
    body = _apply(store, "b", {"spec": {"template": {"spec": {"containers": [more]}}}})
    assert [one["name"] for one in body["spec"]["template"]["spec"]["containers"]] == ["c", "sidecar"]
    body = _apply(store, "b", {"spec": {"replicas": 2}})
    assert [one["name"] for one in body["spec"]["template"]["spec"]["containers"]] == ["c"]


def test_an_update_takes_what_it_changes(store: Store) -> None:
    _apply(store, "a", making.workload())
    kind = store.kind("apps/v1", "deployments")

    def change(body: Object) -> Object:
        body["spec"]["replicas"] = 4
        return body

    body = store.patch(kind, "shop", "web", change, Write("c")).read()
    assert _owners(body, *_REPLICAS) == ["c"]


def test_a_scaler_that_applies_the_scale_owns_replicas_only(store: Store) -> None:
    kind = store.kind("apps/v1", "deployments")
    _apply(store, "a", making.workload())
    scale = {"metadata": {"name": "web"}, "spec": {"replicas": 6}}
    write = Write("podtide", sub="scale", applies=True, force=True)
    body = store.apply(kind, "shop", "web", scale, write).read()
    entry = next(entry for entry in body["metadata"]["managedFields"] if entry["manager"] == "podtide")
    assert (entry["fieldsV1"], entry["subresource"]) == ({"f:spec": {"f:replicas": {}}}, "scale")
    assert body["spec"]["replicas"] == 6


def test_applying_the_same_again_changes_nothing(store: Store) -> None:
    _apply(store, "a", making.workload())
    before = store.revision
    _apply(store, "a", making.workload())
    assert store.revision == before
