"""Objects for the tests, and waiting for the cluster to get somewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from podtide.local.store import Store

Object = dict[str, Any]


def namespace(store: Store, name: str = "shop") -> None:
    """A namespace to work in."""
    store.create(store.kind("v1", "namespaces"), "", {"metadata": {"name": name}})


def pod(name: str = "web-0", **labels: str) -> Object:
    """The smallest pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "nginx"}]},
    }


def workload(kind: str = "Deployment", name: str = "web", replicas: int = 2, **spec: Any) -> Object:
    """A Deployment or StatefulSet of one container."""
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "nginx:1", "ports": [{"containerPort": 8000}]}]},
    }
    body = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": body}


def definition(
    schema: Object | None = None, *, scale: bool = False, columns: list[Object] | None = None, **version: Any
) -> Object:
    """The definition of a custom kind `Gadget` in the group `toys.example.com`."""
    subresources: Object = {"status": {}}
    if scale:
        subresources["scale"] = {
            "specReplicasPath": ".spec.count",
            "statusReplicasPath": ".status.count",
            "labelSelectorPath": ".status.selector",
        }
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": subresources,
        "schema": {"openAPIV3Schema": schema or anything},
        **version,
    }
    if columns:
        served["additionalPrinterColumns"] = columns
    names = {"kind": "Gadget", "plural": "gadgets", "singular": "gadget", "shortNames": ["gg"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.toys.example.com"},
        "spec": {"group": "toys.example.com", "scope": "Namespaced", "names": names, "versions": [served]},
    }


def define(store: Store, **options: Any) -> None:
    """Puts that definition in force."""
    kind = store.kind("apiextensions.k8s.io/v1", "customresourcedefinitions")
    store.create(kind, "", definition(**options))


def gadget(name: str = "one", **spec: Any) -> Object:
    """An object of that kind."""
    return {"apiVersion": "toys.example.com/v1", "kind": "Gadget", "metadata": {"name": name}, "spec": spec}


async def until(store: Store, holds: Callable[[], bool], timeout: float = 10.0) -> None:
    """Waits for a change of the store after which `holds`; raises `TimeoutError`."""
    changed = asyncio.Event()
    unlisten = store.listen(lambda storage, change: changed.set())
    try:
        async with asyncio.timeout(timeout):
            while not holds():
                await changed.wait()
                changed.clear()
    finally:
        unlisten()
