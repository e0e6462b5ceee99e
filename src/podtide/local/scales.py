"""The `/scale` of an object: `autoscaling/v1` Scale made from it, and a Scale's replicas written back.

The store uses it for the workloads and for every custom resource whose definition has the scale subresource.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from podtide.local import fieldpaths, refusals, selectors
from podtide.local.kinds import Kind, ScalePaths
from podtide.local.refusals import Cause, Object

_BUILT_IN = ScalePaths(("spec", "replicas"), ("status", "replicas"), None)


def paths(kind: Kind) -> ScalePaths:
    """Where a kind keeps its replicas."""
    return (kind.custom.scale if kind.custom else None) or _BUILT_IN


def view(kind: Kind, body: Object) -> Object:
    """The Scale of an object; `spec.replicas` is left out when it is 0, as Go's omitempty has it."""
    where = paths(kind)
    replicas = _read(body, where.spec_replicas) or 0
    status: Object = {"replicas": _read(body, where.status_replicas) or 0}
    selector = _selector(kind, body, where)
    if selector:
        status["selector"] = selector
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: body["metadata"][name] for name in kept if name in body["metadata"]},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def _selector(kind: Kind, body: Object, where: ScalePaths) -> str:
    if kind.custom is not None:
        return str(_read(body, where.selector) or "") if where.selector else ""
    return selectors.text(selectors.of_object((body.get("spec") or {}).get("selector")))


def _read(body: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        body = body.get(step) if isinstance(body, Mapping) else None
    return body


def patchable(kind: Kind, body: Object) -> Object:
    """The Scale that a patch is applied to: the view, and who owns its replicas."""
    scale = view(kind, body)
    owned = []
    for entry in body["metadata"].get("managedFields") or ():
        if fieldpaths.contains(entry["fieldsV1"], tuple(f"f:{step}" for step in paths(kind).spec_replicas)):
            kept = {name: value for name, value in entry.items() if name != "time"}
            owned.append({**kept, "apiVersion": "autoscaling/v1", "fieldsV1": {"f:spec": {"f:replicas": {}}}})
    if owned:
        scale["metadata"]["managedFields"] = owned
    return scale


def check(scale: Object, *, strict: bool, patched: bool) -> int:
    """The replicas a Scale asks for; raises `Refusal` for what is no Scale."""
    spec = scale.get("spec") or {}
    # Go writes what a patch has touched with sorted keys.
    shown = msgspec.json.encode({**dict(sorted(scale.items())), "spec": dict(sorted(spec.items()))}).decode()
    replicas = spec.get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        found = "bool" if isinstance(replicas, bool) else "string" if isinstance(replicas, str) else "number"
        why = f"json: cannot unmarshal {found} into Go struct field ScaleSpec.spec.replicas of type int32"
        raise _unreadable(shown, why, patched=patched)
    unknown = [f'unknown field "spec.{name}"' for name in spec if name != "replicas"]
    if unknown and strict:
        raise _unreadable(shown, f"strict decoding error: {', '.join(unknown)}", patched=patched)
    if replicas < 0:
        text = f"Invalid value: {replicas}: must be greater than or equal to 0"
        cause = Cause("FieldValueInvalid", text, "spec.replicas")
        raise refusals.invalid("Scale", "autoscaling", scale["metadata"]["name"], [cause])
    return replicas


def _unreadable(shown: str, why: str, *, patched: bool) -> refusals.Refusal:
    if patched:
        return refusals.unpatchable(shown, why)
    return refusals.bad_request(f'Scale in version "v1" cannot be handled as a Scale: {why}')


def write_back(kind: Kind, body: Object, replicas: int) -> None:
    """Puts the replicas where the kind keeps them, in place."""
    *path, last = paths(kind).spec_replicas
    node = body
    for step in path:
        node = node.setdefault(step, {})
    node[last] = replicas
