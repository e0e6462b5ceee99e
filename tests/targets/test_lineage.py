from collections.abc import Iterator

import pytest

from podtide.kube import errors, objects, resources
from podtide.kube.discovery import Discovery
from podtide.local.faults import Fault
from podtide.targets import lineage
from podtide.targets.lineage import Lineage
from tests import cluster
from tests.cluster import Cluster
from tests.targets import kinds


def nothing(namespace: str, name: str) -> None:
    """No ReplicaSet is watched."""


def learner(world: Cluster) -> Lineage:
    return Lineage(world.client, Discovery(world.client))


async def owner(world: Cluster, name: str, above: objects.Owner | None = None) -> objects.Owner:
    """A StatefulSet, as its pods name it."""
    body = cluster.deployment(name)
    body["kind"] = "StatefulSet"
    if above is not None:
        body["metadata"]["ownerReferences"] = [cluster.owner(above.kind, above.name, above.uid, above.apiVersion)]
    meta = (await world.other.create(resources.STATEFUL_SETS, "default", body, into=objects.Partial)).metadata
    return objects.Owner("apps/v1", "StatefulSet", meta.name, meta.uid, controller=True)


async def test_an_owner_is_asked_for_once(world: Cluster) -> None:
    top = await owner(world, "top")
    below = await owner(world, "below", top)
    subject = learner(world)
    asked = world.api.faults.add(Fault(agent="podtide", resource=resources.STATEFUL_SETS.name))
    for _ in range(3):
        assert await subject.learn("default", {below.uid: below}, nothing) == {}
    assert asked.hits == 2
    assert set(subject.children(top.uid)) == {below.uid}


async def test_one_that_is_gone_belongs_to_nobody_even_if_another_has_its_name(world: Cluster) -> None:
    top = await owner(world, "top")
    await owner(world, "below", top)
    gone = objects.Owner("apps/v1", "StatefulSet", "below", "the-one-before", controller=True)
    never = objects.Owner("apps/v1", "StatefulSet", "never", "never", controller=True)
    subject = learner(world)
    await subject.learn("default", {one.uid: one for one in (gone, never)}, nothing)
    assert set(subject.children(top.uid)) == set()
    assert subject.is_known(gone)
    assert subject.is_known(never)


async def test_what_may_not_be_read_is_asked_for_again_later(world: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    top = await owner(world, "top")
    below = await owner(world, "below", top)
    now = 0.0
    subject = Lineage(world.client, Discovery(world.client), monotonic=lambda: now)
    with world.api.faults.during(Fault(agent="podtide", status=403)) as refused:
        for _ in range(3):
            assert await subject.learn("default", {below.uid: below}, nothing) == {below.uid: below}
        assert refused.hits == 1
    now = 60.0
    assert await subject.learn("default", {below.uid: below}, nothing) == {}
    assert set(subject.children(top.uid)) == {below.uid}


async def test_without_an_answer_nothing_is_concluded(world: Cluster) -> None:
    below = await owner(world, "below", await owner(world, "top"))
    subject = learner(world)
    with world.api.faults.partition(agent="podtide"), pytest.raises(errors.Unreachable):
        await subject.learn("default", {below.uid: below}, nothing)
    assert not subject.is_known(below)


async def test_what_is_gone_is_forgotten(world: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "_SWEEP", 4)
    await kinds.define(world.other, kinds.ROLE_SETS)
    top = await owner(world, "top")
    living = await owner(world, "living", top)
    subject = learner(world)
    subject._swept_to = 4
    await subject.learn("default", {living.uid: living}, nothing)

    def alive() -> Iterator[str]:
        yield living.uid

    for number in range(50):
        passing = objects.Owner("apps/v1", "StatefulSet", f"gone-{number}", f"uid-{number}", controller=True)
        await subject.learn("default", {passing.uid: passing}, nothing)
        subject.sweep(alive)
    assert len(subject) <= 5
    assert set(subject.children(top.uid)) == {living.uid}
