"""The rules of writes: versions, generations, names, finalizers, grace, owners."""

from __future__ import annotations

from typing import Any

import pytest

from podtide.local.admission import Write
from podtide.local.refusals import Refusal
from podtide.local.server import ApiServer
from podtide.local.store import Store
from tests.local import making

Object = dict[str, Any]


def _pods(store: Store) -> Any:
    return store.kind("v1", "pods")


def test_a_write_that_changes_nothing_keeps_the_version(store: Store) -> None:
    made = store.create(_pods(store), "shop", making.pod())
    again = store.patch(_pods(store), "shop", "web-0", lambda body: body)
    assert again.revision == made.revision == store.revision


def test_what_is_read_is_a_private_copy(store: Store) -> None:
    store.create(_pods(store), "shop", making.pod())
    store.get(_pods(store), "shop", "web-0").read()["metadata"]["labels"]["app"] = "changed"
    assert store.get(_pods(store), "shop", "web-0").read()["metadata"]["labels"] == {"app": "web"}


def test_a_dry_run_answers_and_keeps_nothing(store: Store) -> None:
    before = store.revision
    made = store.create(_pods(store), "shop", making.pod(), Write(dry_run=True))
    assert made.read()["spec"]["restartPolicy"] == "Always"
    assert "resourceVersion" not in made.read()["metadata"]
    assert store.revision == before
    assert store.collection(_pods(store)).current() == []


def test_names_are_generated(store: Store) -> None:
    body = making.pod()
    body["metadata"] = {"generateName": "web-"}
    names = {store.create(_pods(store), "shop", {**body, "metadata": dict(body["metadata"])}).name for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("web-") and len(name) == 9 for name in names)


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        pytest.param({"metadata": {}}, 422, "name or generateName is required", id="no name"),
        pytest.param({"metadata": {"name": "Web_0"}}, 422, "RFC 1123", id="a name that is none"),
        pytest.param({"metadata": {"name": "a", "namespace": "other"}}, 400, "does not match", id="another namespace"),
        pytest.param(
            {"metadata": {"name": "a"}, "spec": {}}, 422, "spec.containers: Required value", id="no container"
        ),
        pytest.param({"metadata": {"name": "a", "labels": {"x": 1}}, "spec": {}}, 400, "labels.x", id="label no text"),
    ],
)
def test_bad_pods_are_refused(body: Object, code: int, told: str, store: Store) -> None:
    with pytest.raises(Refusal, match=told) as refused:
        store.create(_pods(store), "shop", body)
    assert refused.value.code == code


def test_a_namespace_must_exist(store: Store) -> None:
    with pytest.raises(Refusal, match='namespaces "ghost" not found') as refused:
        store.create(_pods(store), "ghost", making.pod())
    assert refused.value.code == 404


def test_a_pods_containers_cannot_be_swapped(store: Store) -> None:
    store.create(_pods(store), "shop", making.pod())

    def change(body: Object) -> Object:
        body["spec"]["containers"][0]["command"] = ["sh"]
        return body

    with pytest.raises(Refusal, match="pod updates may not change fields other than"):
        store.patch(_pods(store), "shop", "web-0", change)


def test_status_and_spec_are_written_apart(store: Store) -> None:
    kind = store.kind("apps/v1", "deployments")
    store.create(kind, "shop", making.workload())

    def change(body: Object) -> Object:
        body["spec"]["replicas"] = 9
        body["status"] = {"replicas": 5}
        return body

    after = store.patch(kind, "shop", "web", change, Write(sub="status")).read()
    assert (after["spec"]["replicas"], after["status"], after["metadata"]["generation"]) == (2, {"replicas": 5}, 1)
    after = store.patch(kind, "shop", "web", change).read()
    assert (after["spec"]["replicas"], after["status"], after["metadata"]["generation"]) == (9, {"replicas": 5}, 2)


def test_finalizers_hold_an_object(store: Store) -> None:
    kind = store.kind("v1", "configmaps")
    store.create(kind, "shop", {"metadata": {"name": "a", "finalizers": ["example.com/hold"]}})
    left = store.delete(kind, "shop", "a")
    assert left is not None
    assert "deletionTimestamp" in left.read()["metadata"]

    def release(body: Object) -> Object:
        body["metadata"]["finalizers"] = []
        return body

    store.patch(kind, "shop", "a", release)
    with pytest.raises(Refusal, match="not found"):
        store.get(kind, "shop", "a")


def test_a_running_pod_gets_its_grace(store: Store) -> None:
    body = making.pod()
    body["spec"]["nodeName"] = "node-0"
    store.create(_pods(store), "shop", body)
    left = store.delete(_pods(store), "shop", "web-0", {"gracePeriodSeconds": 5})
    assert left is not None
    assert left.read()["metadata"]["deletionGracePeriodSeconds"] == 5
    assert store.delete(_pods(store), "shop", "web-0", {"gracePeriodSeconds": 0}) is None


def test_deleting_the_wrong_object_is_a_conflict(store: Store) -> None:
    store.create(_pods(store), "shop", making.pod())
    with pytest.raises(Refusal, match="Precondition failed") as refused:
        store.delete(_pods(store), "shop", "web-0", {"preconditions": {"uid": "another"}})
    assert refused.value.code == 409


async def test_what_nothing_owns_is_collected(api: ApiServer) -> None:
    store = api.store
    sets, pods = store.kind("apps/v1", "replicasets"), _pods(store)
    owner = store.create(sets, "shop", making.workload("ReplicaSet"))
    for name in ("a", "b"):
        body = making.pod(name)
        reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": owner.uid}
        body["metadata"]["ownerReferences"] = [reference]
        store.create(pods, "shop", body)
    store.delete(sets, "shop", "web")
    await making.until(store, lambda: not store.collection(pods).current("shop"))


@pytest.mark.parametrize(("policy", "left"), [("Orphan", ["a"]), ("Foreground", [])])
async def test_dependents_follow_the_policy(policy: str, left: list[str], api: ApiServer) -> None:
    store = api.store
    sets, pods = store.kind("apps/v1", "replicasets"), _pods(store)
    owner = store.create(sets, "shop", making.workload("ReplicaSet"))
    body = making.pod("a")
    body["metadata"]["ownerReferences"] = [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": owner.uid, "blockOwnerDeletion": True}
    ]
    store.create(pods, "shop", body)
    store.delete(sets, "shop", "web", {"propagationPolicy": policy})
    await making.until(store, lambda: not store.collection(sets).current("shop"))
    assert [pod.name for pod in store.collection(pods).current("shop")] == left


async def test_a_namespace_takes_its_contents_along(api: ApiServer) -> None:
    store = api.store
    store.create(_pods(store), "shop", making.pod())
    spaces = store.kind("v1", "namespaces")
    store.delete(spaces, "", "shop")
    with pytest.raises(Refusal, match="because it is being terminated"):
        store.create(_pods(store), "shop", making.pod("late"))
    await making.until(store, lambda: ("", "shop") not in store.collection(spaces).items)
    assert store.collection(_pods(store)).current() == []
