"""Real `kubectl` against the embedded server: what people do every day."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from podtide.api import crd
from podtide.local import access, metrics
from podtide.local.pods import PodFleet, Profile
from podtide.local.server import ApiServer
from podtide.local.workloads import Controller
from tests.local import making

KUBECTL = os.environ.get("KUBECTL") or shutil.which("kubectl")
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed (Debian: kubernetes-client)")


@dataclass(frozen=True)
class Kubectl:
    """kubectl with a kubeconfig of the server."""

    home: Path
    config: Path

    async def run(self, *words: str, code: int = 0, text: str = "") -> str:
        """What a command prints; fails unless it exits with `code`."""
        environment = {"HOME": str(self.home), "KUBECONFIG": str(self.config), "PATH": os.environ["PATH"]}
        process = await asyncio.create_subprocess_exec(
            str(KUBECTL),
            *words,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            out, _ = await process.communicate(text.encode())
        assert process.returncode == code, out.decode()
        return out.decode()

    async def json(self, *words: str) -> Any:
        """An object as kubectl gets it."""
        return json.loads(await self.run("get", "-o", "json", *words))

    async def write(self, name: str, *bodies: Any) -> str:
        """A manifest file; returns its path."""
        path = self.home / name
        path.write_text(yaml.safe_dump_all(bodies), encoding="utf-8")
        return str(path)


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    """A cluster over HTTPS with RBAC on, workloads at work and pods that start at once."""
    profile = Profile(metrics.Template.plain("load"), 8000, startup=0.0, shutdown=0.0)
    async with (
        ApiServer(tls=True, tokens={"root": access.ADMIN}) as api,
        Controller(api.store),
        PodFleet(api.store, [profile]),
    ):
        making.namespace(api.store)
        yield api


@pytest.fixture
def kubectl(api: ApiServer, tmp_path: Path) -> Kubectl:
    return Kubectl(tmp_path, api.kubeconfig(tmp_path / "config", namespace="shop"))


async def test_a_workload_from_apply_to_delete(api: ApiServer, kubectl: Kubectl) -> None:
    path = await kubectl.write("web.yaml", making.workload(replicas=2))
    assert "deployment.apps/web created" in await kubectl.run("apply", "-f", path)
    assert "condition met" in await kubectl.run("wait", "--for=condition=Available", "deployment/web", "--timeout=30s")
    table = (await kubectl.run("get", "deployment", "web")).splitlines()
    assert table[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert table[1].split()[:4] == ["web", "2/2", "2", "2"]
    wide = await kubectl.run("get", "pods", "-o", "wide")
    assert wide.count("Running") == 2
    assert "127." in wide
    assert "2 desired | 2 updated | 2 total | 2 available" in await kubectl.run("describe", "deployment", "web")
    assert "scaled" in await kubectl.run("scale", "deployment/web", "--replicas=3", "--current-replicas=2")
    assert "successfully rolled out" in await kubectl.run("rollout", "status", "deployment/web", "--timeout=30s")
    patch = '{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"nginx:2"}]}}}}'
    assert "patched" in await kubectl.run("patch", "deployment", "web", "-p", patch)
    await kubectl.run("rollout", "status", "deployment/web", "--timeout=30s")
    images = await kubectl.run("get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}")
    assert set(images.split()) == {"nginx:2"}
    assert "configured" in await kubectl.run("apply", "-f", path)
    assert (await kubectl.json("deployment", "web"))["spec"]["replicas"] == 2
    assert "deleted" in await kubectl.run("delete", "-f", path, "--wait=true")
    pods = api.store.collection(api.store.kind("v1", "pods"))
    await making.until(api.store, lambda: not pods.current("shop"))
    assert "No resources found" in await kubectl.run("get", "all")


async def test_server_side_apply_sees_conflicts(kubectl: Kubectl) -> None:
    path = await kubectl.write("web.yaml", making.workload(replicas=1))
    await kubectl.run("apply", "--server-side", "-f", path)
    other = await kubectl.write("more.yaml", making.workload(replicas=5))
    apply = ("apply", "--server-side", "--field-manager=other", "-f", other)
    refused = await kubectl.run(*apply, code=1)
    assert ".spec.replicas" in refused
    assert "serverside-applied" in await kubectl.run(*apply, "--force-conflicts")


async def test_custom_resources_with_columns_and_short_names(kubectl: Kubectl) -> None:
    shown = [{"name": "Count", "type": "integer", "jsonPath": ".spec.count"}]
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"count": {"type": "integer", "minimum": 1}}},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    crd = await kubectl.write("crd.yaml", making.definition(schema, scale=True, columns=shown))
    await kubectl.run("apply", "-f", crd)
    await kubectl.run("wait", "--for=condition=Established", "crd/gadgets.toys.example.com", "--timeout=30s")
    path = await kubectl.write("one.yaml", making.gadget(count=3))
    await kubectl.run("apply", "-f", path)
    table = (await kubectl.run("get", "gg")).splitlines()
    assert (table[0].split(), table[1].split()) == (["NAME", "COUNT"], ["one", "3"])
    await kubectl.run("scale", "gadget/one", "--replicas=4")
    assert (await kubectl.json("gadget", "one"))["spec"] == {"count": 4}
    bad = await kubectl.write("bad.yaml", making.gadget("bad", count=0))
    assert "should be greater than or equal to 1" in await kubectl.run("apply", "-f", bad, code=1)
    assert "Count:" in await kubectl.run("describe", "gadget", "one")
    await kubectl.run("patch", "gadget", "one", "--type=merge", "-p", '{"spec":{"count":7}}')
    await kubectl.run("annotate", "gadget", "one", "note=hello")
    await kubectl.run("label", "gadget", "one", "tier=front")
    assert "one" in await kubectl.run("get", "gadgets", "-l", "tier in (front)", "-o", "name")
    assert "deleted" in await kubectl.run("delete", "gadget", "--all")


async def test_small_things(kubectl: Kubectl) -> None:
    await kubectl.run("create", "namespace", "more")
    await kubectl.run("create", "configmap", "settings", "--from-literal=a=1", "-n", "more")
    await kubectl.run("create", "secret", "generic", "ca", "--from-literal=ca.crt=PEM", "-n", "more")
    assert (await kubectl.json("secret", "ca", "-n", "more"))["data"] == {"ca.crt": "UEVN"}
    assert "settings" in await kubectl.run("get", "configmaps", "-A")
    assert await kubectl.run("auth", "can-i", "patch", "deployments", "--subresource=scale") == "yes\n"
    resources = await kubectl.run("api-resources", "--api-group=apps", "-o", "name")
    assert set(resources.split()) >= {"deployments.apps", "replicasets.apps", "statefulsets.apps"}
    await kubectl.run("delete", "namespace", "more", "--timeout=30s")
    assert "not found" in await kubectl.run("get", "namespace", "more", code=1)


async def test_a_role_with_less_is_told_so(api: ApiServer, kubectl: Kubectl, tmp_path: Path) -> None:
    await kubectl.run("create", "serviceaccount", "robot")
    await kubectl.run("create", "role", "reader", "--verb=get,list", "--resource=pods")
    await kubectl.run("create", "rolebinding", "robot", "--role=reader", "--serviceaccount=shop:robot")
    robot = Kubectl(tmp_path, api.kubeconfig(tmp_path / "robot", api.token("shop", "robot"), "shop"))
    assert "No resources found" in await robot.run("get", "pods")
    await kubectl.run("run", "web", "--image=nginx")
    told = await robot.run("delete", "pod", "web", code=1)
    assert 'User "system:serviceaccount:shop:robot" cannot delete resource "pods"' in told


async def test_top_shows_what_pods_use(api: ApiServer, kubectl: Kubectl) -> None:
    await kubectl.run("apply", "-f", await kubectl.write("web.yaml", making.workload(replicas=1)))
    await kubectl.run("wait", "--for=condition=Available", "deployment/web", "--timeout=30s")
    api.metrics.usage = lambda _, __: {"cpu": "250m", "memory": "64Mi"}
    (row,) = (await kubectl.run("top", "pods", "--no-headers")).splitlines()
    assert row.split()[1:] == ["250m", "64Mi"]


async def test_explain_knows_custom_kinds(api: ApiServer, kubectl: Kubectl) -> None:
    version = json.loads(await kubectl.run("version", "--client", "-o", "json"))["clientVersion"]
    if int(version["minor"].rstrip("+")) < 27:
        pytest.skip("it asks for the types in OpenAPI v2, which holds none here")
    api.store.create(api.store.kind("apiextensions.k8s.io/v1", "customresourcedefinitions"), "", crd.manifest())
    shown = await kubectl.run("explain", "pas.spec.minReplicas")
    assert "KIND:       PodAutoscaler" in shown
    assert "FIELD: minReplicas <integer>" in shown
    whole = await kubectl.run("explain", "pas", "--recursive")
    assert "scaleToZeroGraceSeconds" in whole
    assert "metadata" in whole
