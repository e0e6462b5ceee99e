"""Table objects: what `kubectl get` asks for instead of the objects themselves.

The routes call it for lists, single objects and watches whose Accept header says `as=Table`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from podtide.local import columns, convert
from podtide.local.columns import Column
from podtide.local.kinds import Kind
from podtide.local.refusals import Object

_CUSTOM = "Custom resource definition column (in JSONPath format): "


def of(kind: Kind) -> tuple[Column, ...]:
    """The columns of a kind."""
    if kind.custom is None:
        return columns.of(kind.storage)
    found = kind.custom.columns or ({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},)
    return (columns.NAME, *(_custom(column) for column in found))


def _custom(column: Mapping[str, Any]) -> Column:
    path = str(column["jsonPath"])
    kind = str(column["type"])

    def cell(body: Object, now: float) -> Any:
        found = first(body, path)
        if kind == "date":
            return columns.since(found, now)
        if found is None:
            return None
        return _typed(found, kind)

    return Column(
        name=column["name"],
        cell=cell,
        type=kind,
        format=column.get("format", ""),
        description=column.get("description") or f"{_CUSTOM}{path}",
        priority=column.get("priority", 0),
    )


def _typed(value: Any, kind: str) -> Any:
    if kind == "string":
        if isinstance(value, str):
            return value
        return msgspec.json.encode(value).decode()
    matches = isinstance(value, bool) if kind == "boolean" else isinstance(value, int | float)
    return value if matches else None


_STEP = re.compile(
    r"""\.?([A-Za-z0-9_\-]+(?:\\\.[A-Za-z0-9_\-]+)*)|\[(\d+|\*)\]|\['([^']+)'\]"""
    r"""|\[\?\(@\.([\w.]+)\s*==\s*["']([^"']*)["']\)\]"""
)


def first(body: Any, path: str) -> Any:
    """The first value a JSONPath finds: names, indexes, `[*]` and filters on equality; None when there is none."""
    nodes = [body]
    for name, index, quoted, field, wanted in _STEP.findall(path):
        nodes = [found for node in nodes for found in _children(node, name or quoted, index, field, wanted)]
    return nodes[0] if nodes else None


def _children(node: Any, name: str, index: str, field: str, wanted: str) -> Sequence[Any]:
    if name:
        key = name.replace("\\.", ".")
        return [node[key]] if isinstance(node, dict) and key in node else []
    if not isinstance(node, list):
        return []
    if index == "*":
        return node
    if index:
        return node[int(index) : int(index) + 1]
    return [item for item in node if str(columns.follow(item, *field.split("."))) == wanted]


def render(
    kind: Kind, metadata: Object, bodies: Sequence[Object], now: float, include: str, *, head: bool = True
) -> Object:
    """A Table of objects; `include` is None, Metadata or Object, as `includeObject` asks; `head` adds the columns."""
    shown = of(kind)
    rows = []
    for body in bodies:
        row: Object = {"cells": [column.cell(body, now) for column in shown]}
        if include == "Object":
            row["object"] = convert.from_storage(kind, body)
        elif include == "Metadata":
            row["object"] = partial(body)
        rows.append(row)
    definitions = [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in shown
    ]
    table: Object = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return {**table, "columnDefinitions": definitions if head else [], "rows": rows}


def partial(body: Object) -> Object:
    """The metadata of an object, as PartialObjectMetadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": body["metadata"]}
