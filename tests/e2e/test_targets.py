"""Other targets and other company: a StatefulSet, a kind of somebody's own, a rival, a person, zero."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from podtide.control.app import App
from podtide.kube import resources
from tests.e2e.manifests import autoscaler, workload
from tests.e2e.site import DEFINITIONS, SERVICES, Site, until_served
from tests.targets import kinds

pytestmark = pytest.mark.e2e

ENGINES = kinds.ENGINES


async def test_a_stateful_set_follows_its_load(site: Site, controller: App) -> None:
    await site.load(db=50)
    await site.apply(SERVICES, {"metadata": {"name": "db"}, "spec": {"clusterIP": "None", "selector": {"app": "db"}}})
    body = workload("db", serviceName="db", podManagementPolicy="Parallel")
    await site.apply(resources.STATEFUL_SETS, body)
    await site.apply(resources.AUTOSCALERS, autoscaler("db", "db", "StatefulSet"))
    await site.replicas(resources.STATEFUL_SETS, "db", 4)
    await site.ready(resources.STATEFUL_SETS, "db", 4)
    await site.load(db=0)
    await site.replicas(resources.STATEFUL_SETS, "db", 1)


async def test_a_kind_of_ones_own_is_scaled_through_its_scale(site: Site, controller: App) -> None:
    await site.client.patch(
        DEFINITIONS,
        "",
        ENGINES.name,
        kinds.definition(ENGINES),
        into=dict[str, Any],
        content_type="application/apply-patch+yaml",
        force="true",
    )
    await until_served(site.client, ENGINES)
    await site.load(web=50)
    engine = await site.apply(ENGINES, {"metadata": {"name": "web"}, "spec": {"workers": {"count": 1}}})
    # What its operator makes of it: a Deployment.
    body = workload("web")
    body["metadata"]["ownerReferences"] = [
        {
            "apiVersion": ENGINES.api_version,
            "kind": ENGINES.kind,
            "name": "web",
            "uid": engine["metadata"]["uid"],
            "controller": True,
        }
    ]
    await site.apply(resources.DEPLOYMENTS, body)
    await site.ready(resources.DEPLOYMENTS, "web", 1)
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web", ENGINES.kind, ENGINES.api_version))
    async with operator(site):
        await site.until(ENGINES, "web", lambda found: found["spec"]["workers"]["count"] == 4)
        await site.ready(resources.DEPLOYMENTS, "web", 4)
        await site.load(web=0)
        await site.replicas(resources.DEPLOYMENTS, "web", 1)


@asynccontextmanager
async def operator(site: Site) -> AsyncIterator[None]:
    """Keeps the Deployment as large as the Engine."""

    async def follow() -> None:
        while True:
            count = (await site.get(ENGINES, "web"))["spec"]["workers"]["count"]
            if (await site.get(resources.DEPLOYMENTS, "web"))["spec"]["replicas"] != count:
                await site.merge(resources.DEPLOYMENTS, "web", {"spec": {"replicas": count}}, sub="scale")
            await asyncio.sleep(0.1)

    task = asyncio.create_task(follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_of_two_autoscalers_the_older_acts_until_it_goes(site: Site, controller: App) -> None:
    await site.load(web=5)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await site.apply(resources.AUTOSCALERS, autoscaler("older", "web", maxReplicas=2))
    await site.condition("older", "ScalingActive", "True")
    # The API server counts ages in whole seconds.
    await asyncio.sleep(1.1)
    await site.apply(resources.AUTOSCALERS, autoscaler("younger", "web", maxReplicas=3))
    told = await site.condition("younger", "MultiPodAutoscalerConflict", "True")
    assert "PodAutoscaler" in told["message"]
    assert "older" in told["message"]
    await site.event("younger", told["reason"])
    await site.load(web=50)
    await site.replicas(resources.DEPLOYMENTS, "web", 2)
    await site.until(resources.AUTOSCALERS, "younger", lambda found: found["status"].get("desiredScale") == 3)
    assert (await site.get(resources.DEPLOYMENTS, "web"))["spec"]["replicas"] == 2
    await site.delete(resources.AUTOSCALERS, "older")
    await site.condition("younger", "MultiPodAutoscalerConflict", "False")
    await site.replicas(resources.DEPLOYMENTS, "web", 3)


async def test_an_older_horizontal_pod_autoscaler_is_left_alone(site: Site, controller: App) -> None:
    await site.load(web=50)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    await site.apply(resources.HPAS, {"metadata": {"name": "hpa"}, "spec": {"maxReplicas": 2, "scaleTargetRef": ref}})
    await asyncio.sleep(1.1)
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web"))
    told = await site.condition("web", "MultiPodAutoscalerConflict", "True")
    assert "HorizontalPodAutoscaler" in told["message"]
    await site.delete(resources.HPAS, "hpa")
    await site.replicas(resources.DEPLOYMENTS, "web", 4)


async def test_a_younger_horizontal_pod_autoscaler_is_told_of(site: Site, controller: App) -> None:
    await site.load(web=50)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web", maxReplicas=2))
    await site.replicas(resources.DEPLOYMENTS, "web", 2)
    await asyncio.sleep(1.1)
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    await site.apply(resources.HPAS, {"metadata": {"name": "hpa"}, "spec": {"maxReplicas": 9, "scaleTargetRef": ref}})
    told = await site.condition("web", "MultiPodAutoscalerConflict", "True", "YoungerAutoscaler")
    assert f"HorizontalPodAutoscaler {site.namespace}/hpa" in told["message"]
    assert (await site.event("web", "YoungerAutoscaler"))["type"] == "Warning"
    await site.delete(resources.HPAS, "hpa")
    await site.condition("web", "MultiPodAutoscalerConflict", "False")


async def test_what_a_person_sets_is_taken_for_granted_and_told_once(site: Site, controller: App) -> None:
    await site.load(web=10)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    slow = {"scaleDown": {"stabilizationWindowSeconds": 3600}}
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web", behavior=slow))
    await site.condition("web", "ScalingActive", "True")
    await site.merge(resources.DEPLOYMENTS, "web", {"spec": {"replicas": 3}}, sub="scale")
    told = await site.event("web", "OutsideChange")
    assert told["note"].startswith("replicas 1 → 3, set by somebody else")
    await site.until(resources.AUTOSCALERS, "web", lambda found: found["status"].get("actualScale") == 3)
    assert (await site.get(resources.DEPLOYMENTS, "web"))["spec"]["replicas"] == 3
    assert [event["reason"] for event in await site.events("web")].count("OutsideChange") == 1


async def test_dry_run_says_what_it_would_do(site: Site, controller: App) -> None:
    await site.load(web=50)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web", mode="DryRun"))
    await site.until(resources.AUTOSCALERS, "web", lambda found: found["status"].get("desiredScale", 1) > 1)
    await site.condition("web", "DryRun", "True")
    assert (await site.get(resources.DEPLOYMENTS, "web"))["spec"]["replicas"] == 1
