"""What the end-to-end tests create."""

from typing import Any

from tests.e2e import site

Object = dict[str, Any]


def workload(name: str, replicas: int = 1, **more: Any) -> Object:
    """The manifest of a Deployment, or of another kind with the same `spec`."""
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name, "page": "http"}}, "spec": _pod(name)},
            **more,
        },
    }


def _pod(name: str) -> Object:
    return {
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "load", "configMap": {"name": "load"}}],
        "containers": [
            {
                "name": "app",
                "image": "python:3-slim",
                "command": ["python", "-u", "-c", site.SCRIPT],
                "env": [{"name": "APP", "value": name}],
                "ports": [{"name": "metrics", "containerPort": site.PORT}],
                "volumeMounts": [{"name": "load", "mountPath": "/load"}],
                "readinessProbe": {"httpGet": {"path": "/", "port": site.PORT}, "periodSeconds": 1},
            }
        ],
    }


def source(**more: Any) -> Object:
    """A metrics source: ten of the queue per pod, read every second."""
    return {
        "metricSourceType": "pod",
        "protocolType": "http",
        "port": str(site.PORT),
        "path": "/metrics",
        "targetMetric": site.METRIC,
        "targetValue": "10",
        "intervalSeconds": 1,
        **more,
    }


def autoscaler(name: str, target: str, kind: str = "Deployment", api_version: str = "apps/v1", **more: Any) -> Object:
    """A PodAutoscaler of one to four pods whose windows are as short as a test wants them."""
    return {
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": api_version, "kind": kind, "name": target},
            "scalingStrategy": "KPA",
            "minReplicas": 1,
            "maxReplicas": 4,
            "observeWindowSeconds": 4,
            "panicWindowSeconds": 2,
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
            "metricsSources": [source()],
            **more,
        },
    }
