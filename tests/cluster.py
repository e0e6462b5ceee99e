"""An embedded API server and clients to it, for tests of everything that talks Kubernetes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podtide.kube import config, kinds, objects, resources
from podtide.kube.client import Client
from podtide.local.server import ApiServer


@dataclass(frozen=True)
class Cluster:
    """A server, the client under test, and somebody else's."""

    api: ApiServer
    client: Client
    other: Client
    """For what others do meanwhile: faults for `podtide` do not touch it."""

    async def create(self, manifest: dict[str, Any]) -> objects.Meta:
        """Create a Deployment or a Pod, as somebody else."""
        resource = {"Deployment": resources.DEPLOYMENTS, "Pod": resources.PODS}[manifest["kind"]]
        namespace = manifest["metadata"].get("namespace", "default")
        return (await self.other.create(resource, namespace, manifest, into=objects.Partial)).metadata


@asynccontextmanager
async def running(path: Path, **options: Any) -> AsyncIterator[Cluster]:
    """A cluster whose kubeconfig stands below `path`; `options` are those of the client under test."""
    async with ApiServer() as api:
        kubeconfig = str(api.kubeconfig(path / "kubeconfig"))
        async with (
            Client(await config.load(kubeconfig), **options) as client,
            Client(await config.load(kubeconfig), user_agent="other") as other,
        ):
            yield Cluster(api, client, other)


def deployment(name: str = "web", replicas: int = 2, namespace: str = "default") -> dict[str, Any]:
    """A Deployment's manifest."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "app"}]},
            },
        },
    }


def pod(name: str, *owners: dict[str, Any], namespace: str = "default") -> dict[str, Any]:
    """A Pod's manifest."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "ownerReferences": list(owners), "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    }


def owner(kind: str, name: str, uid: str, api_version: str = "apps/v1") -> dict[str, Any]:
    """An ownerReference of a controller."""
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": True}


def replica_set(name: str, *owners: dict[str, Any]) -> dict[str, Any]:
    """A ReplicaSet's manifest."""
    made = deployment(name)
    made["kind"] = "ReplicaSet"
    made["metadata"]["ownerReferences"] = list(owners)
    return made


def deployments() -> Any:
    """The kind under which Deployments are cached."""
    return kinds.scalable(resources.DEPLOYMENTS)
