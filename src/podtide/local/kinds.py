"""The kinds the server knows: built-in ones from a table, custom ones from their definitions.

The store asks it how to treat an object, discovery and the routes what exists.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from podtide.local.refusals import Object

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
VIEW_VERBS = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Sub:
    """A subresource, for example `scale`."""

    name: str
    kind: str
    verbs: tuple[str, ...] = VIEW_VERBS
    group: str = ""
    version: str = ""
    """Group and version of the body where they are not those of the resource."""


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a custom resource keeps what its `/scale` shows; JSON paths as keys to follow."""

    spec_replicas: tuple[str, ...]
    status_replicas: tuple[str, ...]
    selector: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Custom:
    """What a definition says about a custom kind's version."""

    schema: Object
    """The openAPIV3Schema."""

    columns: tuple[Mapping[str, object], ...]
    list_kind: str
    scale: ScalePaths | None
    definition: str
    """The definition's name."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of one group and version."""

    group: str
    version: str
    plural: str
    name: str
    namespaced: bool
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subs: tuple[Sub, ...] = ()
    custom: Custom | None = None
    storage: str = ""
    """The collection that keeps the objects; versions of one kind, and both event APIs, share one."""
    storage_version: str = ""
    """The apiVersion objects are kept in."""
    counts_generations: bool = False
    unconditional: bool = True
    """Whether an update may leave out the resourceVersion."""
    sub_names: frozenset[str] = field(default=frozenset())

    @property
    def api_version(self) -> str:
        """`group/version`, or `version` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`plural.group`, as error messages name the resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def list_kind(self) -> str:
        """The kind of a list of these."""
        return self.custom.list_kind if self.custom else f"{self.name}List"

    @property
    def hash(self) -> str:
        """The storageVersionHash of discovery: it changes when the storage version does."""
        text = f"{self.group}/{self.version}/{self.name}"
        return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()

    def has(self, sub: str) -> bool:
        """Whether the kind has this subresource."""
        return sub in self.sub_names

    def sub(self, name: str) -> Sub:
        """The subresource of this name, which must exist."""
        return next(sub for sub in self.subs if sub.name == name)


_CONNECT = ("create", "get")
_PROXY = ("create", "delete", "get", "patch", "update")
_SUBS = {
    "attach": ("PodAttachOptions", _CONNECT, "", ""),
    "binding": ("Binding", ("create",), "", ""),
    "eviction": ("Eviction", ("create",), "policy", "v1"),
    "exec": ("PodExecOptions", _CONNECT, "", ""),
    "finalize": ("", ("update",), "", ""),
    "log": ("", ("get",), "", ""),
    "portforward": ("PodPortForwardOptions", _CONNECT, "", ""),
    "scale": ("Scale", VIEW_VERBS, "autoscaling", "v1"),
    "token": ("TokenRequest", ("create",), "authentication.k8s.io", "v1"),
}

# group/version: plural Kind [c = cluster-wide] [g = counts generations] [short=a,b] [all] [sub,sub…]
_BUILT_IN = """
v1
bindings Binding verbs=create
componentstatuses ComponentStatus c short=cs verbs=get,list
configmaps ConfigMap short=cm
endpoints Endpoints short=ep singular=endpoints
events Event short=ev
limitranges LimitRange short=limits
namespaces Namespace c short=ns subs=finalize,status verbs=create,delete,get,list,patch,update,watch
nodes Node c short=no subs=proxy,status
persistentvolumeclaims PersistentVolumeClaim short=pvc subs=status
persistentvolumes PersistentVolume c short=pv subs=status
pods Pod g short=po all subs=attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,resize,status
podtemplates PodTemplate g
replicationcontrollers ReplicationController g short=rc all subs=scale,status
resourcequotas ResourceQuota short=quota subs=status
secrets Secret
serviceaccounts ServiceAccount short=sa subs=token
services Service short=svc all subs=proxy,status
apps/v1
controllerrevisions ControllerRevision
daemonsets DaemonSet g short=ds all subs=status
deployments Deployment g short=deploy all subs=scale,status
replicasets ReplicaSet g short=rs all subs=scale,status
statefulsets StatefulSet g short=sts all subs=scale,status
events.k8s.io/v1
events Event short=ev
authentication.k8s.io/v1
selfsubjectreviews SelfSubjectReview c verbs=create
tokenreviews TokenReview c verbs=create
authorization.k8s.io/v1
localsubjectaccessreviews LocalSubjectAccessReview verbs=create
selfsubjectaccessreviews SelfSubjectAccessReview c verbs=create
selfsubjectrulesreviews SelfSubjectRulesReview c verbs=create
subjectaccessreviews SubjectAccessReview c verbs=create
autoscaling/v2
horizontalpodautoscalers HorizontalPodAutoscaler short=hpa all subs=status
batch/v1
cronjobs CronJob g short=cj all subs=status
jobs Job g all subs=status
networking.k8s.io/v1
ingresses Ingress g short=ing subs=status
networkpolicies NetworkPolicy g short=netpol
policy/v1
poddisruptionbudgets PodDisruptionBudget g short=pdb subs=status
rbac.authorization.k8s.io/v1
clusterrolebindings ClusterRoleBinding c
clusterroles ClusterRole c
rolebindings RoleBinding
roles Role
storage.k8s.io/v1
storageclasses StorageClass c short=sc
apiextensions.k8s.io/v1
customresourcedefinitions CustomResourceDefinition c g short=crd,crds subs=status conditional
scheduling.k8s.io/v1
priorityclasses PriorityClass c g short=pc
coordination.k8s.io/v1
leases Lease conditional
node.k8s.io/v1
runtimeclasses RuntimeClass c
discovery.k8s.io/v1
endpointslices EndpointSlice g
"""


def built_in() -> tuple[Kind, ...]:
    """Every built-in kind, in the order discovery lists them."""
    kinds = []
    group = version = ""
    for line in _BUILT_IN.strip().splitlines():
        words = line.split()
        if len(words) == 1:
            group, _, version = words[0].rpartition("/")
        else:
            kinds.append(_kind(group, version, words[0], words[1], words[2:]))
    return tuple(kinds)


def _kind(group: str, version: str, plural: str, name: str, flags: list[str]) -> Kind:
    values = dict(flag.split("=", 1) for flag in flags if "=" in flag)
    subs = tuple(_sub(name, sub) for sub in values.get("subs", "").split(",") if sub)
    # Both event APIs are two spellings of one collection, kept as core events.
    storage_group = "" if plural == "events" else group
    return Kind(
        group=group,
        version=version,
        plural=plural,
        name=name,
        namespaced="c" not in flags,
        singular=values.get("singular", name.lower()),
        short_names=tuple(s for s in values.get("short", "").split(",") if s),
        categories=("all",) if "all" in flags else (),
        verbs=tuple(values["verbs"].split(",")) if "verbs" in values else ALL_VERBS,
        subs=subs,
        storage=f"{storage_group}/{plural}",
        storage_version=f"{storage_group}/{version}" if storage_group else version,
        counts_generations="g" in flags,
        unconditional="conditional" not in flags,
        sub_names=frozenset(sub.name for sub in subs),
    )


def _sub(kind: str, name: str) -> Sub:
    if name == "proxy":
        return Sub(name, f"{kind}ProxyOptions", _PROXY)
    sub_kind, verbs, group, version = _SUBS.get(name, ("", VIEW_VERBS, "", ""))
    return Sub(name, sub_kind or kind, verbs, group, version)


def lookup(kinds: Iterable[Kind]) -> dict[tuple[str, str, str], Kind]:
    """Kinds by group, version and plural."""
    return {(kind.group, kind.version, kind.plural): kind for kind in kinds}
