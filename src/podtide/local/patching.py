"""The patch languages, as pure functions: JSON merge patch, JSON patch and strategic merge patch.

The store applies them to whole objects and to Scales; server-side apply is in `ownership`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from podtide.local import refusals


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386: objects merge key by key, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def json_patch(target: Any, operations: Any) -> Any:
    """RFC 6902; raises `Refusal` 422 when a test fails or a path does not exist."""
    if not isinstance(operations, list):
        raise refusals.bad_request("error decoding patch: a JSON patch is a list of operations")
    holder = {"": target}
    for operation in operations:
        try:
            _operate(holder, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise refusals.failed_patch() from error
    return holder[""]


def _operate(holder: dict[str, Any], operation: Mapping[str, Any]) -> None:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "add":
            _add(holder, path, operation["value"])
        case "remove":
            _remove(holder, path)
        case "replace":
            _at(holder, path)
            _remove(holder, path)
            _add(holder, path, operation["value"])
        case "move":
            _add(holder, path, _remove(holder, _pointer(operation["from"])))
        case "copy":
            _add(holder, path, _at(holder, _pointer(operation["from"])))
        case "test":
            if _at(holder, path) != operation["value"]:
                raise ValueError(f"test of {operation['path']} failed")
        case unknown:
            raise ValueError(f"unknown operation {unknown}")


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise ValueError(f"no JSON pointer: {text}")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")]


def _step(node: Any, key: str) -> Any:
    return node[int(key)] if isinstance(node, list) else node[key]


def _at(holder: Any, path: Sequence[str]) -> Any:
    node = holder
    for key in path:
        node = _step(node, key)
    return node


def _add(holder: Any, path: Sequence[str], value: Any) -> None:
    parent, key = _at(holder, path[:-1]), path[-1]
    if not isinstance(parent, list):
        parent[key] = value
    elif key == "-":
        parent.append(value)
    elif int(key) <= len(parent):
        parent.insert(int(key), value)
    else:
        raise IndexError(key)


def _remove(holder: Any, path: Sequence[str]) -> Any:
    parent, key = _at(holder, path[:-1]), path[-1]
    return parent.pop(int(key)) if isinstance(parent, list) else parent.pop(key)


MERGE_KEYS: Mapping[str, str] = {
    "conditions": "type",
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "ports": "containerPort",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "ownerReferences": "uid",
    "podIPs": "ip",
    "secrets": "name",
}
"""Lists of built-in kinds that strategic merge patch joins by key; every other list but `finalizers` is replaced.

The field's name decides, not its whole path: no two fields of the served kinds share a name and differ in key,
except a Service's `ports`, handled in `_merge_key`.
"""


def _merge_key(name: str, items: Sequence[Any]) -> str | None:
    if name == "ports" and any(isinstance(item, dict) and "port" in item for item in items):
        return "port"
    return MERGE_KEYS.get(name)


def strategic(target: Any, patch: Any) -> Any:
    """Strategic merge patch with its directives `$patch`, `$deleteFromPrimitiveList` and `$retainKeys`."""
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    result = dict(target) if isinstance(target, dict) else {}
    if "$retainKeys" in patch:
        result = {key: value for key, value in result.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith("$"):
            _directive(result, key, value)
        elif value is None:
            result.pop(key, None)
        elif isinstance(value, list):
            result[key] = _list(key, result.get(key) or [], value)
        else:
            result[key] = strategic(result.get(key), value)
    return result


def _directive(result: dict[str, Any], key: str, value: Any) -> None:
    kind, _, name = key.partition("/")
    if kind == "$deleteFromPrimitiveList":
        result[name] = [item for item in result.get(name) or [] if item not in value]


def _list(name: str, target: list[Any], patch: list[Any]) -> list[Any]:
    if name == "finalizers":
        return [*target, *(item for item in patch if item not in target)]
    key = _merge_key(name, [*target, *patch])
    if key is None or not all(isinstance(item, dict) for item in patch):
        return patch
    if any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    result = list(target)
    for item in patch:
        at = next((i for i, old in enumerate(result) if old.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            if at is not None:
                result.pop(at)
        elif at is None:
            result.append(strategic({}, item))
        else:
            result[at] = strategic(result[at], item)
    return result
