"""What bad input gets: the field, the value and the fix, for every problem at once."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtide.api import decode
from podtide.api.settings import Settings, Trust
from tests.api import manifests

SOURCE = "spec.metricsSources[0]"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def problems(manifest: Any) -> list[str]:
    decoded = decode.autoscaler(manifest)
    assert (decoded.spec is None) == bool(decoded.problems)
    return [str(problem) for problem in decoded.problems]


def warnings(manifest: Any) -> list[str]:
    decoded = decode.autoscaler(manifest)
    assert decoded.problems == ()
    return [str(problem) for problem in decoded.warnings]


def test_the_example_of_the_style_guide() -> None:
    assert problems(manifests.manifest(source={"targetValue": "fifty"})) == [
        'spec.metricsSources[0].targetValue: "fifty" is not a number; write for example "50"'
    ]


def test_every_problem_is_listed_not_only_the_first() -> None:
    manifest = manifests.manifest(
        scalingStrategy="kpa",
        minReplicas=5,
        maxReplicas=3,
        source={"targetValue": "0", "port": "99999", "protocolType": "ftp"},
        schedules=[{"name": "Night", "startTime": "9:00", "endTime": "18:00"}],
    )
    assert problems(manifest) == [
        'spec.scalingStrategy: "kpa" is not HPA, KPA or APA; write "KPA"',
        'spec.metricsSources[0].protocolType: "ftp" is not http or https; write for example "http"',
        'spec.schedules[0].name: "Night" is not a name; write lower-case letters, digits and dashes, '
        'for example "office-hours"',
        'spec.schedules[0].startTime: "9:00" is not a time of day; write hours and minutes with two digits each, '
        'for example "09:00"',
        "spec.minReplicas: 5 is greater than maxReplicas 3; write at most 3",
        'spec.metricsSources[0].port: "99999" is not a port; write a number from 1 to 65535',
        'spec.metricsSources[0].targetValue: "0" is not greater than 0; write for example "50"',
        "spec.schedules[0]: changes nothing; write minReplicas, maxReplicas or both",
    ]


@pytest.mark.parametrize("port", ["--5", "-5", "²", "9" * 5000, "00000", "-"])
def test_what_looks_like_a_number_and_is_no_port(port: str) -> None:
    assert [problem for problem in problems(manifests.manifest(source={"port": port})) if f"{SOURCE}.port: " in problem]


def test_a_gap_in_a_list_stays_one_in_the_shadow() -> None:
    manifest = manifests.manifest(metricsSources=[5], shadow={"targetValues": ["5"]})
    assert problems(manifest) == ["spec.metricsSources[0]: 5 is not an object; write its fields below it, indented"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"maxReplicas": "10"}, 'spec.maxReplicas: "10" is not a whole number; write 10 without quotes'),
        ({"maxReplicas": 1.5}, "spec.maxReplicas: 1.5 is not a whole number; write for example 10"),
        ({"maxReplicas": True}, "spec.maxReplicas: true is not a whole number; write for example 10"),
        ({"maxReplicas": 2**31}, "spec.maxReplicas: 2147483648 is out of range; write at most 2147483647"),
        ({"maxReplicas": 0}, "spec.maxReplicas: 0 is too small; write at least 1"),
        ({"maxReplicas": None}, "spec.maxReplicas: is missing; write for example 10"),
        ({"minReplicas": -1}, "spec.minReplicas: -1 is negative; write 0 or more"),
        ({"scalingStrategy": None}, 'spec.scalingStrategy: is missing; write for example "KPA"'),
        ({"mode": "dryrun"}, 'spec.mode: "dryrun" is not Active, DryRun or Paused; write "DryRun"'),
        (
            {"scaleTargetRef": None},
            "spec.scaleTargetRef: is missing; write for example {apiVersion: apps/v1, kind: Deployment, name: web}",
        ),
        ({"scaleTargetRef": {"kind": "Deployment"}}, "spec.scaleTargetRef.name: is missing; write for example web"),
        (
            {"scaleTargetRef": {"kind": "Rollout", "name": "web"}},
            "spec.scaleTargetRef.apiVersion: is missing; write the group and version of Rollout",
        ),
        (
            {"scaleTargetRef": {"kind": "Deployment", "name": "web", "namespace": "other"}},
            'spec.scaleTargetRef.namespace: "other" is not the PodAutoscaler\'s own; write "shop" or leave it out',
        ),
        (
            {"subTargetSelector": {"roleName": "decode"}},
            'spec.subTargetSelector.roleName: "decode" does not go with a Deployment, which has no roles',
        ),
        (
            {"metricsSources": None},
            "spec.metricsSources: is missing; "
            "write metricsSources with a metricSourceType, targetMetric and targetValue",
        ),
        ({"metricsSources": []}, "spec.metricsSources: [] has too few entries; write at least 1 or leave it out"),
        ({"metricsSources": {}}, "spec.metricsSources: {} is not a list; begin each entry with a dash"),
        ({"observeWindowSeconds": 0}, "spec.observeWindowSeconds: 0 is out of range; write 1 to 3600"),
        (
            {"panicWindowSeconds": 181},
            "spec.panicWindowSeconds: 181 is longer than the observe window; write at most 180",
        ),
        ({"fallback": {}}, "spec.fallback.replicas: is missing; write for example 3"),
        (
            {"behavior": {"scaleUp": {"policies": []}}},
            "spec.behavior.scaleUp.policies: [] is empty; write a policy, or leave it out for the default",
        ),
        (
            {"behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 0, "periodSeconds": 15}]}}},
            "spec.behavior.scaleUp.policies[0].value: 0 is out of range; write at least 1",
        ),
        (
            {"behavior": {"scaleDown": {"tolerance": "-0.1"}}},
            'spec.behavior.scaleDown.tolerance: "-0.1" is negative; write "0" for none',
        ),
        ({"kpa": {"totalValue": "x"}}, 'spec.kpa.totalValue: "x" is not a number; write for example "50"'),
    ],
)
def test_problems_of_the_spec(fields: dict[str, Any], expected: str) -> None:
    found = problems(manifests.manifest(**fields))
    assert expected in found
    assert len(found) == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"targetValue": 0.5}, 'targetValue: 0.5 is not in quotes; write "0.5"'),
        ({"targetValue": "-1"}, 'targetValue: "-1" is not greater than 0; write for example "50"'),
        ({"targetValue": "NaN"}, 'targetValue: "NaN" is not a number; write for example "50"'),
        ({"targetMetric": " "}, 'targetMetric: " " is empty; write the metric\'s name'),
        ({"targetMetric": None}, 'targetMetric: is missing; write for example "vllm:num_requests_waiting"'),
        (
            {"metricSourceType": "pods"},
            'metricSourceType: "pods" is not pod, resource, custom, external, domain or prometheus; write "pod"',
        ),
        (
            {"metricSourceType": "resource"},
            'targetMetric: "vllm:num_requests_waiting" is not a resource; write "cpu" or "memory"',
        ),
        (
            {"port": "Web_Port"},
            'port: "Web_Port" is neither a port nor the name of a container port; write for example 8000',
        ),
        ({"path": "http://x/metrics"}, 'path: "http://x/metrics" is not a path; write for example "/metrics"'),
        ({"targetType": "Utilization"}, 'targetType: "Utilization" goes with metricSourceType "resource" only'),
        ({"valueType": "quantile"}, 'quantile: is missing; write for example "0.95"'),
        (
            {"valueType": "quantile", "quantile": "95"},
            'quantile: "95" is not between 0 and 1; write for example "0.95"',
        ),
        ({"intervalSeconds": 0}, "intervalSeconds: 0 is out of range; write 1 to 3600"),
        ({"activationValue": "x"}, 'activationValue: "x" is not a number; write for example "1"'),
        ({"jsonPath": "$.x"}, 'jsonPath: "$.x" goes with an endpoint only, not with pods\' pages'),
        ({"hostHeader": "a\r\nb"}, 'hostHeader: "a\\r\\nb" is not a host; write for example web.shop.svc'),
        ({"matchLabels": {"a": 1}}, 'matchLabels.a: 1 is not a string; write it in quotes: "1"'),
        (
            {"matchExpressions": [{"key": "a", "operator": "In"}]},
            "matchExpressions[0].values: is missing; In needs at least one value",
        ),
        (
            {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]},
            'matchExpressions[0].values: ["b"] does not go with Exists; leave it out',
        ),
        (
            {"tls": {"caBundle": "nothing"}},
            "tls.caBundle: holds no certificate; "
            "write PEM, which begins with -----BEGIN CERTIFICATE-----, or base64 of it",
        ),
        (
            {"tls": {"caBundle": PEM, "caSecretRef": {"name": "ca"}}},
            "tls: has both caBundle and caSecretRef; keep one, with all certificates in it",
        ),
        (
            {"auth": {"serviceAccountToken": True, "bearerTokenSecretRef": {"name": "t"}}},
            "auth: has both serviceAccountToken and bearerTokenSecretRef, and both set Authorization; keep one",
        ),
        (
            {"auth": {"headerSecretRef": {"header": "a b", "name": "t"}}},
            'auth.headerSecretRef.header: "a b" is not the name of an HTTP header',
        ),
        ({"auth": {"bearerTokenSecretRef": {}}}, "auth.bearerTokenSecretRef.name: is missing"),
        (
            {"metricSourceType": "prometheus", "query": "x"},
            'endpoint: is missing; write for example "prometheus.monitoring.svc:9090"',
        ),
        (
            {"metricSourceType": "prometheus", "endpoint": "p:9090"},
            'query: is missing; write for example "sum(rate(requests_total[1m]))"',
        ),
        (
            {"metricSourceType": "external", "endpoint": "u:secret@h:80"},
            "endpoint: carries a password; put it into a Secret and name that in auth",
        ),
        (
            {"metricSourceType": "external", "endpoint": "https://h"},
            'endpoint: "https://h" contradicts protocolType "http"; leave one of them out',
        ),
        (
            {"metricSourceType": "external", "endpoint": "h:99999"},
            'endpoint: "h:99999" is not a host and port; write for example "optimizer.aibrix-system.svc:8080"',
        ),
        (
            {"metricSourceType": "external", "endpoint": "[::1"},
            'endpoint: "[::1" is not a host and port; write for example "optimizer.aibrix-system.svc:8080"',
        ),
        (
            {"metricSourceType": "external", "endpoint": "http://[zz]/"},
            'endpoint: "http://[zz]/" is not a host and port; write for example "optimizer.aibrix-system.svc:8080"',
        ),
        (
            {"metricSourceType": "external", "endpoint": "h:0"},
            'endpoint: "h:0" is not a host and port; write for example "optimizer.aibrix-system.svc:8080"',
        ),
        (
            {"metricSourceType": "external", "endpoint": "h:80", "jsonPath": "$..a"},
            'jsonPath: "$..a" cannot be read from "..a" on; write .name, [0] or [\'any key\'] for each step',
        ),
        (
            {"metricSourceType": "external", "endpoint": "h:80", "jsonPath": "a"},
            'jsonPath: "a" does not begin with $; write for example "$.queue.length"',
        ),
        (
            {"metricSourceType": "external", "endpoint": "h:80", "jsonPath": "$.a", "valueType": "rate"},
            'valueType: "rate" goes with pages of metrics only, not with jsonPath; leave one out',
        ),
        (
            {"metricSourceType": "external", "valueType": "rate"},
            'valueType: "rate" goes with pages only; leave it out',
        ),
        (
            {"metricSourceType": "external", "endpoint": "h:80", "auth": {"serviceAccountToken": True}},
            "auth.serviceAccountToken: true is not allowed for h:80; name a Secret in bearerTokenSecretRef, "
            "or have the controller's operator allow it with --token-endpoint",
        ),
    ],
)
def test_problems_of_a_source(fields: dict[str, Any], expected: str) -> None:
    assert problems(manifests.manifest(source=fields)) == [f"{SOURCE}.{expected}"]


@pytest.mark.parametrize("endpoint", ["h:80", "H", "http://h", "http://h/path"])
@pytest.mark.parametrize("named", ["h:80", "h"])
def test_the_operator_can_let_the_token_out(endpoint: str, named: str) -> None:
    source = {"metricSourceType": "external", "endpoint": endpoint, "auth": {"serviceAccountToken": True}}
    trusting = Settings(trust=Trust(token_endpoints=(named,)))
    assert decode.autoscaler(manifests.manifest(source=source), trusting).problems == ()


def test_a_value_that_is_secret_is_not_repeated() -> None:
    source = {"metricSourceType": "external", "endpoint": "u:hunter2@h:80"}
    assert not [line for line in problems(manifests.manifest(source=source)) if "hunter2" in line]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"maxReplica": 3}, "spec.maxReplica: 3 is not a field and is ignored; did you mean maxReplicas?"),
        (
            {"fallback": {"replicas": 30}},
            "spec.fallback.replicas: 30 is outside the bounds, which always hold; write 1 to 10",
        ),
        (
            {"minReplicas": 0},
            "spec.minReplicas: 0 allows zero, but no metrics source works without pods, so nothing would wake the "
            "workload; add an external or prometheus source, or write 1",
        ),
        ({"targetMetric": "cpu"}, 'spec.targetMetric: "cpu" is ignored beside metricsSources; remove it'),
        ({"scalingStrategy": "APA", "kpa": {}}, "spec.kpa: {} does nothing with APA; remove it"),
    ],
)
def test_warnings_of_the_spec(fields: dict[str, Any], expected: str) -> None:
    assert warnings(manifests.manifest(**fields)) == [expected]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"targetMetric": "gpu_cache_usage_perc"},
            'targetValue: "50" is never reached: engines report gpu_cache_usage_perc from 0 to 1; for 50 % write "0.5"',
        ),
        ({"port": "10250"}, 'port: "10250" speaks TLS only; write protocolType: "https"'),
        ({"tls": {"serverName": "x"}}, 'tls: has no effect over http; write protocolType: "https"'),
        (
            {"auth": {"serviceAccountToken": True}},
            'auth: travels unencrypted over http; write protocolType: "https"',
        ),
        ({"query": "up"}, 'query: is not used with metricSourceType "pod"'),
        ({"endpoint": "h:80"}, 'endpoint: is not used with metricSourceType "pod"'),
        ({"quantile": "0.9"}, 'quantile: "0.9" is ignored without valueType: "quantile"'),
        (
            {"protocolType": "https", "tls": {"insecureSkipVerify": True, "caBundle": PEM}},
            "tls.caBundle: is not used, as insecureSkipVerify is true; remove one of them",
        ),
        (
            {"protocolType": "https", "tls": {"serverNam": "x"}},
            'tls.serverNam: "x" is not a field and is ignored; did you mean serverName?',
        ),
        ({"path": None, "timeoutSeconds": 2}, ""),
    ],
)
def test_warnings_of_a_source(fields: dict[str, Any], expected: str) -> None:
    assert warnings(manifests.manifest(source=fields)) == ([f"{SOURCE}.{expected}"] if expected else [])


def test_warnings_come_in_one_order() -> None:
    """Replicas that told them in the order of a set would each correct the other's status."""
    fields = {"query": "up", "endpoint": "h:80", "selector": {"matchLabels": {"a": "b"}}, "container": "app"}
    found = warnings(manifests.manifest(source=fields))
    assert [text.split(":")[0].rpartition(".")[2] for text in found] == sorted(fields)


def test_a_field_without_a_value_is_pointed_out() -> None:
    manifest = manifests.manifest()
    manifest["spec"]["minReplicas"] = None
    assert warnings(manifest) == ["spec.minReplicas: null says nothing; leave the field out, or give it a value"]


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ({}, "metadata: is missing; write at least metadata.name"),
        ({"spec": []}, "spec: [] is not an object; write its fields below it, indented"),
        (
            {"apiVersion": "autoscaling.aibrix.ai/v1"},
            'apiVersion: "autoscaling.aibrix.ai/v1" is not supported; write "autoscaling.aibrix.ai/v1alpha1"',
        ),
        (
            {"metadata": {"name": "x", "annotations": {"a": 2}}},
            'metadata.annotations.a: 2 is not a string; write it in quotes: "2"',
        ),
    ],
)
def test_documents_that_are_no_objects(manifest: Any, expected: str) -> None:
    assert expected in problems(manifest)


words = st.sampled_from(
    [
        "KPA",
        "pod",
        "https",
        "",
        "0",
        "-1",
        "1e9",
        "Mon",
        "09:00",
        "x" * 70,
        "\x00",
        "é",
        "²",
        "--5",
        "1Ki",
        "1e308",
        "{}",
    ]
)
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words, st.text(max_size=5))
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3))


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A valid manifest in which up to four values, anywhere, are replaced by anything YAML can hold."""
    manifest: Any = manifests.manifest(
        annotations={"autoscaling.aibrix.ai/max-scale-up-rate": "2"},
        source={"tls": {"serverName": "x"}, "auth": {"bearerTokenSecretRef": {"name": "x"}}, "matchLabels": {"a": "b"}},
        schedules=[{"name": "a", "startTime": "09:00", "endTime": "10:00", "daysOfWeek": ["Mon"], "minReplicas": 1}],
        behavior={"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}], "tolerance": "0.1"}},
        kpa={"totalValue": "1"},
        fallback={"replicas": 1},
    )
    for _ in range(draw(st.integers(1, 4))):
        where = manifest
        while True:
            keys = list(where) if isinstance(where, dict) else list(range(len(where)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if not isinstance(where[key], dict | list) or draw(st.integers(0, 4)) == 0:
                where[key] = draw(values)
                break
            where = where[key]
    return manifest


def test_an_unknown_field_of_any_length_makes_a_short_message() -> None:
    decoded = decode.autoscaler(manifests.manifest(source={"x" * 5000: "y" * 5000}))
    assert [len(str(warning)) < 500 for warning in decoded.warnings] == [True]


@settings(max_examples=600, deadline=None)
@given(mutated())
def test_nothing_in_a_manifest_makes_decode_raise(manifest: Any) -> None:
    decoded = decode.autoscaler(manifest)
    assert (decoded.spec is None) == bool(decoded.problems)
    for problem in (*decoded.problems, *decoded.warnings):
        assert str(problem).startswith(problem.path)
        assert len(str(problem)) < 500


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"scaleTargetRef": {"kind": "Deployment", "name": "a" * 400}}, "spec.scaleTargetRef.name: "),
        ({"scaleTargetRef": {"apiVersion": "v1", "kind": "A" * 400, "name": "a"}}, "spec.scaleTargetRef.kind: "),
        ({"source": {"endpoint": "h" * 9000, "metricSourceType": "external"}}, f"{SOURCE}.endpoint: "),
        ({"source": {"targetMetric": "m" * 9000}}, f"{SOURCE}.targetMetric: "),
        ({"source": {"matchLabels": {"a": "b" * 9000}}}, f"{SOURCE}.matchLabels.a: "),
        (
            {"source": {"metricSourceType": "external", "endpoint": "h", "jsonPath": "$" + ".a" * 600}},
            f"{SOURCE}.jsonPath: ",
        ),
        (
            {"schedules": [{"name": "a" * 300, "startTime": "09:00", "endTime": "10:00", "minReplicas": 1}]},
            "spec.schedules[0].name: ",
        ),
    ],
)
def test_a_text_of_any_length_is_refused(fields: dict[str, Any], expected: str) -> None:
    """What an object says is remembered here and there, beyond its own end; thousands of edits must not fill memory."""
    (problem,) = problems(manifests.manifest(**fields))
    assert problem.startswith(expected)
    assert "is longer than" in problem
    assert len(problem) < 300


def test_conditions_are_limited_over_all_sources() -> None:
    """Each is looked at once per series of a page: 64 sources with 32 of them took seconds of everybody's time."""
    source = manifests.manifest()["spec"]["metricsSources"][0] | {"matchLabels": {f"k{n}": "" for n in range(32)}}
    assert problems(manifests.manifest(metricsSources=[source] * 8)) == []
    assert problems(manifests.manifest(metricsSources=[source] * 9)) == [
        "spec.metricsSources: has 288 conditions on labels in all; write at most 256"
    ]


def test_a_bundle_of_certificates_may_be_long() -> None:
    assert problems(manifests.manifest(source={"protocolType": "https", "tls": {"caBundle": PEM * 1000}})) == []


def test_of_thousands_of_mistakes_the_first_are_told() -> None:
    """Each is a line of the log, at every edit."""
    decoded = decode.autoscaler(manifests.manifest({f"autoscaling.aibrix.ai/x{n}": "" for n in range(5000)}))
    assert len(decoded.warnings) == 51
    assert "has more that is wrong" in str(decoded.warnings[-1])
    wrong = {"name": "a", "startTime": "25:00", "endTime": "26:00", "timezone": "Mars", "daysOfWeek": ["x"] * 9}
    decoded = decode.autoscaler(manifests.manifest(schedules=[wrong] * 40))
    assert len(decoded.problems) == 51


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("spec.metricsSources", {"metricsSources": [{}] * 65}),
        ("spec.schedules", {"schedules": [{}] * 65}),
        ("spec.behavior.scaleUp.policies", {"behavior": {"scaleUp": {"policies": [{}] * 65}}}),
        ("spec.metricsSources[0].matchLabels", {"metricsSources": [{"matchLabels": {f"k{n}": "" for n in range(65)}}]}),
        ("spec.metricsSources[0].matchExpressions", {"metricsSources": [{"matchExpressions": [{}] * 65}]}),
        (
            "spec.metricsSources[0].matchExpressions[0].values",
            {"metricsSources": [{"matchExpressions": [{"key": "k", "operator": "In", "values": ["a"] * 65}]}]},
        ),
        ("spec.shadow.targetValues", {"shadow": {"targetValues": [1] * 65}}),
    ],
)
def test_what_costs_everybody_is_limited(path: str, fields: dict[str, Any]) -> None:
    """One process reads and decides for all: what is long is refused before any entry is looked at."""
    problems = [str(problem) for problem in decode.autoscaler(manifests.manifest(**fields)).problems]
    assert [problem for problem in problems if problem.startswith(f"{path}: has 65 entries; write at most ")]
    assert not [problem for problem in problems if problem.startswith(f"{path}[")]
