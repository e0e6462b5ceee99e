"""The CRD accepts what AIBrix's accepts, says what it means, and is the one that config/crd holds."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from podtide.api import crd
from tests.api import manifests

ROOT = Path(__file__).parents[2]
UPSTREAM = manifests.DATA / "aibrix/config/crd/autoscaling/autoscaling.aibrix.ai_podautoscalers.yaml"


def version(manifest: Any) -> Any:
    (only,) = manifest["spec"]["versions"]
    return only


def schema(manifest: Any) -> Any:
    return version(manifest)["schema"]["openAPIV3Schema"]


def walk(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every schema below one, with its path."""
    yield path, node
    for name, inner in node.get("properties", {}).items():
        yield from walk(inner, f"{path}.{name}")
    if "items" in node:
        yield from walk(node["items"], f"{path}[]")


OURS = dict(walk(schema(crd.manifest())))
THEIRS = dict(walk(schema(manifests.documents(UPSTREAM)[0])))


def test_there_is_something_to_compare() -> None:
    assert len(THEIRS) > 50


@pytest.mark.parametrize("path", THEIRS)
def test_whatever_aibrix_accepts_is_accepted(path: str) -> None:
    theirs, ours = THEIRS[path], OURS[path]
    if not ours.get("x-kubernetes-int-or-string"):
        assert ours["type"] == theirs["type"]
        assert ours.get("format") == theirs.get("format")
    assert set(ours.get("required", [])) <= set(theirs.get("required", []))
    assert set(ours.get("properties", {})) >= set(theirs.get("properties", {}))
    if "enum" in ours:
        assert set(ours["enum"]) >= set(theirs["enum"])
    if "pattern" in ours:
        assert ours["pattern"] == theirs["pattern"]
    for least in ("minimum", "minLength", "minItems"):
        if least in ours:
            assert ours[least] <= theirs[least]
    for most in ("maximum", "maxLength", "maxItems"):
        if most in ours:
            assert ours[most] >= theirs[most]
    assert ours.get("x-kubernetes-map-type") == theirs.get("x-kubernetes-map-type")


@pytest.mark.parametrize("path", OURS)
def test_every_schema_is_structural(path: str) -> None:
    node = OURS[path]
    assert ("type" in node) != ("x-kubernetes-int-or-string" in node)
    assert "default" not in node
    if node.get("x-kubernetes-int-or-string"):
        assert node["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    if path.count(".") > 1 or path not in {"", ".apiVersion", ".kind", ".metadata"}:
        assert path.endswith("[]") or node["description"]


def test_columns_for_kubectl_get() -> None:
    columns = version(crd.manifest())["additionalPrinterColumns"]
    assert [column["name"] for column in columns if not column.get("priority")] == (
        ["REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "STRATEGY", "MODE", "AGE"]
    )
    assert [column["name"] for column in columns if column.get("priority")] == ["DESIRED", "LASTSCALE"]
    for column in columns:
        path = column["jsonPath"]
        assert path in OURS or path == ".metadata.creationTimestamp"


def test_names_and_subresource() -> None:
    manifest = crd.manifest()
    assert manifest["metadata"]["name"] == "podautoscalers.autoscaling.aibrix.ai"
    assert manifest["spec"]["names"]["shortNames"] == ["pas"]
    assert version(manifest)["subresources"] == {"status": {}}


def test_every_rule_names_fields_that_exist() -> None:
    rules = [(path, rule) for path, node in OURS.items() for rule in node.get("x-kubernetes-validations", [])]
    assert len(rules) >= 10
    for path, rule in rules:
        for name in re.findall(r"self((?:\.[a-zA-Z]+)+)", rule["rule"]):
            assert path + name in OURS, rule
        assert rule["message"]


def test_the_copy_in_config_is_what_the_code_says() -> None:
    copy = ROOT / "config/crd" / f"{crd.NAME}.yaml"
    assert yaml.safe_load(copy.read_text(encoding="utf-8")) == crd.manifest()
