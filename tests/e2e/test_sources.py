"""The whole controller on values that are derived or computed, and `podtide probe` of an autoscaler."""

import asyncio
import contextlib
import io
import json
from typing import Any

import pytest

from podtide.cli.main import main
from podtide.control.app import App
from podtide.kube import resources
from tests.e2e.manifests import autoscaler, source, workload
from tests.e2e.site import METRIC, Site

pytestmark = pytest.mark.e2e


async def test_a_deployment_follows_the_rate_of_a_counter(site: Site, controller: App) -> None:
    """Every pod's counter grows by 40 a second; at 10 a second each, one pod asks for four."""
    await site.load(web=100)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web", metricsSources=[source(valueType="rate")]))
    count = 100.0
    while (await site.get(resources.DEPLOYMENTS, "web"))["spec"]["replicas"] < 4:
        count += 10
        await site.load(web=count)
        await asyncio.sleep(0.25)
    # A counter that stands still has a rate of zero, which is a value: the workload shrinks.
    await site.replicas(resources.DEPLOYMENTS, "web", 1)


async def test_a_deployment_follows_a_formula(site: Site, controller: App) -> None:
    """Half of what one source says and half of what the other does: together what one pod shows, 35."""
    first = source(name="first", targetValue="1")
    second = source(name="second", targetValue="1", podAggregation="max")
    formula = {"expression": "(first + second) / 2", "targetValue": "10"}
    await site.load(web=35)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web", metricsSources=[first, second], formula=formula))
    await site.replicas(resources.DEPLOYMENTS, "web", 4)
    told = await site.until(
        resources.AUTOSCALERS,
        "web",
        lambda found: [each["name"] for each in found.get("status", {}).get("metrics", ())] == ["formula"],
    )
    assert "/10" in told["status"]["targets"]


async def probe(site: Site, *arguments: str) -> tuple[int, str, str]:
    """The exit code and what is printed; in a thread, as the command runs a loop of its own."""
    out, errors = io.StringIO(), io.StringIO()

    def run() -> int:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            return main(["probe", "--kubeconfig", site.kubeconfig, "-n", site.namespace, *arguments])

    return await asyncio.to_thread(run), out.getvalue(), errors.getvalue()


async def test_probe_looks_at_every_metric_of_every_pod(site: Site) -> None:
    await site.load(web=7)
    await site.apply(resources.DEPLOYMENTS, workload("web", replicas=2))
    await site.ready(resources.DEPLOYMENTS, "web", 2)
    waiting: dict[str, Any] = source(name="waiting", port="metrics")
    elsewhere = {"metricSourceType": "external", "endpoint": "127.0.0.1:1", "targetMetric": "jobs", "targetValue": "1"}
    sources = [waiting, source(targetMetric="queue_lenght"), {**_CPU}, elsewhere]
    formula = {"expression": "waiting * 2", "targetValue": "5"}
    manifest = autoscaler("web", "web", metricsSources=sources, formula=formula)
    manifest["spec"]["metricsSources"][0].pop("port")
    await site.apply(resources.AUTOSCALERS, manifest)

    code, printed, _ = await probe(site, "--autoscaler", "web", "--json")
    assert code == 1
    seen = json.loads(printed)
    assert seen["autoscaler"] == f"{site.namespace}/web"
    assert seen["target"] == "Deployment/web"
    first, second, cpu, jobs, computed = seen["metrics"].values()
    assert [(each["metric"], each["value"], each["samples"]) for each in first] == [(METRIC, 7.0, 1)] * 2
    assert all(each["pod"].startswith("web-") for each in first)
    assert {each["failure"]["reason"] for each in second} == {"MetricNotFound"}
    assert "names like it on the page: queue_length" in second[0]["failure"]["detail"]
    assert "install metrics-server" in cpu[0]["failure"]["detail"]
    assert (jobs[0]["failure"]["reason"], jobs[0]["facts"]["asked"][:18]) == ("ConnectionFailed", "http://127.0.0.1:1")
    assert (computed[0]["value"], computed[0]["facts"]["formula"]) == (28.0, "waiting * 2")

    code, printed, _ = await probe(site, "--autoscaler", "web", "--metric", "formula")
    assert code == 0
    assert "Deployment/web, 2 replicas, 2 pods, 2 ready" in printed
    assert "formula = 28" in printed


_CPU = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "50"}


async def test_probe_looks_at_one_pod(site: Site) -> None:
    await site.load(web=7)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await site.ready(resources.DEPLOYMENTS, "web", 1)
    pods, _ = await site.client.list(resources.PODS, site.namespace, into=dict[str, Any])
    code, printed, _ = await probe(site, "--pod", pods[0]["metadata"]["name"], "--metric", METRIC)
    assert (code, printed.splitlines()[-1]) == (0, f"{METRIC} = 7")


async def test_probe_says_what_is_wrong_with_an_object(site: Site) -> None:
    code, _, errors = await probe(site, "--autoscaler", "nobody")
    assert code == 1
    assert "kubectl get pas" in errors
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web", metricsSources=[source(targetValue="many")]))
    code, _, errors = await probe(site, "--autoscaler", "web")
    assert code == 1
    assert 'spec.metricsSources[0].targetValue: "many" is not a number' in errors
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web"))
    code, _, errors = await probe(site, "--autoscaler", "web")
    assert code == 1
    assert "not found" in errors
