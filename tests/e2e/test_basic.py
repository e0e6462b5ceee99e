"""The main job through a kubeconfig alone: a Deployment grows with its load and shrinks with it."""

import pytest

from podtide.control.app import App
from podtide.kube import resources
from tests.e2e.manifests import autoscaler, workload
from tests.e2e.site import Site

pytestmark = pytest.mark.e2e


async def test_a_deployment_follows_its_load(site: Site, controller: App) -> None:
    await site.load(web=5)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web"))
    await site.condition("web", "ScalingActive", "True", "ValidMetricFound")

    await site.load(web=50)
    await site.replicas(resources.DEPLOYMENTS, "web", 4)
    await site.ready(resources.DEPLOYMENTS, "web", 4)
    told = await site.event("web", "SuccessfulRescale")
    assert "New size: " in told["note"]
    assert "queue_length" in told["note"]
    grown = await site.until(resources.AUTOSCALERS, "web", lambda found: found["status"].get("actualScale") == 4)
    assert grown["status"]["desiredScale"] == 4
    assert grown["status"]["scalingHistory"][-1]["newScale"] == 4
    assert grown["status"]["lastScaleTime"]

    await site.load(web=0)
    await site.replicas(resources.DEPLOYMENTS, "web", 1)
    shrunk = await site.until(resources.AUTOSCALERS, "web", lambda found: found["status"].get("actualScale") == 1)
    conditions = {one["type"]: one["status"] for one in shrunk["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert conditions["ValidSpec"] == "True"
