"""What bad input and trouble get: a condition and a message that a person can act on, and no scaling."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme

from podtide.control.app import App
from podtide.kube import resources
from podtide.local.faults import Fault
from podtide.local.metrics import Template
from podtide.local.pods import PodFleet, Profile
from tests.e2e.manifests import autoscaler, source, workload
from tests.e2e.site import METRIC, Site

pytestmark = pytest.mark.e2e


async def test_a_missing_deployment(site: Site, controller: App) -> None:
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web"))
    told = await site.condition("web", "AbleToScale", "False", "FailedGetScale")
    assert told["message"] == 'deployments.apps "web" not found'
    await site.event("web", "FailedGetScale")
    # It comes, and all is well without a restart.
    await site.load(web=5)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await site.condition("web", "ScalingActive", "True")
    await site.condition("web", "AbleToScale", "True")


async def test_no_such_kind(site: Site, controller: App) -> None:
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web", "Deploymint"))
    told = await site.condition("web", "AbleToScale", "False", "FailedGetScale")
    assert "the API server serves no kind 'Deploymint' in 'apps/v1'" in told["message"]


async def test_no_pods(site: Site, controller: App) -> None:
    # Nothing schedules them.
    body = workload("web", replicas=2)
    body["spec"]["template"]["spec"]["nodeSelector"] = {"no-such": "node"}
    body["spec"]["template"]["metadata"]["labels"]["page"] = "none"
    await site.load(web=5)
    await site.apply(resources.DEPLOYMENTS, body)
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web"))
    await site.condition("web", "ScalingActive", "False", saying="no pod of the target is ready")
    assert (await site.get(resources.DEPLOYMENTS, "web"))["spec"]["replicas"] == 2


async def test_pods_without_the_metric(site: Site, controller: App) -> None:
    await site.load(web=5)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    sources = [source(targetMetric="queue_lenght")]
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web", metricsSources=sources))
    # What the page has instead is told.
    told = await site.condition("web", "MetricsAvailable", "False", saying=METRIC)
    assert "queue_lenght" in told["message"]


async def test_a_spec_that_the_schema_lets_through(site: Site, controller: App) -> None:
    await site.load(web=5)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    sources = [source(targetValue="fifty")]
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web", metricsSources=sources))
    told = await site.condition("web", "ValidSpec", "False", "InvalidSpec")
    assert 'spec.metricsSources[0].targetValue: "fifty"' in told["message"]
    await site.event("web", "InvalidSpec")
    await site.merge(resources.AUTOSCALERS, "web", {"spec": {"metricsSources": [source()]}})
    await site.condition("web", "ValidSpec", "True")
    await site.condition("web", "ScalingActive", "True")


@asynccontextmanager
async def https_pods(site: Site) -> AsyncIterator[trustme.CA]:
    """Pods labelled `page: https` serve HTTPS with a certificate of an authority of their own."""
    assert site.api is not None
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("web.example").configure_cert(context)
    profile = Profile(
        Template.plain(METRIC, lambda _: 5.0), port=8443, labels={"page": "https"}, tls=context, startup=0.1
    )
    async with PodFleet(site.api.store, [profile]):
        yield authority


async def test_a_certificate_nobody_trusts(site: Site, controller: App) -> None:
    if site.api is None:
        pytest.skip("the image of the end-to-end pods speaks no TLS")
    async with https_pods(site) as authority:
        body = workload("web")
        body["spec"]["template"]["metadata"]["labels"]["page"] = "https"
        await site.apply(resources.DEPLOYMENTS, body)
        await site.ready(resources.DEPLOYMENTS, "web", 1)
        https = source(protocolType="https", port="8443")
        await site.apply(resources.AUTOSCALERS, autoscaler("web", "web", metricsSources=[https]))
        told = await site.condition("web", "MetricsAvailable", "False", saying="certificate")
        for remedy in ("caBundle", "caSecretRef", "insecureSkipVerify"):
            assert remedy in told["message"]

        # The first remedy leads to the second question, whose answer is in the message, too.
        tls = {"caBundle": authority.cert_pem.bytes().decode()}
        await site.merge(resources.AUTOSCALERS, "web", {"spec": {"metricsSources": [{**https, "tls": tls}]}})
        await site.condition("web", "MetricsAvailable", "False", saying="serverName")
        tls["serverName"] = "web.example"
        await site.merge(resources.AUTOSCALERS, "web", {"spec": {"metricsSources": [{**https, "tls": tls}]}})
        await site.condition("web", "MetricsAvailable", "True")
        await site.condition("web", "ScalingActive", "True")


async def test_an_api_server_that_is_away_for_a_while(site: Site, controller: App) -> None:
    if site.api is None:
        pytest.skip("a real API server cannot be asked to go away")
    await site.load(web=5)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web"))
    await site.condition("web", "ScalingActive", "True")
    with site.api.faults.partition(agent="podtide") as cut:
        await site.load(web=50)
        hits = cut.hits
        while cut.hits < hits + 20:
            await site.get(resources.DEPLOYMENTS, "web")
        assert (await site.get(resources.DEPLOYMENTS, "web"))["spec"]["replicas"] == 1
    await site.replicas(resources.DEPLOYMENTS, "web", 4)


@pytest.mark.parametrize("status", [429, 500])
async def test_a_patch_that_is_refused_for_a_while(site: Site, controller: App, status: int) -> None:
    if site.api is None:
        pytest.skip("a real API server cannot be asked to fail")
    await site.load(web=5)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web"))
    await site.condition("web", "ScalingActive", "True")
    site.api.faults.add(Fault(agent="podtide", verbs=("patch",), sub="scale", status=status, times=3, retry_after=1))
    await site.load(web=50)
    if status == 500:
        told = await site.event("web", "FailedRescale")
        assert "500" in told["note"]
    await site.replicas(resources.DEPLOYMENTS, "web", 4)
