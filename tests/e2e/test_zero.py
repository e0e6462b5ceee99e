"""To zero and back: while there are no pods, a page outside of them tells of the load."""

import pytest

from podtide.control.app import App
from podtide.kube import resources
from tests.e2e.manifests import autoscaler, source, workload
from tests.e2e.site import PORT, Site

pytestmark = pytest.mark.e2e


async def test_a_workload_goes_to_zero_and_comes_back(site: Site, controller: App) -> None:
    await site.load(gate=0, web=0)
    await site.apply(resources.DEPLOYMENTS, workload("gate"))
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await site.ready(resources.DEPLOYMENTS, "gate", 1)
    pods, _ = await site.client.list(resources.PODS, site.namespace, into=dict, labelSelector="app=gate")
    endpoint = f"{pods[0]['status']['podIP']}:{PORT}"
    queue = source(metricSourceType="domain", endpoint=endpoint)
    del queue["port"]
    body = autoscaler("web", "web", minReplicas=0, metricsSources=[queue], kpa={"scaleToZeroGraceSeconds": 1})
    await site.apply(resources.AUTOSCALERS, body)
    await site.replicas(resources.DEPLOYMENTS, "web", 0)
    await site.condition("web", "ScaledToZero", "True")

    await site.load(gate=25)
    await site.until(resources.DEPLOYMENTS, "web", lambda found: found["spec"].get("replicas", 0) > 0)
    await site.load(gate=0)
    await site.replicas(resources.DEPLOYMENTS, "web", 0)


async def test_a_workload_that_nothing_could_wake_says_so(site: Site, controller: App) -> None:
    await site.load(web=0)
    await site.apply(resources.DEPLOYMENTS, workload("web", replicas=0))
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web", minReplicas=0))
    told = await site.condition("web", "ScalingActive", "False", "ScalingDisabled")
    assert "add a source of type external, prometheus or endpoint" in told["message"]
