import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import pytest

from podtide.api import conflicts
from podtide.core.model.spec import AutoscalerSpec, Mode, TargetRef
from podtide.kube import objects, resources
from podtide.kube.informers import Informers
from podtide.kube.objects import Meta
from podtide.local.faults import Fault
from podtide.targets.registry import Targets
from podtide.targets.rivals import MOST_TOLD, Rivals
from tests import cluster
from tests.cluster import Cluster
from tests.targets.specs import WEB, spec

POOL = TargetRef("orchestration.aibrix.ai/v1alpha1", "StormService", "llm")
PREFILL = TargetRef(POOL.api_version, POOL.kind, POOL.name, role="prefill", role_mode="pool")
DECODE = TargetRef(POOL.api_version, POOL.kind, POOL.name, role="decode", role_mode="pool")


RoleMode = Literal["pool", "replica"] | None


def made(name: str, minute: int, uid: str = "u") -> Meta:
    at = datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
    return Meta(name=name, namespace="default", uid=uid, creationTimestamp=at)


async def test_the_older_has_no_rival_and_the_younger_has_until_the_older_goes(informers: Informers) -> None:
    rivals = Rivals(informers)
    old, young = spec(name="old"), spec(name="young")
    rivals.put(old, made("old", 1))
    rivals.put(young, made("young", 2))
    assert rivals.older(old) == ()
    assert rivals.older(young) == ("PodAutoscaler default/old",)
    rivals.drop(old.key)
    assert rivals.older(young) == ()


async def test_of_hundreds_on_one_target_one_acts_and_each_looks_at_few(
    informers: Informers, monkeypatch: pytest.MonkeyPatch
) -> None:
    rivals = Rivals(informers)
    every = [spec(name=f"scaler-{number:03}") for number in range(200)]
    for number, one in enumerate(every):
        rivals.put(one, made(one.key.name, number // 4, f"u{number:03}"))
    looks = 0
    looked = conflicts.is_conflict

    def counted(*given: AutoscalerSpec, pooled: bool = True) -> bool:
        nonlocal looks
        looks += 1
        return looked(*given, pooled=pooled)

    monkeypatch.setattr(conflicts, "is_conflict", counted)
    assert [one.key.name for one in every if not rivals.older(one)] == ["scaler-000"]
    assert looks <= 200 * MOST_TOLD
    rivals.drop(every[0].key)
    rivals.put(replace(every[1], mode=Mode.PAUSED), made("scaler-001", 0, "u001"))
    assert rivals.older(every[2]) == ()
    assert rivals.older(every[3]) == ("PodAutoscaler default/scaler-002",)
    for one in every:
        rivals.drop(one.key)
    assert not rivals._by_target


async def test_an_edition_that_ends_while_the_next_is_paused_is_answered(informers: Informers) -> None:
    rivals = Rivals(informers)
    rivals.put(spec(name="web", mode=Mode.PAUSED), made("web", 1))
    assert rivals.older(spec(name="web")) == ()


async def test_of_two_of_one_age_exactly_one_acts(informers: Informers) -> None:
    rivals = Rivals(informers)
    one, other = spec(name="one"), spec(name="other")
    rivals.put(one, made("one", 1, "a"))
    rivals.put(other, made("other", 1, "b"))
    assert [bool(rivals.older(each)) for each in (one, other)] == [False, True]


@pytest.mark.parametrize(
    ("older", "younger", "expected"),
    [
        pytest.param(WEB, TargetRef("apps/v1", "Deployment", "api"), False, id="another name"),
        pytest.param(WEB, TargetRef("apps/v1", "StatefulSet", "web"), False, id="another kind"),
        pytest.param(WEB, TargetRef("apps/v1beta2", "Deployment", "web"), True, id="another version of one group"),
        pytest.param(PREFILL, DECODE, False, id="two roles"),
        pytest.param(PREFILL, PREFILL, True, id="one role"),
        pytest.param(POOL, DECODE, True, id="the whole and a role"),
        pytest.param(DECODE, POOL, True, id="a role and the whole"),
    ],
)
async def test_who_wants_the_same_target(
    informers: Informers, older: TargetRef, younger: TargetRef, expected: bool
) -> None:
    rivals = Rivals(informers)
    old, young = spec(older, "old"), spec(younger, "young")
    rivals.put(old, made("old", 1))
    rivals.put(young, made("young", 2))
    assert bool(rivals.older(young)) is expected


@pytest.mark.parametrize(
    ("pooled", "older", "younger", "expected"),
    [
        pytest.param(True, None, None, False, id="two roles of a pool"),
        pytest.param(False, None, None, True, id="the same number of role sets"),
        pytest.param(False, "pool", "pool", False, id="two roles whatever the object says"),
        pytest.param(False, "pool", None, True, id="a role and the whole"),
    ],
)
async def test_roles_that_leave_the_mode_to_the_object(
    informers: Informers, pooled: bool, older: RoleMode, younger: RoleMode, expected: bool
) -> None:
    rivals = Rivals(informers)
    old, young = (
        spec(replace(target, role_mode=mode), name)
        for target, mode, name in ((PREFILL, older, "old"), (DECODE, younger, "young"))
    )
    rivals.put(old, made("old", 1))
    rivals.put(young, made("young", 2))
    assert bool(rivals.older(young, pooled=pooled)) is expected
    assert rivals.older(old, pooled=pooled) == ()


@pytest.mark.parametrize("mode", [Mode.DRY_RUN, Mode.PAUSED])
async def test_who_changes_nothing_disturbs_nobody_and_is_not_disturbed(informers: Informers, mode: Mode) -> None:
    rivals = Rivals(informers)
    idle, young = spec(name="idle", mode=mode), spec(name="young")
    rivals.put(idle, made("idle", 1))
    rivals.put(young, made("young", 2))
    assert rivals.older(young) == ()
    rivals.put(idle, made("idle", 3))
    assert rivals.older(idle) == ()
    rivals.put(spec(name="idle"), made("idle", 1))
    assert rivals.older(young) == ("PodAutoscaler default/idle",)


HPA = {
    "metadata": {"name": "hpa"},
    "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
}


async def test_an_older_hpa_is_a_rival_until_it_goes(world: Cluster, informers: Informers) -> None:
    rivals = Rivals(informers)
    young = spec(name="young")
    rivals.put(young, Meta(name="young", namespace="default", creationTimestamp=datetime(2999, 1, 1, tzinfo=UTC)))
    await world.other.create(resources.HPAS, "default", HPA, into=objects.Partial)
    async with asyncio.timeout(10):
        while rivals.older(young) != ("HorizontalPodAutoscaler default/hpa",):
            await asyncio.sleep(0.005)
        await world.other.delete(resources.HPAS, "default", "hpa")
        while rivals.older(young):
            await asyncio.sleep(0.005)


async def seen(rivals: Rivals) -> None:
    """Wait until the watch has told of an HPA."""
    async with asyncio.timeout(10):
        while not len(rivals._hpas):
            await asyncio.sleep(0.005)


async def test_what_has_no_age_gives_way_to_hpas_and_the_first_by_name_acts(
    world: Cluster, informers: Informers
) -> None:
    rivals = Rivals(informers)
    one, other = spec(name="one"), spec(name="other")
    for each in (other, one):
        rivals.put(each, Meta(name=each.key.name, namespace="default", uid=f"file:{each.key}"))
    assert rivals.older(one) == ()
    assert rivals.older(other) == ("PodAutoscaler default/one",)
    await world.other.create(resources.HPAS, "default", HPA, into=objects.Partial)
    await seen(rivals)
    assert rivals.older(one) == ("HorizontalPodAutoscaler default/hpa",)
    assert rivals.younger(one) == ()


@pytest.mark.parametrize("mode", [Mode.ACTIVE, Mode.DRY_RUN])
async def test_a_younger_hpa_is_told_of_to_who_acts(world: Cluster, informers: Informers, mode: Mode) -> None:
    rivals = Rivals(informers)
    old = spec(name="old", mode=mode)
    rivals.put(old, made("old", 1))
    await world.other.create(resources.HPAS, "default", HPA, into=objects.Partial)
    await seen(rivals)
    assert rivals.older(old) == ()
    assert rivals.younger(old) == (("HorizontalPodAutoscaler default/hpa",) if mode is Mode.ACTIVE else ())
    await world.other.delete(resources.HPAS, "default", "hpa")
    async with asyncio.timeout(10):
        while rivals.younger(old):
            await asyncio.sleep(0.005)


async def test_nothing_is_seen_before_the_hpas_are(world: Cluster, informers: Informers) -> None:
    await world.create(cluster.deployment())
    subject = Targets(informers).for_spec(spec())
    with world.api.faults.during(Fault(agent="podtide", resource=resources.HPAS.name, status=500)):
        assert "500" in ((await subject.view(1.0)).failure or "")
    async with asyncio.timeout(10):
        while (await subject.view(1.0)).failure is not None:
            await asyncio.sleep(0.005)


async def test_who_may_not_list_hpas_knows_of_none(world: Cluster, informers: Informers) -> None:
    await world.create(cluster.deployment())
    world.api.faults.add(Fault(agent="podtide", resource=resources.HPAS.name, status=403))
    view = await Targets(informers).for_spec(spec()).view(1.0)
    assert (view.failure, view.rivals, view.younger) == (None, (), ())
