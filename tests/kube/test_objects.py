import msgspec

from podtide.core.model import view
from podtide.kube import kinds, objects, resources

POD = b"""{"metadata": {"name": "web-1", "namespace": "shop", "uid": "u1", "resourceVersion": "5",
  "creationTimestamp": "2026-01-02T03:04:05Z", "labels": {"app": "web"},
  "annotations": {"prometheus.io/port": "9090", "huge": "kilobytes"},
  "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "n1"},
                      {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "rs1", "controller": true}],
  "managedFields": [{"anything": {"at": "all"}}]},
 "spec": {"containers": [{"name": "app", "image": "x", "ports": [{"name": "http", "containerPort": 8000}],
                          "resources": {"requests": {"cpu": "250m", "memory": "1Gi"}}}],
          "initContainers": [{"name": "side", "restartPolicy": "Always", "resources": {}}]},
 "status": {"phase": "Running", "podIP": "10.0.0.7", "startTime": "2026-01-02T03:04:06Z",
            "conditions": [{"type": "PodScheduled", "status": "True"},
                           {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-02T03:04:07Z"}]}}"""


def test_a_pod_keeps_the_few_facts_that_matter() -> None:
    record = objects.pod(msgspec.json.decode(POD, type=objects.Pod))
    assert record.namespace == "shop"
    assert record.controller is not None
    assert record.controller.uid == "rs1"
    assert record.view == view.PodView(
        name="web-1",
        uid="u1",
        ip="10.0.0.7",
        phase="Running",
        ready="False",
        ready_since=1767323047.0,
        started=1767323046.0,
        created=1767323045.0,
        labels={"app": "web"},
        annotations={"prometheus.io/port": "9090"},
        containers=(view.ContainerView("app", {"cpu": 250, "memory": 2**30 * 1000}, (view.PortView("http", 8000),)),),
        init_containers=(view.ContainerView("side", restartable=True),),
    )


def test_a_bare_pod_is_neither_ready_nor_owned() -> None:
    record = objects.pod(msgspec.json.decode(b'{"metadata": {"name": "x"}}', type=objects.Pod))
    assert record.controller is None
    assert record.view.ready is None
    assert not record.view.is_ready


def test_a_scale_without_replicas_is_a_scale_of_none() -> None:
    scale = msgspec.json.decode(b'{"metadata": {}, "spec": {}, "status": {"replicas": 0}}', type=objects.Scale)
    assert scale.spec.replicas is None


def test_what_pods_make_up_is_not_remembered_beyond_them() -> None:
    """Else a tenant who makes and deletes pods of a megabyte of labels fills memory."""
    before = len(objects._mappings), len(objects._containers)
    labels = {f"label-{number}": "x" * 60 for number in range(1000)}
    path = {"prometheus.io/path": "/" + "x" * 100_000}
    ports = [{"name": f"p{number}", "containerPort": number} for number in range(1, 1000)]
    body = {
        "metadata": {"name": "large", "labels": labels, "annotations": path},
        "spec": {"containers": [{"name": "app", "ports": ports}]},
    }
    made = objects.pod(msgspec.json.decode(msgspec.json.encode(body), type=objects.Pod)).view
    assert made.labels == labels
    assert made.annotations == path
    assert len(made.containers[0].ports) == 999
    objects.pod(msgspec.json.decode(b'{"metadata": {"name": "small"}}', type=objects.Pod))
    assert len(objects._mappings) <= before[0] + 1
    assert len(objects._containers) <= before[1] + 1


def test_a_path_as_long_as_no_name_is_not_remembered() -> None:
    before = resources.Resource._path.cache_info().currsize
    for number in range(5):
        assert resources.PODS.path("shop", f"{number}" * 300).endswith(f"{number}" * 300)
    assert resources.Resource._path.cache_info().currsize == before


def test_what_is_kept_of_autoscalers_is_without_what_is_nothing_to_us() -> None:
    body = b"""{"metadata": {"name": "web", "namespace": "shop", "uid": "u", "labels": {"a": "b"},
      "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
      "managedFields": [{"fieldsV1": {"f:spec": {}}}]},
      "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}}}"""
    hpa = kinds.HPAS.keep(msgspec.json.decode(body, type=objects.Hpa), body)
    assert (hpa.metadata.labels, hpa.metadata.annotations) == (None, None)
    assert (hpa.metadata.name, hpa.spec.scaleTargetRef.name) == ("web", "web")
    ours = kinds.AUTOSCALERS.keep(msgspec.json.decode(body, type=objects.Partial), body)
    assert sorted(ours.body["metadata"]) == ["annotations", "labels", "name", "namespace", "uid"]
