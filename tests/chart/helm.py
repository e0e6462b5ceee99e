"""The chart through the real Helm engine, and what Kubernetes' own models say about the fields of what comes out."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import models

try:
    import helm_python
except ImportError:
    pytest.skip("helm-python-sdk has no build for this platform", allow_module_level=True)

ValuesError = helm_python.HelmValuesError
RenderError = helm_python.HelmRenderError

CHART = Path(__file__).parents[2] / "charts" / "podtide"
NAMESPACE = "podtide-system"

Object = dict[str, Any]


@cache
def chart() -> helm_python.Chart:
    """The chart, loaded once."""
    return helm_python.Chart.load(CHART)


def render(values: Object | None = None, *, name: str = "podtide") -> list[Object]:
    """Every document of a release in `podtide-system`."""
    values = values or {}
    chart().validate_schema(values)
    rendered = chart().render(values, name=name, namespace=NAMESPACE)
    texts = [rendered[path] for path in sorted(rendered) if path.endswith(".yaml")]
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


def lint() -> Object:
    """What `helm lint --strict` says."""
    return helm_python.lint(CHART, strict=True)


def parsed(text: str) -> Object:
    """The values that `--set` makes of `a.b=c`."""
    return helm_python.parse_set_string(text)


def notes(values: Object | None = None) -> str:
    """What Helm prints after an installation."""
    return chart().render(values or {}, name="podtide", namespace=NAMESPACE)["podtide/templates/NOTES.txt"]


def only(documents: list[Object], kind: str) -> Object:
    """The one document of a kind."""
    (found,) = (document for document in documents if document["kind"] == kind)
    return found


def container(documents: list[Object]) -> Object:
    """The controller's container."""
    (found,) = only(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def unknown_fields(document: Object) -> list[str]:
    """Fields that Kubernetes' API does not have; kinds that it does not have either are passed over."""
    version = document["apiVersion"].rpartition("/")[2]
    model = f"{version[0].upper()}{version[1:]}{document['kind']}"
    return list(_unknown(document, model, "")) if hasattr(models, model) else []


def _unknown(value: Any, kind: str, path: str) -> Iterator[str]:
    if inner := re.fullmatch(r"List\[(.*)\]", kind):
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for at, item in enumerate(value):
            yield from _unknown(item, inner[1], f"{path}[{at}]")
    elif inner := re.fullmatch(r"Dict\[str, (.*)\]", kind):
        for name, item in value.items():
            yield from _unknown(item, inner[1], f"{path}.{name}")
    elif hasattr(models, kind):
        model = getattr(models, kind)
        names = {wire: name for name, wire in model.attribute_map.items()}
        for name, item in value.items():
            if name not in names:
                yield f"{path}.{name}"
            else:
                yield from _unknown(item, model.openapi_types[names[name]], f"{path}.{name}")
    elif not _is(value, kind):
        yield f"{path}: {value!r} is no {kind}"


def _is(value: Any, kind: str) -> bool:
    wanted = {"str": str, "bool": bool, "int": int}.get(kind, object)
    return isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))
