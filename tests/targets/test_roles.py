from typing import Any

import pytest

from podtide.core.model.decision import Outcome
from podtide.kube import objects, resources
from podtide.kube.informers import Informers
from podtide.targets.base import Target
from podtide.targets.registry import Targets
from tests.cluster import Cluster
from tests.targets import kinds
from tests.targets.specs import decision, spec
from tests.targets.test_kinds import create, pod, ref, until

STORM = kinds.STORM_SERVICES


async def service(world: Cluster, *, replicas: int = 1, mode: str = "", **roles: int | None) -> None:
    """A StormService with a role set, whose pods are prefill-0 to prefill-2 and decode-0."""
    await kinds.define(world.other, STORM, kinds.ROLE_SETS, kinds.POD_SETS)
    body = kinds.manifest(
        STORM,
        "web",
        replicas=replicas,
        **({"mode": mode} if mode else {}),
        template={
            "spec": {
                "roles": [
                    {"name": name, "stateful": True, **({} if count is None else {"replicas": count})}
                    for name, count in roles.items()
                ]
            }
        },
    )
    top = await create(world, STORM, body)
    role_set = await create(world, kinds.ROLE_SETS, kinds.manifest(kinds.ROLE_SETS, "web-roleset", top))
    for number in range(2):
        await pod(world, f"prefill-{number}", role_set, role_name="prefill")
    # A role instance of two pods: index 0 serves.
    group = await create(world, kinds.POD_SETS, kinds.manifest(kinds.POD_SETS, "web-decode-0", role_set))
    for number in range(2):
        index = {"stormservice.orchestration.aibrix.ai__pod_group_index": str(number)}
        await pod(world, f"decode-0-{number}", group, role_name="decode", **index)


def target(informers: Informers, role: str, **more: Any) -> Target:
    return Targets(informers).for_spec(spec(ref(STORM, role=role, **more)))


async def stored(world: Cluster) -> Any:
    return await world.other.get(STORM, "default", "web", into=dict[str, Any])


@pytest.mark.parametrize(
    ("role", "pods"),
    [
        pytest.param("prefill", ["prefill-0", "prefill-1"], id="single pods"),
        pytest.param("decode", ["decode-0-0"], id="groups of pods, by their first"),
    ],
)
async def test_a_pool_scales_one_role_and_leaves_the_rest_alone(
    world: Cluster, informers: Informers, role: str, pods: list[str]
) -> None:
    await service(world, prefill=3, decode=5)
    subject = target(informers, role, role_mode="pool")
    view = await until(subject, *pods, replicas={"prefill": 3, "decode": 5}[role])
    before = await stored(world)
    applied = await subject.apply(decision(view, 7))
    assert (applied.outcome, applied.replicas) == (Outcome.PATCHED, 7)
    assert (await subject.view(1.0)).replicas == 7
    after = await stored(world)
    wanted = {**before["spec"]}
    for found in wanted["template"]["spec"]["roles"]:
        if found["name"] == role:
            found["replicas"] = 7
    assert after["spec"] == wanted


async def test_a_pools_stale_decision_is_refused(world: Cluster, informers: Informers) -> None:
    await service(world, prefill=3, decode=5)
    subject = target(informers, "prefill", role_mode="pool")
    view = await until(subject, "prefill-0", "prefill-1", replicas=3)
    # A watch whose connection is dead.
    informers.stop()
    await world.other.patch(STORM, "default", "web", {"metadata": {"labels": {"a": "b"}}}, into=objects.Partial)
    assert (await subject.apply(decision(view, 7))).outcome is Outcome.REFUSED
    assert (await stored(world))["spec"]["template"]["spec"]["roles"][0]["replicas"] == 3
    assert (await subject.apply(decision(await subject.view(2.0), 7))).outcome is Outcome.PATCHED


async def test_a_pool_whose_roles_have_moved_unseen_is_scaled_where_it_stands_now(
    world: Cluster, informers: Informers
) -> None:
    await service(world, prefill=3, decode=5)
    subject = target(informers, "prefill", role_mode="pool")
    view = await until(subject, "prefill-0", "prefill-1", replicas=3)
    informers.stop()
    roles = (await stored(world))["spec"]["template"]["spec"]["roles"]
    moved = {"spec": {"template": {"spec": {"roles": roles[::-1]}}}}
    await world.other.patch(STORM, "default", "web", moved, into=objects.Partial)
    assert (await subject.apply(decision(view, 7))).outcome is not Outcome.PATCHED
    assert (await subject.apply(decision(await subject.view(2.0), 7))).outcome is Outcome.PATCHED
    roles = (await stored(world))["spec"]["template"]["spec"]["roles"]
    assert {role["name"]: role["replicas"] for role in roles} == {"decode": 5, "prefill": 7}


async def test_replica_mode_scales_the_whole_on_the_roles_pods(world: Cluster, informers: Informers) -> None:
    await service(world, replicas=3, prefill=1, decode=1)
    subject = target(informers, "prefill", role_mode="replica")
    view = await until(subject, "prefill-0", "prefill-1", replicas=3)
    assert (await subject.apply(decision(view, 4))).outcome is Outcome.PATCHED
    after = await stored(world)
    assert after["spec"]["replicas"] == 4
    assert [role["replicas"] for role in after["spec"]["template"]["spec"]["roles"]] == [1, 1]


async def test_what_was_answered_is_known_to_the_next_edition_while_the_watch_tells_nothing(
    world: Cluster, informers: Informers
) -> None:
    await service(world, prefill=3, decode=5)
    targets = Targets(informers)
    one = spec(ref(STORM, role="prefill", role_mode="pool"))
    subject = targets.for_spec(one)
    view = await until(subject, "prefill-0", "prefill-1", replicas=3)
    informers.stop()
    assert (await subject.apply(decision(view, 4))).outcome is Outcome.PATCHED
    assert (await targets.for_spec(one).view(2.0)).replicas == 4


@pytest.mark.parametrize(
    ("mode", "replicas", "expected"),
    [
        pytest.param("Pooled", 4, 3, id="the object says pooled"),
        pytest.param("Replica", 1, 1, id="the object says replica"),
        pytest.param("", 1, 3, id="one role set is a pool"),
        pytest.param("", 4, 4, id="several role sets are replicas"),
    ],
)
async def test_without_an_annotation_the_object_says_which_mode(
    world: Cluster, informers: Informers, mode: str, replicas: int, expected: int
) -> None:
    await service(world, replicas=replicas, mode=mode, prefill=3, decode=5)
    await until(target(informers, "prefill"), "prefill-0", "prefill-1", replicas=expected)


async def test_a_roles_pods_that_have_ended_are_none_of_its_replicas(world: Cluster, informers: Informers) -> None:
    await service(world, prefill=3, decode=5)
    subject = target(informers, "prefill", role_mode="pool")
    await until(subject, "prefill-0", "prefill-1", status_replicas=2)
    body = {"status": {"phase": "Failed"}}
    await world.other.patch(resources.PODS, "default", "prefill-0", body, into=objects.Partial, sub="status")
    await until(subject, "prefill-0", "prefill-1", status_replicas=1)


async def test_two_roles_of_replicas_would_set_one_number(world: Cluster, informers: Informers) -> None:
    await service(world, replicas=3, prefill=1, decode=1)
    targets = Targets(informers)
    specs = [spec(ref(STORM, role=role), role) for role in ("prefill", "decode")]
    for one in specs:
        targets.rivals.put(one, objects.Meta(name=one.key.name, namespace="default", uid=one.key.name))
    older, younger = (targets.for_spec(specs[number]) for number in (1, 0))
    assert (await until(older, "decode-0-0")).rivals == ()
    assert (await until(younger, "prefill-0", "prefill-1")).rivals == ("PodAutoscaler default/decode",)


@pytest.mark.parametrize(
    ("role", "failure"),
    [
        pytest.param("router", 'StormService "web" has no role "router"; it has prefill, decode', id="no such role"),
        pytest.param(
            "decode",
            'role "decode" of StormService "web" has no replicas; set spec.template.spec.roles[1].replicas',
            id="a role without replicas",
        ),
    ],
)
async def test_what_cannot_be_scaled_says_why(world: Cluster, informers: Informers, role: str, failure: str) -> None:
    await service(world, prefill=3, decode=None)
    subject = target(informers, role, role_mode="pool")
    assert (await until(subject, failure=f"FailedGetScale: {failure}")).failure


async def test_a_role_of_a_kind_without_roles_says_so(world: Cluster, informers: Informers) -> None:
    await kinds.define(world.other, kinds.ROLLOUTS)
    await create(world, kinds.ROLLOUTS, kinds.manifest(kinds.ROLLOUTS, "web", replicas=2))
    view = await Targets(informers).for_spec(spec(ref(kinds.ROLLOUTS, role="a"))).view(1.0)
    assert view.failure is not None
    assert "rollouts.argoproj.io has no roles" in view.failure
