"""The release as it is installed: the controller starts with what the chart gives it, with just enough rights."""

import asyncio
import ssl

import pytest
import trustme
import yaml

from podtide.local.addons import Series
from podtide.local.faults import Fault
from tests.chart.release import PATIENCE, Object, Release, Right, rendered, scraped, without, work
from tests.targets import kinds

RIGHTS: tuple[Right, ...] = (
    ("list", "autoscaling.aibrix.ai", "podautoscalers"),
    ("watch", "autoscaling.aibrix.ai", "podautoscalers"),
    ("patch", "autoscaling.aibrix.ai", "podautoscalers/status"),
    ("create", "events.k8s.io", "events"),
    ("list", "", "pods"),
    ("watch", "", "pods"),
    ("list", "apps", "deployments"),
    ("watch", "apps", "deployments"),
    ("list", "apps", "replicasets"),
    ("watch", "apps", "replicasets"),
    ("patch", "apps", "deployments/scale"),
    ("list", "autoscaling", "horizontalpodautoscalers"),
    ("watch", "autoscaling", "horizontalpodautoscalers"),
    ("get", "", "secrets"),
    *((verb, "coordination.k8s.io", "leases") for verb in ("create", "get", "update")),
    ("get", "", "configmaps"),
    ("create", "", "configmaps"),
)
"""All that one Deployment's autoscaler with a token from a Secret asks for, until it ends in order."""
SHARING: tuple[Right, ...] = tuple((verb, "coordination.k8s.io", "leases") for verb in ("delete", "list", "patch"))
"""What replicas that share shards out ask for besides."""
AT_THE_END = {("delete", "coordination.k8s.io", "leases"), ("create", "", "configmaps")}
"""What it asks for as it ends."""
LATER = {("update", "", "configmaps")}
"""What a controller that runs for longer asks for besides; the tests of its parts do."""


@pytest.mark.parametrize(
    ("values", "rights"),
    [
        pytest.param({}, RIGHTS, id="a ClusterRole"),
        pytest.param({"watchNamespaces": ["shop", "search"]}, RIGHTS, id="Roles of the watched namespaces"),
        pytest.param({"controller": {"shards": 2}}, RIGHTS + SHARING, id="two shards"),
    ],
)
async def test_the_installed_controller_scales_with_just_these_rights(
    release: Release, values: Object, rights: tuple[Right, ...]
) -> None:
    async with release.running(rendered(rbac={"aggregate": False}, **values), work()) as controller:
        await controller.until(lambda: controller.replicas() == 4, "never scaled")
        soon = set(rights) - AT_THE_END
        await controller.until(lambda: soon <= controller.audit.asked, "some rights were never asked for")
        found = await controller.cluster.get("/apis/autoscaling.aibrix.ai/v1alpha1/namespaces/shop/podautoscalers/web")
        assert found["status"]["desiredScale"] > 1
    assert controller.audit.asked - LATER == set(rights)
    assert controller.audit.refused == set()


@pytest.mark.parametrize(
    "right",
    [
        ("list", "autoscaling.aibrix.ai", "podautoscalers"),
        ("list", "", "pods"),
        ("get", "", "secrets"),
        ("create", "coordination.k8s.io", "leases"),
        ("patch", "apps", "deployments/scale"),
    ],
    ids=lambda right: f"{right[0]} {right[2]}",
)
async def test_nothing_scales_with_one_right_less(release: Release, right: Right) -> None:
    async with release.running(without(rendered(), right), work()) as controller:
        await controller.until(lambda: right in controller.audit.refused, f"{right} was never refused")
    assert controller.replicas() == 1


async def test_a_count_that_may_not_be_changed_is_no_healthy_autoscaler(release: Release) -> None:
    """In HPA's words, so that `kubectl get` and the alert PodtideNotScaling tell."""
    patch = ("patch", "apps", "deployments/scale")
    path = "/apis/autoscaling.aibrix.ai/v1alpha1/namespaces/shop/podautoscalers/web"
    async with release.running(without(rendered(), patch), work()) as controller:
        able: Object = {}
        await controller.until(lambda: patch in controller.audit.refused, "never tried")
        async with asyncio.timeout(PATIENCE):
            while able.get("status") != "False":
                status = (await controller.cluster.get(path)).get("status", {})
                able = next((one for one in status.get("conditions", ()) if one["type"] == "AbleToScale"), {})
                await asyncio.sleep(0.02)
        assert able["reason"] == "FailedUpdateScale"
        assert "deployments.apps" in able["message"]
        told = {"namespace": "shop", "name": "web", "condition": "AbleToScale"}
        shown = controller.app.meters.registry.get_sample_value("podtide_autoscaler_condition", told)
        assert shown == 0.0


async def test_scaling_goes_on_without_courtesies(release: Release) -> None:
    courtesies = {("create", "events.k8s.io", "events"), ("list", "autoscaling", "horizontalpodautoscalers")}
    documents = rendered()
    for right in courtesies:
        documents = without(documents, right)
    async with release.running(documents, work()) as controller:
        await controller.until(lambda: controller.replicas() == 4, "never scaled")
        await controller.until(lambda: controller.audit.refused == courtesies, "courtesies were never refused")


async def test_without_leader_election_no_lease_is_asked_for(release: Release) -> None:
    alone = {"replicaCount": 1, "controller": {"leaderElection": {"enabled": False}}}
    async with release.running(rendered(**alone), work()) as controller:
        await controller.until(lambda: controller.replicas() == 4, "never scaled")
    assert "leases" not in {resource for _, _, resource in controller.audit.asked}
    assert controller.audit.refused == set()


async def test_autoscalers_from_files_need_nothing_of_their_kind(release: Release) -> None:
    *others, autoscaler = work()
    release.mount("autoscalers", "web.yaml", yaml.safe_dump(autoscaler))
    documents = rendered(controller={"fromFiles": {"configMap": "autoscalers"}})
    async with release.running(documents, others) as controller:
        await controller.until(lambda: controller.replicas() == 4, "never scaled")
    assert "autoscaling.aibrix.ai" not in {group for _, group, _ in controller.audit.asked}
    assert controller.audit.refused == set()


async def test_a_mounted_authority_and_client_certificate_are_read_where_the_chart_puts_them(release: Release) -> None:
    """The pods want a certificate of whoever asks, and have one of an authority that only the mount knows."""
    authority, served = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("web.shop.svc").configure_cert(served)
    authority.configure_trust(served)
    served.verify_mode = ssl.CERT_REQUIRED
    ours = authority.issue_cert("podtide.podtide-system.svc")
    release.mount("ca", "bundle.pem", authority.cert_pem.bytes().decode())
    release.mount("client", "tls.crt", ours.cert_chain_pems[0].bytes().decode())
    release.mount("client", "tls.key", ours.private_key_pem.bytes().decode())
    documents = rendered(tls={"caSecret": {"name": "ca", "key": "bundle.pem"}, "clientCertSecret": "podtide-client"})
    source = scraped(protocolType="https", tls={"serverName": "web.shop.svc"})
    async with release.running(documents, work(source), tls=served) as controller:
        await controller.until(lambda: controller.replicas() == 4, "never scaled")


async def test_a_stateful_set_is_scaled_with_the_rights_there_are(release: Release) -> None:
    async with release.running(rendered(), work(kind="StatefulSet")) as controller:
        await controller.until(lambda: controller.replicas("statefulsets") == 4, "never scaled")
        assert ("patch", "apps", "statefulsets/scale") in controller.audit.asked
        assert controller.audit.refused == set()


async def test_a_status_that_is_refused_is_looked_into_with_the_rights_there_are(release: Release) -> None:
    look = ("get", "autoscaling.aibrix.ai", "podautoscalers")
    async with release.running(rendered(), work()) as controller:
        status = Fault(verbs=("patch",), resource="podautoscalers.autoscaling.aibrix.ai", sub="status", status=422)
        with controller.cluster.api.faults.during(status):
            await controller.until(lambda: look in controller.audit.asked, "never looked")
            await controller.until(lambda: controller.replicas() == 4, "never scaled")
        assert controller.audit.refused == set()


METRICS_APIS = {"resource": True, "custom": True, "external": True}


@pytest.mark.parametrize(
    ("kind", "metric", "right"),
    [
        ("resource", "cpu", ("list", "metrics.k8s.io", "pods")),
        ("custom", "rps", ("get", "custom.metrics.k8s.io", "pods/rps")),
        ("external", "depth", ("list", "external.metrics.k8s.io", "depth")),
    ],
)
@pytest.mark.parametrize("granted", [True, False])
async def test_each_metrics_api_needs_what_its_value_grants(
    release: Release, *, kind: str, metric: str, right: Right, granted: bool
) -> None:
    source = {"metricSourceType": kind, "targetMetric": metric, "targetValue": "10", "intervalSeconds": 1}
    documents = rendered(rbac={"metricsApis": {**METRICS_APIS, kind: granted}})
    async with release.running(documents, work(source)) as controller:
        apis = controller.cluster.api.metrics
        apis.usage = lambda _, __: {"cpu": "100m", "memory": "1Mi"}
        apis.custom["rps"] = lambda _: "100"
        apis.external["depth"] = [Series("100", {})]
        if granted:
            await controller.until(lambda: controller.replicas() == 4, "never scaled")
            assert right in controller.audit.asked
        else:
            await controller.until(lambda: right in controller.audit.refused, f"{right} was never refused")
            assert controller.replicas() == 1
        assert controller.audit.refused <= {right}


LEADER_SET = {"apiVersion": kinds.LEADER_SETS.api_version, "kind": "LeaderWorkerSet", "name": "web"}


async def test_a_target_of_another_kind_is_scaled_with_the_rights_that_extra_targets_grant(release: Release) -> None:
    """A LeaderWorkerSet has its pods from a StatefulSet, which has them."""
    group = kinds.LEADER_SETS.group
    documents = rendered(rbac={"extraTargets": [{"apiGroup": group, "resources": ["leaderworkersets"]}]})
    leader_set = {
        "apiVersion": kinds.LEADER_SETS.api_version,
        "kind": "LeaderWorkerSet",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 1},
    }
    secret, between, autoscaler = work(kind="StatefulSet", scaleTargetRef=LEADER_SET)
    async with release.running(documents, [kinds.definition(kinds.LEADER_SETS), secret, leader_set]) as controller:
        made = await controller.cluster.get(f"/apis/{group}/v1/namespaces/shop/leaderworkersets/web")
        owner = {**LEADER_SET, "uid": made["metadata"]["uid"], "controller": True}
        between["metadata"] = {**between["metadata"], "ownerReferences": [owner]}
        await controller.cluster.install([between, autoscaler])
        await controller.until(lambda: ("patch", group, "leaderworkersets/scale") in controller.audit.asked, "no patch")
        assert ("get", "apps", "statefulsets") in controller.audit.asked
        assert controller.audit.refused == set()


async def test_a_role_of_a_storm_service_is_scaled_with_the_rights_that_its_value_grants(release: Release) -> None:
    """A StormService has its pods from RoleSets."""
    storm, role_set = kinds.STORM_SERVICES, kinds.ROLE_SETS
    reference = {"apiVersion": storm.api_version, "kind": "StormService", "name": "web"}
    roles = [{"name": "decode", "replicas": 1, "template": {}}]
    meta = {"name": "web", "namespace": "shop"}
    service = {
        **{name: reference[name] for name in ("apiVersion", "kind")},
        "metadata": meta,
        "spec": {"replicas": 1, "template": {"spec": {"roles": roles}}},
    }
    secret, _, autoscaler = work(scaleTargetRef=reference, subTargetSelector={"roleName": "decode"})
    definitions = [kinds.definition(storm), kinds.definition(role_set)]
    async with release.running(rendered(rbac={"stormServices": True}), [*definitions, secret, service]) as controller:
        root = f"/apis/{storm.api_version}/namespaces/shop"
        above = {**reference, "uid": (await controller.cluster.get(f"{root}/stormservices/web"))["metadata"]["uid"]}
        await controller.cluster.install(
            [
                {
                    "apiVersion": role_set.api_version,
                    "kind": "RoleSet",
                    "metadata": {**meta, "ownerReferences": [{**above, "controller": True}]},
                }
            ]
        )
        uid = (await controller.cluster.get(f"{root}/rolesets/web"))["metadata"]["uid"]
        owner = {"apiVersion": role_set.api_version, "kind": "RoleSet", "name": "web", "uid": uid, "controller": True}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**meta, "labels": {"role-name": "decode"}, "ownerReferences": [owner]},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        }
        await controller.cluster.install([pod, autoscaler])
        await controller.until(lambda: ("patch", storm.group, "stormservices") in controller.audit.asked, "no patch")
        assert ("get", storm.group, "rolesets") in controller.audit.asked
        assert controller.audit.refused == set()
