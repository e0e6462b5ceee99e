"""Targets of any kind: found by discovery, seen through owners of owners, scaled where they keep their size."""

import asyncio
from typing import Any

import pytest

from podtide.core.model.decision import Outcome
from podtide.core.model.spec import TargetRef
from podtide.core.model.view import TargetView
from podtide.kube import objects, resources
from podtide.kube.informers import Informers
from podtide.kube.resources import Resource
from podtide.local.faults import Fault
from podtide.targets.base import Target
from podtide.targets.registry import Targets
from tests import cluster
from tests.cluster import Cluster
from tests.targets import kinds
from tests.targets.specs import decision, spec

Object = dict[str, Any]


def ref(resource: Resource, **more: Any) -> TargetRef:
    return TargetRef(resource.api_version, resource.kind, "web", **more)


async def create(world: Cluster, resource: Resource, body: Object) -> Object:
    """Create an object and return the reference that makes it a controller."""
    meta = (await world.other.create(resource, "default", body, into=objects.Partial)).metadata
    return cluster.owner(resource.kind, meta.name, meta.uid, resource.api_version)


async def pod(world: Cluster, name: str, owner: Object, **labels: str) -> None:
    body = cluster.pod(name, owner)
    body["metadata"]["labels"] = {key.replace("__", "/").replace("_", "-"): value for key, value in labels.items()}
    await world.other.create(resources.PODS, "default", body, into=objects.Partial)


async def until(subject: Target, *pods: str, **expected: Any) -> TargetView:
    """The first view with these pods and fields."""
    view = None
    try:
        async with asyncio.timeout(10):
            while True:
                view = await subject.view(1.0)
                if sorted(found.name for found in view.pods) == sorted(pods) and all(
                    getattr(view, name) == value for name, value in expected.items()
                ):
                    return view
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"it never got there: {view}") from None


async def test_a_kind_that_keeps_its_size_elsewhere_is_asked_only_on_change(
    world: Cluster, informers: Informers
) -> None:
    await kinds.define(world.other, kinds.ENGINES)
    await create(world, kinds.ENGINES, kinds.manifest(kinds.ENGINES, "web", workers={"count": 2}))
    subject = Targets(informers).for_spec(spec(ref(kinds.ENGINES)))
    view = await until(subject, replicas=2)
    asked = world.api.faults.add(Fault(agent="podtide", verbs=("get",), resource=kinds.ENGINES.name))
    for _ in range(5):
        await subject.view(1.0)
    assert asked.hits == 0

    assert (await subject.apply(decision(view, 5))).outcome is Outcome.PATCHED
    stored = await world.other.get(kinds.ENGINES, "default", "web", into=dict[str, Any])
    assert stored["spec"]["workers"]["count"] == 5
    change = {"spec": {"workers": {"count": 3}}}
    await world.other.patch(kinds.ENGINES, "default", "web", change, into=dict[str, Any])
    await until(subject, replicas=3)


async def test_an_operators_own_kind_owns_pods_through_a_deployment(world: Cluster, informers: Informers) -> None:
    await kinds.define(world.other, kinds.ENGINES)
    top = await create(world, kinds.ENGINES, kinds.manifest(kinds.ENGINES, "web", workers={"count": 1}))
    body = cluster.deployment("web-engine")
    body["metadata"]["ownerReferences"] = [top]
    below = await create(world, resources.DEPLOYMENTS, body)
    rs = await create(world, resources.REPLICA_SETS, cluster.replica_set("web-engine-1", below))
    await pod(world, "mine", rs)
    other = await create(world, resources.REPLICA_SETS, cluster.replica_set("other"))
    await pod(world, "not-mine", other)
    await until(Targets(informers).for_spec(spec(ref(kinds.ENGINES))), "mine")


async def test_a_rollout_owns_replica_sets_as_a_deployment_does(world: Cluster, informers: Informers) -> None:
    await kinds.define(world.other, kinds.ROLLOUTS)
    top = await create(world, kinds.ROLLOUTS, kinds.manifest(kinds.ROLLOUTS, "web", replicas=2))
    old = await create(world, resources.REPLICA_SETS, cluster.replica_set("old", top))
    await pod(world, "a", old)
    subject = Targets(informers).for_spec(spec(ref(kinds.ROLLOUTS)))
    await until(subject, "a", replicas=2)
    # A rollout: another ReplicaSet, pods that come and go.
    new = await create(world, resources.REPLICA_SETS, cluster.replica_set("new", top))
    await pod(world, "b", new)
    await until(subject, "a", "b")
    await world.other.delete(resources.REPLICA_SETS, "default", "old")
    await until(subject, "b")


@pytest.mark.parametrize("resource", [resources.STATEFUL_SETS, resources.REPLICA_SETS], ids=lambda kind: kind.kind)
async def test_built_in_kinds(world: Cluster, informers: Informers, resource: Resource) -> None:
    body = cluster.deployment("web", replicas=3)
    body["kind"] = resource.kind
    top = await create(world, resource, body)
    await pod(world, "a", top)
    subject = Targets(informers).for_spec(spec(ref(resource)))
    view = await until(subject, "a", replicas=3)
    assert (await subject.apply(decision(view, 1))).outcome is Outcome.PATCHED
    await until(subject, "a", replicas=1)


async def test_a_leader_worker_sets_leaders_count(world: Cluster, informers: Informers) -> None:
    await kinds.define(world.other, kinds.LEADER_SETS)
    top = await create(world, kinds.LEADER_SETS, kinds.manifest(kinds.LEADER_SETS, "web", replicas=1))
    body = cluster.deployment("web")
    body["kind"], body["metadata"]["ownerReferences"] = "StatefulSet", [top]
    leaders = await create(world, resources.STATEFUL_SETS, body)
    await pod(world, "web-0", leaders, **{"leaderworkerset.sigs.k8s.io__worker_index": "0"})
    leader = await world.other.get(resources.PODS, "default", "web-0", into=objects.Partial)
    group = cluster.deployment("web-0")
    group["kind"] = "StatefulSet"
    group["metadata"]["ownerReferences"] = [cluster.owner("Pod", "web-0", leader.metadata.uid, "v1")]
    workers = await create(world, resources.STATEFUL_SETS, group)
    await pod(world, "web-0-1", workers, **{"leaderworkerset.sigs.k8s.io__worker_index": "1"})
    await until(Targets(informers).for_spec(spec(ref(kinds.LEADER_SETS))), "web-0", replicas=1)


async def test_a_ray_clusters_heads_count(world: Cluster, informers: Informers) -> None:
    await kinds.define(world.other, kinds.FLEETS, kinds.RAY_SETS, kinds.RAY_CLUSTERS)
    owner = await create(world, kinds.FLEETS, kinds.manifest(kinds.FLEETS, "web", replicas=2))
    for resource in (kinds.RAY_SETS, kinds.RAY_CLUSTERS):
        owner = await create(world, resource, kinds.manifest(resource, f"web-{resource.kind.lower()}", owner))
    await pod(world, "head", owner, **{"ray.io__node_type": "head"})
    await pod(world, "worker", owner, **{"ray.io__node_type": "worker"})
    await until(Targets(informers).for_spec(spec(ref(kinds.FLEETS))), "head", replicas=2)


async def test_what_is_in_no_namespace_is_nobodys_to_scale(world: Cluster, informers: Informers) -> None:
    everybodys = Resource("fleet.example.com", "v1", "pools", "Pool", namespaced=False, has_scale=True)
    await kinds.define(world.other, everybodys)
    body = kinds.manifest(everybodys, "web", replicas=3)
    body["metadata"].pop("namespace", None)
    await world.other.create(everybodys, "", body, into=objects.Partial)
    view = await Targets(informers).for_spec(spec(ref(everybodys))).view(1.0)
    assert "are in no namespace" in (view.failure or "")
