from typing import Any

import pytest

from podtide.api import decode
from podtide.core.model import spec
from tests.api import manifests

UPSTREAM = list(manifests.upstream())
PATCHES = {
    "development/app/config/heterogeneous/simulator_a40/patch_podautoscaler_a40.yaml",
    "development/app/config/simulator/patch_podautoscaler_a100.yaml",
}


def read(manifest: Any) -> spec.AutoscalerSpec:
    decoded = decode.autoscaler(manifest)
    assert decoded.problems == ()
    assert decoded.spec is not None
    return decoded.spec


def upstream(path: str, index: int = 0) -> spec.AutoscalerSpec:
    return read([manifest for name, manifest in UPSTREAM if name == path][index])


def test_there_are_manifests_to_read() -> None:
    assert len(UPSTREAM) == 32


@pytest.mark.parametrize(("path", "manifest"), [pytest.param(*entry, id=entry[0]) for entry in UPSTREAM])
def test_every_whole_manifest_of_aibrix_is_valid(path: str, manifest: Any) -> None:
    decoded = decode.autoscaler(manifest)
    if path in PATCHES:
        assert [str(problem) for problem in decoded.problems] == [
            "spec.maxReplicas: is missing; write for example 10",
            'spec.scalingStrategy: is missing; write for example "KPA"',
        ]
    else:
        assert decoded.problems == ()
        assert decoded.spec is not None


def test_the_seed_is_read_as_its_author_means_it() -> None:
    decoded = read(manifests.documents(manifests.DATA / "seed-metrics-server.yaml")[0])
    assert decoded == spec.AutoscalerSpec(
        key=spec.Key("kube-system", "metrics-server"),
        uid="",
        generation=0,
        target=spec.TargetRef("apps/v1", "Deployment", "metrics-server"),
        metrics=(
            spec.MetricSpec(
                id="go_threads",
                source=spec.PodPage(spec.Http(scheme="https"), 10250, "/metrics"),
                select=spec.Select("go_threads"),
                threshold=spec.Threshold(20.0, 20_000),
                interval=2.0,
            ),
        ),
        algorithm=spec.Kpa(),
        bounds=spec.Bounds(1, 4),
    )


def test_legacy_annotations_of_the_samples_are_honoured() -> None:
    assert upstream("samples/autoscaling/apa.yaml").algorithm == spec.Apa(
        window=30.0, tolerance=spec.Tolerance(up=0.1, down=0.2)
    )
    kpa = upstream("samples/autoscaling/kpa.yaml")
    assert (kpa.algorithm, kpa.cooldown) == (spec.Kpa(scale_down_delay=180.0), spec.Cooldown(up=0.0, down=0.0))


def test_a_path_without_a_slash_is_the_same_path() -> None:
    source = upstream("samples/autoscaling/kpa.yaml").metrics[0].source
    assert source == spec.PodPage(spec.Http(), 8000, "/metrics")


def test_a_pod_may_say_its_protocol_itself() -> None:
    source = read(manifests.manifest(source={"protocolType": None, "port": None, "path": None})).metrics[0].source
    assert source == spec.PodPage(spec.Http(scheme=None), None, None)


def test_the_optimizers_endpoint_is_one_page_for_the_whole_workload() -> None:
    (metric,) = upstream("samples/autoscaling/optimizer-kpa.yaml").metrics
    assert metric.source == spec.Endpoint(
        spec.Http(),
        "http://aibrix-gpu-optimizer.aibrix-system.svc.cluster.local:8080/metrics/default/deepseek-r1-distill-llama-8b",
    )
    assert metric.threshold == spec.Threshold(100.0, 100_000, spec.TargetType.AVERAGE_VALUE)


def test_external_without_endpoint_is_the_metrics_api() -> None:
    (metric,) = upstream("samples/autoscaling/external-metrics-kpa.yaml").metrics
    assert metric.source == spec.External("aibrix_running_requests")


def test_several_metrics_keep_their_order() -> None:
    metrics = upstream("samples/autoscaling/multimetrics-apa.yaml").metrics
    assert [metric.id for metric in metrics] == ["gpu_cache_usage_perc", "num_requests_waiting"]
    assert [metric.select.aggregation for metric in metrics] == [spec.Aggregation.AVG, spec.Aggregation.SUM]
    assert [metric.interval for metric in metrics] == [15.0, 15.0]


def test_a_role_of_a_larger_object_and_its_own_behavior() -> None:
    decode_role = upstream("samples/autoscaling/stormservice-pool.yaml", 1)
    assert decode_role.target == spec.TargetRef(
        "orchestration.aibrix.ai/v1alpha1", "StormService", "ss-pool", "decode", "pool"
    )
    assert decode_role.behavior is not None
    assert decode_role.behavior.down.window == decode_role.cooldown.down == 600.0
    assert decode_role.behavior.down.policies == (spec.Policy("Percent", 100, 15.0),)
    assert decode_role.behavior.up.window == 0.0


def test_schedules() -> None:
    assert upstream("samples/autoscaling/scheduled-bounds-apa.yaml").schedules == (
        spec.Schedule(
            name="weekday-business-hours",
            timezone="America/Los_Angeles",
            days=frozenset(range(5)),
            start=9 * 60,
            end=18 * 60,
            minimum=4,
            maximum=12,
        ),
    )


def test_the_windows_of_the_spec() -> None:
    algorithm = upstream("config/samples/autoscaling_v1alpha1_mock_llama.yaml").algorithm
    assert isinstance(algorithm, spec.Kpa)
    assert (algorithm.stable_window, algorithm.panic_window) == (600.0, 60.0)


def test_the_first_api_of_aibrix_is_read_as_a_resource() -> None:
    decoded = upstream("config/samples/autoscaling_v1alpha1_podautoscaler.yaml")
    assert decoded.metrics[0].source == spec.Resource("cpu")
    assert decoded.metrics[0].threshold == spec.Threshold(10.0, 10_000, spec.TargetType.UTILIZATION)


@pytest.mark.parametrize(
    ("strategy", "fields", "expected"),
    [
        pytest.param(
            "HPA",
            {"targetMetric": "cpu", "targetValue": "70"},
            spec.Threshold(70.0, 70_000, spec.TargetType.UTILIZATION),
            id="HPA's cpu is per cent of the request",
        ),
        pytest.param(
            "HPA",
            {"targetMetric": "memory", "targetValue": "512"},
            spec.Threshold(2.0**29, 2**29 * 1000),
            id="HPA's memory is MiB",
        ),
        pytest.param(
            "KPA",
            {"targetMetric": "cpu", "targetValue": "250"},
            spec.Threshold(0.25, 250),
            id="KPA's cpu is millicores",
        ),
        pytest.param(
            "APA",
            {"targetMetric": "memory", "targetValue": "1048576"},
            spec.Threshold(2.0**20, 2**20 * 1000),
            id="APA's memory is bytes",
        ),
        pytest.param(
            "KPA",
            {"targetMetric": "cpu", "targetValue": "250m"},
            spec.Threshold(0.25, 250),
            id="a suffix says the unit",
        ),
        pytest.param(
            "KPA",
            {"targetMetric": "cpu", "targetValue": "0.25", "targetType": "AverageValue"},
            spec.Threshold(0.25, 250),
            id="with a target type the unit is Kubernetes'",
        ),
        pytest.param(
            "APA",
            {"targetMetric": "cpu", "targetValue": "60", "targetType": "Utilization"},
            spec.Threshold(60.0, 60_000, spec.TargetType.UTILIZATION),
            id="per cent for any strategy that asks for it",
        ),
    ],
)
def test_units_of_resources(strategy: str, fields: dict[str, Any], expected: spec.Threshold) -> None:
    source = {"metricSourceType": "resource", **fields}
    decoded = read(manifests.manifest(scalingStrategy=strategy, metricsSources=[source]))
    assert decoded.metrics[0].threshold == expected


def test_target_values_are_exact() -> None:
    source = {"targetValue": "0.1", "targetMetric": "gpu_cache_usage_perc"}
    assert read(manifests.manifest(source=source)).metrics[0].threshold == spec.Threshold(0.1, 100)
    assert read(manifests.manifest(source={"targetValue": "1500m"})).metrics[0].threshold == spec.Threshold(1.5, 1500)
    assert read(manifests.manifest(source={"targetValue": 20})).metrics[0].threshold == spec.Threshold(20.0, 20_000)


def test_everything_a_source_can_say() -> None:
    source = {
        "protocolType": "https",
        "port": "metrics",
        "path": None,
        "matchLabels": {"model_name": "m"},
        "matchExpressions": [{"key": "engine", "operator": "NotIn", "values": ["1", "2"]}],
        "podAggregation": "max",
        "valueType": "quantile",
        "quantile": "0.95",
        "targetType": "Value",
        "intervalSeconds": 5,
        "timeoutSeconds": 1,
        "activationValue": "0.5",
        "hostHeader": "web.shop.svc",
        "http2": True,
        "tls": {
            "caSecretRef": {"name": "ca"},
            "serverName": "web.shop.svc",
            "subjectAltNames": ["spiffe://cluster.local/ns/shop/sa/web"],
            "clientCertSecretRef": {"name": "client"},
        },
        "auth": {
            "bearerTokenSecretRef": {"name": "bearer"},
            "headerSecretRef": {"header": "X-Scope-OrgID", "name": "tenant", "key": "id"},
        },
    }
    (metric,) = read(manifests.manifest(source=source)).metrics
    http = spec.Http(
        scheme="https",
        tls=spec.Tls(
            ca_secret=spec.KeyRef("ca", "ca.crt"),
            server_name="web.shop.svc",
            subject_alt_names=("spiffe://cluster.local/ns/shop/sa/web",),
            client_cert_secret="client",
        ),
        auth=spec.Auth(
            bearer_token=spec.KeyRef("bearer", "token"), headers=(("X-Scope-OrgID", spec.KeyRef("tenant", "id")),)
        ),
        host_header="web.shop.svc",
        http2=True,
        timeout=1.0,
    )
    assert metric == spec.MetricSpec(
        id="vllm:num_requests_waiting",
        source=spec.PodPage(http, "metrics", None),
        select=spec.Select(
            "vllm:num_requests_waiting",
            (spec.LabelMatch("model_name", "In", ("m",)), spec.LabelMatch("engine", "NotIn", ("1", "2"))),
            spec.Aggregation.MAX,
        ),
        threshold=spec.Threshold(50.0, 50_000, spec.TargetType.VALUE),
        derive=spec.Quantile(0.95),
        interval=5.0,
        activation=0.5,
    )


def source_of(**source: Any) -> spec.Source:
    return (
        read(manifests.manifest(metricsSources=[{"targetMetric": "m", "targetValue": "5", **source}])).metrics[0].source
    )


def test_other_kinds_of_sources() -> None:
    assert source_of(
        metricSourceType="external",
        selector={"matchLabels": {"queue": "a"}, "matchExpressions": [{"key": "dead", "operator": "DoesNotExist"}]},
    ) == spec.External("m", "queue=a,!dead")
    assert source_of(
        metricSourceType="custom",
        describedObject={"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "web"},
    ) == spec.Custom("m", spec.ObjectRef("networking.k8s.io/v1", "Ingress", "web"))
    assert source_of(
        metricSourceType="prometheus",
        endpoint="https://mimir.obs:9009",
        path="prometheus",
        query="sum(x)",
        ignoreNullValues=True,
    ) == spec.Query(spec.Http(scheme="https"), "https://mimir.obs:9009/prometheus", "sum(x)", True)
    assert source_of(
        metricSourceType="external", endpoint="queue.shop:80", protocolType="http", path="stats", jsonPath="$.length"
    ) == spec.Endpoint(spec.Http(), "http://queue.shop:80/stats", "$.length")


def test_the_rest_of_the_spec() -> None:
    decoded = read(
        manifests.manifest(
            minReplicas=0,
            mode="DryRun",
            fallback={"replicas": 3},
            minCoveragePercent=80,
            startupLimitSeconds=1800,
            removeLeastLoaded=True,
            observeWindowSeconds=30,
            kpa={"activationScale": 2, "targetBurstCapacity": "-1", "totalValue": 100, "weightedWindows": True},
        )
    )
    assert decoded.bounds == spec.Bounds(0, 10)
    assert decoded.mode is spec.Mode.DRY_RUN
    assert decoded.fallback == spec.Fallback(3, 300.0)
    assert (decoded.min_coverage, decoded.starting_limit) == (0.8, 1800.0)
    assert decoded.removes_least_loaded
    assert decoded.algorithm == spec.Kpa(
        stable_window=30.0,
        panic_window=30.0,
        activation_scale=2,
        target_burst_capacity=-1.0,
        total_value=100.0,
        weighted=True,
    )


def test_metadata() -> None:
    manifest = manifests.manifest()
    manifest["metadata"]["creationTimestamp"] = "2026-01-02T03:04:05Z"
    decoded = read(manifest)
    assert (decoded.uid, decoded.generation, decoded.created) == ("u-1", 3, 1767323045.0)
