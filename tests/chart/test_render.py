import re
from typing import Any

import pytest
import yaml

import podtide
from podtide.cli import main, run
from tests.chart import cluster, helm

CASES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "two namespaces": {"watchNamespaces": ["shop", "search", "shop"]},
    "single replica without leases": {"replicaCount": 1, "controller": {"leaderElection": {"enabled": False}}},
    "shards": {"replicaCount": 3, "controller": {"shards": 3, "leaderElection": {"leaseName": "tide"}}},
    "own service account": {"serviceAccount": {"create": False, "name": "mine"}},
    "no rights": {"rbac": {"create": False}},
    "more targets": {
        "rbac": {
            "extraTargets": [{"apiGroup": "leaderworkerset.x-k8s.io", "resources": ["leaderworkersets"]}],
            "stormServices": True,
            "markPods": True,
            "secrets": {"names": ["shop-ca"]},
            "configMaps": {"enabled": False},
            "metricsApis": {"resource": False, "custom": True, "external": True},
            "scrapeMetrics": True,
            "aggregate": False,
        }
    },
    "everything observed": {
        "metrics": {
            "serviceMonitor": {
                "enabled": True,
                "labels": {"release": "prometheus"},
                "relabelings": [{"action": "labeldrop", "regex": "pod"}],
                "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "python_.*"}],
            },
            "podMonitor": {"enabled": True, "interval": "5s"},
            "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
            "dashboard": {"enabled": True, "annotations": {"folder": "Scaling"}},
        }
    },
    "metrics without a service": {"metrics": {"service": {"enabled": False}, "podMonitor": {"enabled": True}}},
    "authorities of a ConfigMap": {
        "tls": {"caConfigMap": {"name": "ca", "key": "bundle.pem"}, "clientCertSecret": "me"}
    },
    "authorities of a Secret": {"tls": {"caSecret": {"name": "ca"}}},
    "skip verification": {"tls": {"insecureSkipVerify": True}},
    "no mesh": {"mesh": {"mode": "disabled"}},
    "mesh leaves ports alone": {"mesh": {"mode": "excludePorts", "scrapedPorts": [8000, 9090]}},
    "mesh certificates": {"mesh": {"mode": "istioCertificates"}},
    "closed network": {
        "networkPolicy": {
            "enabled": True,
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "egress": [{"ports": [{"port": 443}, {"port": 8000}]}],
        }
    },
    "open network policy": {"networkPolicy": {"enabled": True}},
    "files": {"controller": {"fromFiles": {"configMap": "autoscalers"}}},
    "no disruption budget": {"podDisruptionBudget": {"enabled": False}},
    "half may go": {"podDisruptionBudget": {"maxUnavailable": "50%"}},
    "placed": {
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"key": "system", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "system-cluster-critical",
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}
        ],
        "podLabels": {"team": "platform"},
        "podAnnotations": {"note": "x"},
        "commonLabels": {"cost-center": "42"},
        "imagePullSecrets": [{"name": "registry"}],
        "image": {"digest": f"sha256:{'0' * 64}"},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
        "fullnameOverride": "tide",
    },
}


@pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())
async def test_the_api_server_accepts_every_document(values: dict[str, Any]) -> None:
    documents = helm.render(values)
    assert [helm.unknown_fields(document) for document in documents] == [[]] * len(documents)
    async with cluster.opened() as opened:
        await opened.install(documents, helm.NAMESPACE)


def test_a_misspelt_field_would_be_found() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": "80", "appProtcol": "http"}]}}
    assert helm.unknown_fields(service) == [".spec.ports[0].port: '80' is no int", ".spec.ports[0].appProtcol"]


def test_lint_finds_nothing() -> None:
    report = helm.lint()
    assert report["errors"] == []
    # An icon is a link to a picture somewhere else, which we do without.
    assert [told["error"] for told in report["messages"]] == ["icon is recommended"]


def test_the_chart_brings_the_definition_of_config() -> None:
    (found,) = helm.chart().crds
    assert found["data"] == (helm.CHART.parents[1] / "config/crd/podautoscalers.autoscaling.aibrix.ai.yaml").read_text()


def test_every_value_is_in_the_schema_with_a_default() -> None:
    schema, values = helm.chart().schema, helm.chart().values
    assert schema is not None
    assert _names(schema) - {"global"} == _paths(values, schema)


def _names(schema: dict[str, Any], path: str = "") -> set[str]:
    found = set()
    for name, inner in schema.get("properties", {}).items():
        found.add(f"{path}{name}")
        found |= _names(inner, f"{path}{name}.")
    return found


def _paths(values: dict[str, Any], schema: dict[str, Any], path: str = "") -> set[str]:
    found = set()
    for name, value in values.items():
        found.add(f"{path}{name}")
        inner = schema["properties"].get(name, {})
        if isinstance(value, dict) and "properties" in inner:
            found |= _paths(value, inner, f"{path}{name}.")
    return found


def test_the_pod_meets_the_restricted_standard() -> None:
    pod = helm.only(helm.render(), "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert not [volume for volume in pod.get("volumes", ()) if "hostPath" in volume]


def test_two_releases_share_no_cluster_wide_name() -> None:
    def names(release: str) -> set[tuple[str, str]]:
        documents = helm.render({"rbac": {"scrapeMetrics": True}}, name=release)
        return {
            (document["kind"], document["metadata"]["name"]) for document in documents if "Cluster" in document["kind"]
        }

    assert len(names("podtide")) == 6
    assert not names("podtide") & names("blue")


def test_namespaces_that_are_watched_are_all_that_is_granted() -> None:
    documents = helm.render({"watchNamespaces": ["shop", "search"], "rbac": {"aggregate": False}})
    assert "ClusterRole" not in {document["kind"] for document in documents}
    granted = {document["metadata"]["namespace"] for document in documents if document["kind"] == "Role"}
    assert granted == {"shop", "search", helm.NAMESPACE}
    assert {"--namespace=shop", "--namespace=search"} <= set(helm.container(documents)["args"])


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        pytest.param([], {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}, id="any, one at a time"),
        pytest.param(
            ["shop-ca"],
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["shop-ca"], "verbs": ["get"]},
            id="only this one",
        ),
    ],
)
def test_secrets_can_be_got_and_never_listed(names: list[str], rule: dict[str, Any]) -> None:
    rules = helm.only(helm.render({"rbac": {"aggregate": False, "secrets": {"names": names}}}), "ClusterRole")["rules"]
    assert [found for found in rules if "secrets" in found["resources"]] == [rule]


@pytest.mark.parametrize(("marks", "verbs"), [(False, ["list", "watch"]), (True, ["list", "watch", "patch"])])
def test_pods_can_be_patched_where_that_is_asked_for(*, marks: bool, verbs: list[str]) -> None:
    role = helm.only(helm.render({"rbac": {"markPods": marks, "aggregate": False}}), "ClusterRole")
    (rule,) = [rule for rule in role["rules"] if (rule["apiGroups"], rule["resources"]) == ([""], ["pods"])]
    assert rule["verbs"] == verbs


def test_the_lease_right_is_for_the_shards_leases_alone() -> None:
    documents = helm.render({"controller": {"shards": 2}})
    rules = helm.only(documents, "Role")["rules"]
    assert rules[0]["resourceNames"] == ["podtide", "podtide-0", "podtide-1"]
    assert [rule for rule in rules if {"get", "update"} & set(rule["verbs"]) and rule["resources"] == ["leases"]] == [
        rules[0]
    ]


def test_mounted_authorities_are_named_by_the_flags() -> None:
    values = {"tls": {"caConfigMap": {"name": "ca", "key": "bundle.pem"}, "clientCertSecret": "me"}}
    container = helm.container(helm.render(values))
    assert {
        "--tls-ca-file=/etc/podtide/ca/bundle.pem",
        "--tls-cert-file=/etc/podtide/client/tls.crt",
        "--tls-key-file=/etc/podtide/client/tls.key",
    } <= set(container["args"])
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/etc/podtide/ca", "/etc/podtide/client"]


def test_the_certificate_sidecar_carries_no_traffic() -> None:
    template = helm.only(helm.render({"mesh": {"mode": "istioCertificates"}}), "Deployment")["spec"]["template"]
    annotations = template["metadata"]["annotations"]
    assert annotations["traffic.sidecar.istio.io/includeOutboundIPRanges"] == ""
    assert annotations["traffic.sidecar.istio.io/includeInboundPorts"] == ""
    assert annotations["sidecar.istio.io/rewriteAppHTTPProbers"] == "false"
    config = yaml.safe_load(annotations["proxy.istio.io/config"])
    assert config == {"proxyMetadata": {"OUTPUT_CERTS": "/etc/istio-output-certs"}}
    assert (
        "--tls-cert-file=/etc/istio-certs/cert-chain.pem"
        in helm.container(helm.render({"mesh": {"mode": "istioCertificates"}}))["args"]
    )


def test_two_pods_without_a_lease_never_run_side_by_side() -> None:
    alone = {"replicaCount": 1, "controller": {"leaderElection": {"enabled": False}}}
    assert helm.only(helm.render(alone), "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert "strategy" not in helm.only(helm.render(), "Deployment")["spec"]


def test_a_long_release_name_makes_names_that_kubernetes_takes() -> None:
    documents = helm.render(
        {"metrics": {"dashboard": {"enabled": True}}}, name="a-release-name-of-fifty-three-characters-the-most-hm"
    )
    service = helm.only(documents, "Service")["metadata"]["name"]
    assert len(service) <= 63
    assert service.endswith("-metrics")
    assert [found for found in documents if len(found["metadata"]["name"]) > 253] == []


def test_files_ask_for_nothing_of_a_kind_that_may_not_be_installed() -> None:
    documents = helm.render({"controller": {"fromFiles": {"configMap": "autoscalers"}}})
    granted = [rule for found in documents for rule in found.get("rules", ())]
    assert "autoscaling.aibrix.ai" not in {group for rule in granted for group in rule.get("apiGroups", ())}


def test_every_value_of_scraping_is_a_flag() -> None:
    scrape = {"timeoutSeconds": 2.5, "concurrency": 100, "retries": 0, "backoffLimitSeconds": 20}
    arguments = helm.container(helm.render({"controller": {"scrape": scrape}}))["args"]
    assert {
        "--scrape-timeout=2.5",
        "--scrape-concurrency=100",
        "--scrape-retries=0",
        "--scrape-backoff-limit=20",
    } <= set(arguments)


@pytest.mark.parametrize(
    ("url", "page"),
    [pytest.param("", "docs/alerts.md", id="the file"), pytest.param("https://wiki/podtide/alerts", None, id="a site")],
)
def test_alerts_link_to_what_to_do(url: str, page: str | None) -> None:
    rendered = helm.render({"metrics": {"prometheusRule": {"enabled": True, "runbookUrl": url}}})
    (group,) = helm.only(rendered, "PrometheusRule")["spec"]["groups"]
    links = [rule["annotations"]["runbook_url"] for rule in group["rules"]]
    assert links == [f"{page or url}#{rule['alert'].lower()}" for rule in group["rules"]]


def test_the_defaults_of_decisions_are_flags() -> None:
    defaults = {
        "tolerance": 0.05,
        "scaleDownStabilizationSeconds": 600,
        "cpuInitializationPeriodSeconds": 120,
        "initialReadinessDelaySeconds": 0,
    }
    arguments = helm.container(helm.render({"controller": {"defaults": defaults}}))["args"]
    parsed = run.options(main.parser().parse_args(arguments)).deciding
    assert (
        parsed.tolerance,
        parsed.scale_down_stabilization,
        parsed.cpu_initialization_period,
        parsed.initial_readiness_delay,
    ) == (0.05, 600.0, 120.0, 0.0)


def test_notes_say_how_the_definition_is_upgraded() -> None:
    assert "helm show crds <chart> | kubectl apply --server-side --force-conflicts -f -" in helm.notes()
    assert "WARNING" not in helm.notes({"image": {"repository": "ghcr.io/me/podtide"}})
    assert "WARNING: tls.insecureSkipVerify is true" in helm.notes({"tls": {"insecureSkipVerify": True}})


def test_nobody_owns_the_image_until_a_release_names_its_own() -> None:
    """A name that somebody could register would be theirs to run with our rights; example.com is nobody's."""
    assert helm.container(helm.render())["image"] == f"registry.example.com/podtide:{podtide.__version__}"
    assert "WARNING: image.repository is a placeholder" in helm.notes()
    release = (helm.CHART.parents[1] / ".github" / "workflows" / "release.yml").read_text()
    assert "s|registry.example.com/podtide|$IMAGE|" in release


def test_the_rights_that_are_documented_are_those_that_are_granted() -> None:
    page = (helm.CHART.parents[1] / "docs" / "security.md").read_text()
    rows = re.findall(r"^\| (`[^|]*) \| ([a-z, ]+) \| [^|]* \|$", page[page.index("## Rights") :], re.MULTILINE)
    documented = {
        (resource.removeprefix("events.k8s.io/").removeprefix("metrics.k8s.io/"), frozenset(verbs.split(", ")))
        for resources, verbs in rows
        for resource in re.findall(r"`([^`]+)`", resources)
    }
    rules = helm.only(helm.render({"rbac": {"aggregate": False}}), "ClusterRole")["rules"]
    granted = {(resource, frozenset(rule["verbs"])) for rule in rules for resource in rule["resources"]}
    assert granted <= documented
    # What is for the release's own namespace alone has a row of its own.
    assert documented - granted == {("configmaps", frozenset({"create", "get", "update"}))}
