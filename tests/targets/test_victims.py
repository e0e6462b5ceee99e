import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from podtide.core.model.decision import Decision, Outcome
from podtide.core.model.signal import Signal
from podtide.core.model.view import PodView, TargetView
from podtide.kube import objects, resources
from podtide.kube.client import Client as KubeClient
from podtide.kube.informers import Informers
from podtide.local.faults import Fault
from podtide.targets import victims
from podtide.targets.base import Target
from podtide.targets.registry import Targets
from tests import cluster
from tests.cluster import Cluster
from tests.targets.specs import decision, spec
from tests.targets.test_kinds import create, pod


def view(name: str, **more: Any) -> PodView:
    return replace(PodView(name=name, uid=name), **more)


PODS = [view("a"), view("b"), view("c"), view("d")]
LOAD = {"a": 0.9, "b": 0.1, "c": 0.5, "d": 0.2}


@pytest.mark.parametrize(
    ("pods", "load", "removing", "expected"),
    [
        pytest.param(PODS, LOAD, 2, "bd", id="the least loaded"),
        pytest.param(PODS, LOAD, 9, "bdca", id="never more than there are"),
        pytest.param(PODS, {"a": 0.9, "c": 0.5}, 2, "ca", id="of those whose load is known"),
        pytest.param([view("x", ready="False"), *PODS], LOAD, 2, "b", id="one that is not ready goes anyway"),
        pytest.param([view("x", deleting=True), *PODS], LOAD, 2, "bd", id="one that is going does not count"),
        pytest.param([view("x", phase="Failed"), *PODS], LOAD, 2, "bd", id="nor does one that has ended"),
        pytest.param(
            [view("old", created=1.0), view("young", created=2.0)],
            {"old": 0.5, "young": 0.5},
            1,
            ["young"],
            id="of equals the younger",
        ),
        pytest.param(
            [view("b", annotations={victims.COST: "100"}), *PODS[2:]], LOAD, 1, "d", id="not one that somebody priced"
        ),
    ],
)
def test_who_goes(pods: list[PodView], load: dict[str, float], removing: int, expected: str | list[str]) -> None:
    assert [found.name for found in victims.choose(pods, load, removing=removing)] == list(expected)


async def test_marks_that_somebody_wrote_on_hundreds_of_pods_are_taken_off_a_few_at_a_time() -> None:
    """Each is a request, and all requests of the controller wait in one row."""
    patched: list[str] = []

    class Client:
        async def patch(self, resource: object, namespace: str, name: str, body: object, **_: object) -> None:
            patched.append(name)

    pods = [view(f"p{number}", annotations={victims.COST: victims.MARK}) for number in range(500)]
    seen = TargetView(at=1.0, replicas=3, version="1", pods=tuple(pods))
    await victims.mark(cast(KubeClient, Client()), "default", pods, decision(seen, 1), may_write=lambda: True)
    assert 0 < len(patched) <= 50


def test_the_busiest_metric_counts() -> None:
    queue = Signal("queue", 1.0, per_pod={"a": 10.0, "b": 5.0})
    cache = Signal("cache", 1.0, per_pod={"a": 0.1, "b": 0.8, "c": 0.4})
    assert victims.loads([queue, cache]) == {"a": 1.0, "b": 1.0, "c": 0.5}
    assert victims.loads([Signal("idle", 1.0, per_pod={"a": 0.0})]) == {"a": 0.0}


async def first(subject: Target, holds: Callable[[TargetView], bool]) -> TargetView:
    """The first view of which that is true."""
    async with asyncio.timeout(10):
        while not holds(found := await subject.view(1.0)):
            await asyncio.sleep(0.005)
    return found


async def costs(world: Cluster) -> dict[str, str | None]:
    listed, _ = await world.other.list(resources.PODS, "default", into=objects.Partial)
    return {one.metadata.name: (one.metadata.annotations or {}).get(victims.COST) for one in listed}


async def test_pods_are_marked_before_a_scale_down_and_unmarked_when_others_are_to_go(
    world: Cluster, informers: Informers
) -> None:
    top = await create(world, resources.DEPLOYMENTS, cluster.deployment(replicas=3))
    below = await create(world, resources.REPLICA_SETS, cluster.replica_set("web-1", top))
    names = ("a", "b", "c")
    for name in names:
        await pod(world, name, below)
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        await world.other.patch(resources.PODS, "default", name, {"status": ready}, into=objects.Partial, sub="status")
    subject = Targets(informers).for_spec(spec(removes_least_loaded=True))
    found = await first(subject, lambda seen: len(seen.pods) == 3 and all(one.is_ready for one in seen.pods))
    uids = {one.name: one.uid for one in found.pods}

    def shrink(**load: float) -> Decision:
        per_pod = {uids[name]: value for name, value in load.items()}
        return replace(decision(found, 2), signals=(Signal("queue", 1.0, per_pod=per_pod),))

    with world.api.faults.during(Fault(agent="podtide", sub="scale", status=500)):
        assert (await subject.apply(shrink(a=9.0, b=1.0, c=5.0))).outcome is Outcome.FAILED
    assert await costs(world) == {"a": None, "b": victims.MARK, "c": None}
    found = await first(subject, lambda seen: any(one.annotations for one in seen.pods))
    assert (await subject.apply(shrink(a=9.0, b=7.0, c=5.0))).outcome is Outcome.PATCHED
    assert await costs(world) == {"a": None, "b": None, "c": victims.MARK}


async def test_without_the_right_to_mark_the_scale_down_goes_on(
    world: Cluster, informers: Informers, caplog: pytest.LogCaptureFixture
) -> None:
    top = await create(world, resources.DEPLOYMENTS, cluster.deployment(replicas=2))
    below = await create(world, resources.REPLICA_SETS, cluster.replica_set("web-1", top))
    for name in ("a", "b"):
        await pod(world, name, below)
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        await world.other.patch(resources.PODS, "default", name, {"status": ready}, into=objects.Partial, sub="status")
    subject = Targets(informers).for_spec(spec(removes_least_loaded=True))
    found = await first(subject, lambda seen: len(seen.pods) == 2 and all(one.is_ready for one in seen.pods))
    per_pod = {one.uid: 1.0 for one in found.pods}
    shrink = replace(decision(found, 1), signals=(Signal("queue", 1.0, per_pod=per_pod),))
    with world.api.faults.during(Fault(agent="podtide", resource="pods", verbs=("patch",), status=403)):
        assert (await subject.apply(shrink)).outcome is Outcome.PATCHED
    assert "not every pod could be marked" in caplog.text
