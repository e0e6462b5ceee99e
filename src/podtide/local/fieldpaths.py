"""Paths of an object's fields, and the FieldsV1 trees that `managedFields` keeps them in.

`ownership` compares objects with it and says who owns what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

Path = tuple[str, ...]
"""Steps as FieldsV1 writes them: `f:name` into an object, `k:{…}` to a list item by its keys."""

Tree = dict[str, Any]
"""FieldsV1: nested objects whose keys are steps; `.` says the node itself is owned."""

ListKeys = Callable[[Path, list[Any]], tuple[str, ...] | None]
"""The keys that tell the items of a list apart, or None for a list that is one value."""

_KEYS: Mapping[str, tuple[str, ...]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "imagePullSecrets": ("name",),
    "ownerReferences": ("uid",),
    "podIPs": ("ip",),
    "secrets": ("name",),
}


def built_in_keys(path: Path, items: list[Any]) -> tuple[str, ...] | None:
    """The list keys of built-in kinds; like `patching.MERGE_KEYS`, told by the field's name."""
    name = path[-1][2:]
    if name == "ports":
        return ("port", "protocol") if items and "port" in items[0] else ("containerPort", "protocol")
    return _KEYS.get(name)


def schema_keys(schema: Mapping[str, Any]) -> ListKeys:
    """The list keys a custom resource's schema declares (`x-kubernetes-list-type: map`)."""

    def keys(path: Path, items: list[Any]) -> tuple[str, ...] | None:
        if path[0] == "f:metadata":
            return built_in_keys(path, items)
        node: Mapping[str, Any] = schema
        for step in path:
            if step.startswith("k:"):
                node = node.get("items") or {}
            else:
                node = (node.get("properties") or {}).get(step[2:]) or node.get("additionalProperties") or {}
            if not isinstance(node, Mapping):
                return None
        if node.get("x-kubernetes-list-type") == "map":
            return tuple(node["x-kubernetes-list-map-keys"])
        return None

    return keys


def keys_of_step(step: str) -> tuple[str, ...]:
    """The keys a `k:{…}` step tells items apart by."""
    return tuple(msgspec.json.decode(step[2:].encode()))


def item_step(item: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """The step to a list item; a protocol that is left out is TCP, its default."""
    found = {key: item.get(key, "TCP" if key == "protocol" else None) for key in sorted(keys)}
    return "k:" + msgspec.json.encode(found).decode()


_UNOWNED_METADATA = frozenset(
    (
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
        "generateName",
    )
)


def leaves(body: Mapping[str, Any], keys: ListKeys) -> dict[Path, Any]:
    """Every field of an object that somebody can own, with its value."""
    found: dict[Path, Any] = {}
    for name, value in body.items():
        if name in ("apiVersion", "kind"):
            continue
        if name == "metadata":
            for field, inner in value.items():
                if field not in _UNOWNED_METADATA:
                    _collect(inner, ("f:metadata", f"f:{field}"), keys, found)
        else:
            _collect(value, (f"f:{name}",), keys, found)
    return found


def _collect(value: Any, path: Path, keys: ListKeys, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            _collect(inner, (*path, f"f:{name}"), keys, found)
        return
    if isinstance(value, list) and value and isinstance(value[0], dict):
        by = keys(path, value)
        if by is not None:
            for item in value:
                step = (*path, item_step(item, by))
                found[(*step, ".")] = None
                _collect(item, step, keys, found)
            return
    found[path] = value


def insert(tree: Tree, path: Path) -> None:
    """Adds a path to a tree."""
    for step in path:
        tree = tree.setdefault(step, {})


def discard(tree: Tree, path: Path) -> None:
    """Takes a path, and what is under it, out of a tree; branches left empty go with it."""
    if path[0] not in tree:
        return
    if len(path) == 1:
        del tree[path[0]]
        return
    discard(tree[path[0]], path[1:])
    if not tree[path[0]] or set(tree[path[0]]) == {"."}:
        del tree[path[0]]


def contains(tree: Tree, path: Path) -> bool:
    """Whether a tree owns a path, itself or through a leaf above it."""
    for step in path:
        if step not in tree:
            return False
        tree = tree[step]
    return True


def walk(tree: Tree, prefix: Path = ()) -> Iterator[Path]:
    """Every leaf path of a tree."""
    for step, inner in tree.items():
        if inner:
            yield from walk(inner, (*prefix, step))
        else:
            yield (*prefix, step)


def dotted(path: Path) -> str:
    """A path as conflict messages write it: `.spec.containers[name="c"].image`."""
    text = ""
    for step in path:
        if step.startswith("f:"):
            text += f".{step[2:]}"
        elif step.startswith("k:"):
            found = msgspec.json.decode(step[2:].encode())
            text += "[" + ",".join(f"{key}={msgspec.json.encode(value).decode()}" for key, value in found.items()) + "]"
    return text
