"""Kinds that are not built in, as their projects define their scale, for tests of targets."""

from typing import Any

from podtide.kube.client import Client
from podtide.kube.resources import Resource

Object = dict[str, Any]

DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
ROLLOUTS = Resource("argoproj.io", "v1alpha1", "rollouts", "Rollout", has_scale=True)
ENGINES = Resource("serving.example.com", "v1", "engines", "Engine", has_scale=True)
STORM_SERVICES = Resource("orchestration.aibrix.ai", "v1alpha1", "stormservices", "StormService", has_scale=True)
ROLE_SETS = Resource("orchestration.aibrix.ai", "v1alpha1", "rolesets", "RoleSet")
POD_SETS = Resource("orchestration.aibrix.ai", "v1alpha1", "podsets", "PodSet")
FLEETS = Resource("orchestration.aibrix.ai", "v1alpha1", "rayclusterfleets", "RayClusterFleet", has_scale=True)
RAY_SETS = Resource("orchestration.aibrix.ai", "v1alpha1", "rayclusterreplicasets", "RayClusterReplicaSet")
RAY_CLUSTERS = Resource("ray.io", "v1", "rayclusters", "RayCluster")
LEADER_SETS = Resource("leaderworkerset.x-k8s.io", "v1", "leaderworkersets", "LeaderWorkerSet", has_scale=True)

_PATHS = {ENGINES: (".spec.workers.count", ".status.workers")}
"""Where a kind keeps its replicas, if elsewhere than at `.spec.replicas`."""


async def define(client: Client, *resources: Resource) -> None:
    """Install these kinds."""
    for resource in resources:
        await client.create(DEFINITIONS, "", definition(resource), into=dict[str, Any])


def definition(resource: Resource) -> Object:
    """A CustomResourceDefinition that keeps whatever an object says."""
    wanted, actual = _PATHS.get(resource, (".spec.replicas", ".status.replicas"))
    subresources: Object = {"status": {}}
    if resource.has_scale:
        subresources["scale"] = {"specReplicasPath": wanted, "statusReplicasPath": actual}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": resource.name},
        "spec": {
            "group": resource.group,
            "names": {"plural": resource.plural, "singular": resource.kind.lower(), "kind": resource.kind},
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [
                {
                    "name": resource.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    "subresources": subresources,
                }
            ],
        },
    }


def manifest(resource: Resource, name: str, *owners: Object, **spec: Any) -> Object:
    """An object of such a kind."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "ownerReferences": list(owners)},
        "spec": spec,
    }
