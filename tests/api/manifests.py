"""Manifests to start a test from: those of AIBrix, and one small valid one to change."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from podtide.api import decode

DATA = Path(__file__).parents[1] / "data" / "manifests"


def documents(path: Path) -> list[Any]:
    """Every document of a YAML file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def upstream() -> Iterator[tuple[str, dict[str, Any]]]:
    """AIBrix's own PodAutoscalers, each with the file it is from."""
    for path in sorted((DATA / "aibrix").rglob("*.yaml")):
        for manifest in documents(path):
            if decode.is_autoscaler(manifest):
                yield path.relative_to(DATA / "aibrix").as_posix(), manifest


_BASE: dict[str, Any] = {
    "apiVersion": "autoscaling.aibrix.ai/v1alpha1",
    "kind": "PodAutoscaler",
    "metadata": {"name": "web", "namespace": "shop", "uid": "u-1", "generation": 3},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1,
        "maxReplicas": 10,
        "scalingStrategy": "KPA",
        "metricsSources": [
            {
                "metricSourceType": "pod",
                "protocolType": "http",
                "port": "8000",
                "path": "/metrics",
                "targetMetric": "vllm:num_requests_waiting",
                "targetValue": "50",
            }
        ],
    },
}


def manifest(
    annotations: dict[str, Any] | None = None, source: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    """The small one with other spec fields, annotations or metrics source fields; None takes a field away."""
    result = copy.deepcopy(_BASE)
    if annotations is not None:
        result["metadata"]["annotations"] = annotations
    for target, changes in ((result["spec"]["metricsSources"][0], source or {}), (result["spec"], spec)):
        for name, value in changes.items():
            if value is None:
                del target[name]
            else:
                target[name] = value
    return result
