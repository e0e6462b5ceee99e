"""Kinds of objects and their paths. Known ones are named here; others come from `kube.discovery`."""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind as the API serves it."""

    group: str
    """Empty for the core group."""
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    has_scale: bool = False

    @property
    def api_version(self) -> str:
        """`group/version`, or `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def name(self) -> str:
        """`deployments.apps`, as messages of the API server call it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", sub: str = "") -> str:
        """The path of the collection, of one object, or of its subresource. Without a namespace: of all namespaces."""
        # An ownerReference may name anything; what is as long as no object's name is not remembered.
        make = self._path if len(name) <= _LONGEST_NAME else self._made
        return make(namespace, name, sub)

    @lru_cache(maxsize=4096)  # noqa: B019  (resources are constants, or few and found by discovery)
    def _path(self, namespace: str, name: str, sub: str) -> str:
        return self._made(namespace, name, sub)

    def _made(self, namespace: str, name: str, sub: str) -> str:
        parts = ["apis" if self.group else "api", self.api_version]
        if namespace and self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(part, safe="") for part in (name, sub) if part]
        return "/" + "/".join(parts)


PODS = Resource("", "v1", "pods", "Pod")
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", has_scale=True)
STATEFUL_SETS = Resource("apps", "v1", "statefulsets", "StatefulSet", has_scale=True)
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet", has_scale=True)
HPAS = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
AUTOSCALERS = Resource("autoscaling.aibrix.ai", "v1alpha1", "podautoscalers", "PodAutoscaler")

BUILT_IN = (DEPLOYMENTS, STATEFUL_SETS, REPLICA_SETS)
"""Kinds whose replicas stand at `.spec.replicas` and `.status.replicas`, so that no scale need be asked for."""

STORM_SERVICE = ("orchestration.aibrix.ai", "StormService")
"""Group and kind of AIBrix's larger object, whose roles are scaled one by one."""
