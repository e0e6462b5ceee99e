"""The whole controller on the metrics APIs of add-ons, which the embedded server plays with data set here."""

from typing import Any

import pytest

from podtide.control.app import App
from podtide.kube import resources
from podtide.local.addons import MetricsApis, Series
from tests.e2e.manifests import autoscaler, workload
from tests.e2e.site import Site

pytestmark = pytest.mark.e2e


def apis(site: Site) -> MetricsApis:
    if site.api is None:
        pytest.skip("the add-ons of a real cluster say what they measure, not what a test wants")
    return site.api.metrics


def source(kind: str, metric: str, value: str, **more: Any) -> dict[str, Any]:
    return {"metricSourceType": kind, "targetMetric": metric, "targetValue": value, "intervalSeconds": 1, **more}


async def scaled(site: Site, *sources: dict[str, Any], **more: Any) -> None:
    """A Deployment of one pod, and what scales it."""
    await site.load(web=0)
    body = workload("web")
    body["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "200m", "memory": "64Mi"}}
    await site.apply(resources.DEPLOYMENTS, body)
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web", metricsSources=list(sources), **more))


async def test_cpu_in_per_cent_of_the_request_once_metrics_server_is_there(site: Site, controller: App) -> None:
    """Every pod uses 300m of the 200m it asks for: 150 per cent, and 50 are wanted."""
    found = apis(site)
    await scaled(site, source("resource", "cpu", "50", targetType="Utilization"))
    await site.condition("web", "MetricsAvailable", "False", saying="install metrics-server")
    used = {"cpu": "300m", "memory": "10Mi"}
    found.usage = lambda _, __: used
    await site.replicas(resources.DEPLOYMENTS, "web", 4)
    used["cpu"] = "10m"
    await site.replicas(resources.DEPLOYMENTS, "web", 1)


async def test_memory_in_bytes(site: Site, controller: App) -> None:
    apis(site).usage = lambda _, __: {"cpu": "1m", "memory": "96Mi"}
    await scaled(site, source("resource", "memory", str(48 * 2**20)))
    await site.replicas(resources.DEPLOYMENTS, "web", 4)


async def test_a_custom_metric_of_pods(site: Site, controller: App) -> None:
    values = {"rps": "25"}
    apis(site).custom["rps"] = lambda _: values["rps"]
    await scaled(site, source("custom", "rps", "10"))
    await site.replicas(resources.DEPLOYMENTS, "web", 4)
    values["rps"] = "500m"
    await site.replicas(resources.DEPLOYMENTS, "web", 1)


async def test_an_external_metric_wakes_a_workload_from_zero(site: Site, controller: App) -> None:
    external = apis(site).external
    external["depth"] = [Series("0", {"queue": "in"}), Series("900", {"queue": "other"})]
    queue = source("external", "depth", "10", selector={"matchLabels": {"queue": "in"}})
    await scaled(site, queue, minReplicas=0, kpa={"scaleToZeroGraceSeconds": 1})
    await site.replicas(resources.DEPLOYMENTS, "web", 0)
    external["depth"] = [Series("25", {"queue": "in"})]
    await site.replicas(resources.DEPLOYMENTS, "web", 3)
