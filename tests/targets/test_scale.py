import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from podtide.core.model.decision import Action, Applied, Outcome
from podtide.core.model.spec import TargetRef
from podtide.core.model.view import TargetView
from podtide.kube import kinds, objects, resources
from podtide.kube.informers import Informers
from podtide.kube.resources import Resource
from podtide.local.faults import Fault
from podtide.targets.base import Target
from podtide.targets.registry import Targets
from tests import cluster
from tests.cluster import Cluster
from tests.targets.conftest import watching
from tests.targets.specs import WEB, decision, spec

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)


def target(informers: Informers, ref: TargetRef = WEB) -> Target:
    return Targets(informers).for_spec(spec(ref))


async def until(subject: Target, **expected: Any) -> TargetView:
    """The first view with these fields."""
    async with asyncio.timeout(10):
        while True:
            view = await subject.view(1.0)
            if all(getattr(view, name) == value for name, value in expected.items()):
                return view
            await asyncio.sleep(0.005)


async def replicas(world: Cluster) -> int | None:
    return (await world.other.get(resources.DEPLOYMENTS, "default", "web", into=objects.Scalable)).spec.replicas


async def by_hand(world: Cluster, count: int) -> None:
    """Somebody else sets the count."""
    body = {"spec": {"replicas": count}}
    await world.other.patch(resources.DEPLOYMENTS, "default", "web", body, into=objects.Scale, sub="scale")


@contextlib.asynccontextmanager
async def followed(world: Cluster) -> AsyncGenerator[tuple[Informers, Target, TargetView]]:
    """A Deployment of two, and what is known of it once both are told of."""
    await world.create(cluster.deployment())
    async with watching(world) as informers:
        subject = target(informers)
        yield informers, subject, await until(subject, replicas=2)


async def test_a_view_shows_replicas_and_follows_them(world: Cluster) -> None:
    await world.create(cluster.deployment(replicas=2))
    async with watching(world) as informers:
        subject = target(informers)
        await until(subject, replicas=2, failure=None)
        await by_hand(world, 7)
        await until(subject, replicas=7)


async def test_no_request_is_made_per_view(world: Cluster) -> None:
    await world.create(cluster.deployment())
    async with watching(world) as informers:
        subject = target(informers)
        await until(subject, replicas=2)
        await informers.cache(cluster.deployments()).synced.wait()
        fault = world.api.faults.add(Fault(agent="podtide", status=500))
        for _ in range(10):
            assert (await subject.view(1.0)).failure is None
        assert fault.hits == 0


async def test_a_decision_is_patched_and_seen_at_once(world: Cluster) -> None:
    async with followed(world) as (_, subject, view):
        applied = await subject.apply(decision(view, 5))
        assert (applied.outcome, applied.replicas) == (Outcome.PATCHED, 5)
        assert (await subject.view(1.0)).replicas == 5
        assert await replicas(world) == 5


async def test_a_decision_on_an_old_view_is_refused(world: Cluster) -> None:
    async with followed(world) as (_, subject, view):
        await by_hand(world, 4)
        applied = await subject.apply(decision(view, 9))
        assert applied.outcome is Outcome.REFUSED
        assert await replicas(world) == 4


async def test_a_watch_that_tells_nothing_does_not_keep_a_workload_from_being_scaled(world: Cluster) -> None:
    async with followed(world) as (informers, subject, view):
        # From here on the connection is dead, and nobody knows yet.
        informers.stop()
        await by_hand(world, 4)
        assert (await subject.view(1.0)).replicas == 2
        assert (await subject.apply(decision(view, 9))).outcome is Outcome.REFUSED
        view = await subject.view(2.0)
        assert view.replicas == 4
        assert (await subject.apply(decision(view, 9))).outcome is Outcome.PATCHED
        assert (await subject.view(3.0)).replicas == 9
        assert await replicas(world) == 9


async def test_what_was_answered_is_known_to_the_next_edition_while_the_watch_tells_nothing(world: Cluster) -> None:
    """Else a new object would take our own scaling for somebody else's once the watch is back."""
    await world.create(cluster.deployment())
    async with watching(world) as informers:
        targets = Targets(informers)
        subject = targets.for_spec(spec())
        view = await until(subject, replicas=2)
        informers.stop()
        assert (await subject.apply(decision(view, 0))).outcome is Outcome.PATCHED
        after = await targets.for_spec(spec()).view(2.0)
        assert (after.replicas, after.version) == (0, (await subject.view(2.0)).version)


async def test_and_forgotten_once_the_watch_has_told_of_it(world: Cluster) -> None:
    await world.create(cluster.deployment())
    async with watching(world) as informers:
        targets = Targets(informers)
        subject = targets.for_spec(spec())
        await subject.apply(decision(await until(subject, replicas=2), 5))
        assert targets._context.answers._known
        cache = informers.cache(cluster.deployments())
        async with asyncio.timeout(10):
            while targets._context.answers._known:
                await subject.view(1.0)
                await asyncio.sleep(0.005)
        told = cache.get(spec().key)
        assert told is not None
        assert told.replicas == 5


async def test_nor_does_one_that_has_not_told_of_another_object_of_that_name(world: Cluster) -> None:
    async with followed(world) as (informers, subject, view):
        informers.stop()
        await world.other.delete(resources.DEPLOYMENTS, "default", "web")
        await world.create(cluster.deployment(replicas=4))
        assert (await subject.apply(decision(view, 9))).outcome is Outcome.REFUSED
        view = await subject.view(2.0)
        assert view.replicas == 4
        assert (await subject.apply(decision(view, 9))).outcome is Outcome.PATCHED


@pytest.mark.parametrize(
    ("action", "outcome"), [(Action.KEEP, Outcome.UNCHANGED), (Action.SUPPRESS, Outcome.SUPPRESSED)]
)
async def test_what_is_not_to_be_patched_is_not(world: Cluster, action: Action, outcome: Outcome) -> None:
    async with followed(world) as (_, subject, view):
        assert await subject.apply(decision(view, 5, action)) == Applied(outcome, 2)
        assert await replicas(world) == 2


async def test_trouble_with_the_patch_is_a_result(world: Cluster) -> None:
    async with followed(world) as (_, subject, view):
        with world.api.faults.during(Fault(agent="podtide", verbs=("patch",), status=500)):
            applied = await subject.apply(decision(view, 5))
        assert applied.outcome is Outcome.FAILED
        assert "500" in applied.error


@pytest.mark.parametrize(
    ("ref", "failure"),
    [
        pytest.param(WEB, 'FailedGetScale: deployments.apps "web" not found', id="no such object"),
        pytest.param(
            TargetRef("apps/v1", "Deploymint", "web"),
            "FailedGetScale: the API server serves no kind 'Deploymint' in 'apps/v1'",
            id="no such kind",
        ),
        pytest.param(
            TargetRef("v1", "ConfigMap", "web"),
            "FailedGetScale: configmaps has no scale subresource",
            id="nothing that scales",
        ),
    ],
)
async def test_a_target_that_cannot_be_read_is_a_view_with_a_failure(
    world: Cluster, ref: TargetRef, failure: str
) -> None:
    async with watching(world) as informers:
        subject = target(informers, ref)
        assert (await until(subject, failure=failure)).failure == failure


async def test_an_outage_leaves_the_last_view(world: Cluster) -> None:
    await world.create(cluster.deployment())
    async with watching(world) as informers:
        subject = target(informers)
        await until(subject, replicas=2)
        await informers.cache(cluster.deployments()).synced.wait()
        with world.api.faults.partition(agent="podtide"):
            assert (await subject.view(1.0)).replicas == 2


async def test_pods_are_those_that_are_owned(world: Cluster) -> None:
    made = await world.create(cluster.deployment())
    other = await world.create(cluster.deployment("other"))
    for owner, name in ((made, "web-1"), (other, "other-1")):
        body = cluster.replica_set(name, cluster.owner("Deployment", owner.name, owner.uid))
        meta = (await world.other.create(resources.REPLICA_SETS, "default", body, into=objects.Partial)).metadata
        # The label is the same for all of them: selectors overlap, owners do not.
        await world.create(cluster.pod(f"{name}-a", cluster.owner("ReplicaSet", meta.name, meta.uid)))
    await world.create(cluster.pod("stray"))
    async with watching(world) as informers:
        subject = target(informers)
        async with asyncio.timeout(10):
            while [pod.name for pod in (await subject.view(1.0)).pods] != ["web-1-a"]:
                await asyncio.sleep(0.005)


async def test_a_pod_of_another_namespace_that_claims_the_owner_is_not(world: Cluster) -> None:
    """It would be asked with the Secrets of this namespace, and its load would count."""
    await world.other.create(NAMESPACES, "", {"kind": "Namespace", "metadata": {"name": "other"}}, into=dict)
    made = await world.create(cluster.deployment())
    body = cluster.replica_set("web-1", cluster.owner("Deployment", made.name, made.uid))
    meta = (await world.other.create(resources.REPLICA_SETS, "default", body, into=objects.Partial)).metadata
    theirs = cluster.replica_set("web-2", cluster.owner("Deployment", made.name, made.uid))
    theirs["metadata"]["namespace"] = "other"
    other = (await world.other.create(resources.REPLICA_SETS, "other", theirs, into=objects.Partial)).metadata
    await world.create(cluster.pod("direct", cluster.owner("ReplicaSet", meta.name, meta.uid), namespace="other"))
    await world.create(cluster.pod("below", cluster.owner("ReplicaSet", other.name, other.uid), namespace="other"))
    await world.create(cluster.pod("mine", cluster.owner("ReplicaSet", meta.name, meta.uid)))
    async with watching(world) as informers:
        subject = target(informers)
        seen = informers.cache(kinds.PODS)
        async with asyncio.timeout(10):
            while len(seen) < 3:
                await asyncio.sleep(0.005)
        assert [pod.name for pod in (await until(subject, replicas=2)).pods] == ["mine"]


async def test_a_patch_waits_for_nobody_and_is_withheld_when_the_right_to_it_has_gone(world: Cluster) -> None:
    async with followed(world) as (_, subject, view):
        applied = await subject.apply(decision(view, 5), may_write=lambda: False)
        assert applied.outcome is Outcome.SUPPRESSED
        assert await replicas(world) == 2


async def test_the_watch_may_lag_behind_our_own_patch(world: Cluster) -> None:
    async with followed(world) as (informers, subject, view):
        cache = informers.cache(cluster.deployments())
        before = cache.get(spec().key)
        assert before is not None
        await subject.apply(decision(view, 5))
        # What the watch told before our patch arrives after its answer.
        cache.put(spec().key, before)
        seen = await subject.view(1.0)
        assert seen.replicas == 5
        assert seen.version != view.version


async def test_a_view_says_that_pods_cannot_be_listed(world: Cluster) -> None:
    await world.create(cluster.deployment())
    world.api.faults.add(Fault(agent="podtide", resource="pods", status=403))
    async with watching(world) as informers:
        view = await target(informers).view(1.0)
        assert view.failure == "FailedGetScale: fault on demand: 403"
