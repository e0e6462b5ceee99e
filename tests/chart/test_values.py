from typing import Any

import pytest

from tests.chart import helm


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"replicas": 2}, "'replicas' not allowed", id="unknown value"),
        pytest.param(
            {"tls": {"skipVerify": True}}, "at '/tls': additional properties 'skipVerify'", id="unknown inside"
        ),
        pytest.param({"replicaCount": "two"}, "at '/replicaCount': got string, want integer", id="no number"),
        pytest.param({"replicaCount": -1}, "at '/replicaCount': minimum: got -1, want 0", id="below zero"),
        pytest.param(
            {"metrics": {"port": 70000}}, "at '/metrics/port': maximum: got 70,000, want 65,535", id="no port"
        ),
        pytest.param({"mesh": {"mode": "linkerd"}}, "at '/mesh/mode': value must be one of 'none'", id="unknown mode"),
        pytest.param({"controller": {"logLevel": "loud"}}, "at '/controller/logLevel': value must be one", id="level"),
        pytest.param({"watchNamespaces": ["Shop"]}, "at '/watchNamespaces/0': 'Shop' does not match", id="namespace"),
        pytest.param(
            {"fullnameOverride": "1tide"}, "at '/fullnameOverride': '1tide' does not match", id="no name for a Service"
        ),
        pytest.param({"image": {"digest": "sha256:1"}}, "at '/image/digest': 'sha256:1' does not match", id="digest"),
        pytest.param(
            {"image": {"repository": "a/b:1"}}, "at '/image/repository': 'a/b:1' does not", id="tag in the name"
        ),
        pytest.param(
            {"rbac": {"extraTargets": [{"resources": ["rollouts"]}]}},
            "at '/rbac/extraTargets/0': missing property 'apiGroup'",
            id="target without a group",
        ),
        pytest.param({"controller": {"extraArgs": ["qps=1"]}}, "at '/controller/extraArgs/0': 'qps=1'", id="no flag"),
        pytest.param(
            {"controller": {"leaderElection": {"retryPeriodSeconds": 0}}},
            "at '/controller/leaderElection/retryPeriodSeconds': exclusiveMinimum: got 0, want 0",
            id="no pause",
        ),
        pytest.param(
            {"metrics": {"serviceMonitor": {"interval": "15"}}},
            "at '/metrics/serviceMonitor/interval': '15' does not match",
            id="no unit",
        ),
    ],
)
def test_the_schema_names_the_value_and_what_is_wrong(values: dict[str, Any], message: str) -> None:
    with pytest.raises(helm.ValuesError) as refused:
        helm.render(values)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param(
            {"tls": {"caConfigMap": {"name": "a"}, "caSecret": {"name": "b"}}},
            "tls.caConfigMap and tls.caSecret are both set; keep one",
            id="two authorities",
        ),
        pytest.param(
            {"tls": {"clientCertSecret": "a"}, "mesh": {"mode": "istioCertificates"}},
            "both give the client certificate; keep one",
            id="two certificates",
        ),
        pytest.param(
            {"controller": {"leaderElection": {"enabled": False}}},
            "leaderElection.enabled is false with replicaCount above 1: both would scale; set replicaCount to 1",
            id="two writers",
        ),
        pytest.param(
            {"controller": {"leaderElection": {"renewDeadlineSeconds": 15}}},
            "leaseDurationSeconds 15 is not a second above renewDeadlineSeconds 15: two replicas could act",
            id="a lease as short as its deadline",
        ),
        pytest.param(
            {"controller": {"leaderElection": {"retryPeriodSeconds": 12}}},
            "renewDeadlineSeconds 10 is not above retryPeriodSeconds 12",
            id="a pause as long as the deadline",
        ),
        pytest.param(
            {"podLabels": {"app.kubernetes.io/name": "other"}},
            "must not hold app.kubernetes.io/name: pods are selected by it; use nameOverride",
            id="a label that pods are selected by",
        ),
        pytest.param(
            {"replicaCount": 1, "controller": {"shards": 2, "leaderElection": {"enabled": False}}},
            "shards is 2, but controller.leaderElection.enabled is false: shards are leases",
            id="shards without leases",
        ),
        pytest.param({"health": {"port": 8080}}, "metrics.port and health.port are both 8080", id="one port for two"),
        pytest.param({"mesh": {"mode": "excludePorts"}}, "mesh.scrapedPorts is empty; list", id="no ports to exclude"),
    ],
)
def test_values_that_contradict_each_other_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(helm.RenderError) as refused:
        helm.render(values)
    assert message in str(refused.value)
