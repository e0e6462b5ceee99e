"""The kustomize tree: complete, equal to what the chart grants, and accepted by a server where kubectl renders it."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from podtide.cli import main
from tests.chart import cluster, helm

CONFIG = Path(__file__).parents[2] / "config"
KUBECTL = shutil.which("kubectl")

Object = dict[str, Any]


def documents(path: str) -> list[Object]:
    return [document for document in yaml.safe_load_all((CONFIG / path).read_text()) if document]


@pytest.mark.parametrize("path", sorted(CONFIG.rglob("kustomization.yaml")), ids=lambda path: path.parent.name)
def test_what_is_listed_is_there_and_nothing_is_left_out(path: Path) -> None:
    listed = yaml.safe_load(path.read_text())["resources"]
    assert [name for name in listed if not (path.parent / name).exists()] == []
    files = {found.name for found in path.parent.glob("*.yaml")} - {path.name}
    assert files == {name for name in listed if name.endswith(".yaml")}


def test_the_rights_are_the_charts() -> None:
    rendered = helm.render({"rbac": {"aggregate": False}})
    assert documents("rbac/role.yaml")[0]["rules"] == helm.only(rendered, "ClusterRole")["rules"]
    assert documents("rbac/own.yaml")[0]["rules"] == helm.only(rendered, "Role")["rules"]


def test_the_pod_is_the_charts() -> None:
    (ours,) = documents("manager/deployment.yaml")
    pod, theirs = ours["spec"]["template"]["spec"], helm.only(helm.render(), "Deployment")["spec"]["template"]["spec"]
    for spec in (pod, theirs):
        # Labels differ, and so do arguments that repeat defaults.
        del spec["topologySpreadConstraints"]
    arguments = (pod["containers"][0].pop("args"), theirs["containers"][0].pop("args"))
    assert pod == theirs
    mine, other = (
        main.parser().parse_args([argument.replace("$(POD_NAMESPACE)", "podtide-system") for argument in given])
        for given in arguments
    )
    assert mine == other


def kustomized(name: str) -> list[Object]:
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    built = subprocess.run([KUBECTL, "kustomize", str(CONFIG / name)], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(built.stdout))


@pytest.mark.parametrize("name", ["default", "namespaced"])
async def test_the_api_server_accepts_what_is_built(name: str) -> None:
    built = kustomized(name)
    assert [helm.unknown_fields(document) for document in built] == [[]] * len(built)
    there = {"CustomResourceDefinition"}
    async with cluster.opened() as opened:
        fresh = [
            document
            for document in built
            if document["kind"] not in there and document["metadata"]["name"] != helm.NAMESPACE
        ]
        await opened.install(fresh)


def test_one_namespace_is_all_that_the_namespaced_variant_touches() -> None:
    built = kustomized("namespaced")
    assert {document["metadata"]["namespace"] for document in built} == {"shop"}
    assert not [document for document in built if document["kind"].startswith("Cluster")]
    subjects = [subject for document in built for subject in document.get("subjects", ())]
    assert {(subject["name"], subject["namespace"]) for subject in subjects} == {("podtide", "shop")}
    assert "--namespace=$(POD_NAMESPACE)" in helm.container(built)["args"]


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(CONFIG.glob("samples/*.yaml")) if "kind: PodAutoscaler" not in path.read_text()],
    ids=lambda path: path.stem,
)
def test_what_goes_with_a_sample_has_the_fields_that_kubernetes_has(path: Path) -> None:
    found = documents(f"samples/{path.name}")
    assert found
    assert [helm.unknown_fields(document) for document in found] == [[]] * len(found)
