"""The smallest OpenAPI documents that let kubectl work: which paths take which options, and the types of custom kinds.

kubectl asks before it applies or validates: the old one for a v2 document in protobuf, the newer ones for v3.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from aiohttp import web

from podtide.local.kinds import Custom, Kind
from podtide.local.refusals import Object

_V2: Object = {"swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.36.0"}, "paths": {}, "definitions": {}}

# The same document as protobuf: field 1 (swagger), field 2 (info: title 1, version 2); kubectl 1.20 reads no JSON here.
_V2_PROTOBUF = b"\x0a\x032.0\x12\x15\x0a\x0aKubernetes\x12\x07v1.36.0"

_EVERY: Object = {
    "apiVersion": {"type": "string", "description": "Group and version of this form of the object."},
    "kind": {"type": "string", "description": "The object's kind."},
    "metadata": {"type": "object", "description": "Name, namespace, labels and what else every object has."},
}
"""Properties of each custom kind that its definition need not tell."""


def answer(parts: list[str], kinds: Iterable[Kind], accept: str) -> web.Response:
    """The answer to a path under /openapi."""
    match parts[1:]:
        case ["v2"] if "protobuf" in accept:
            media = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
            return web.Response(body=_V2_PROTOBUF, headers={"Content-Type": media})
        case ["v2"]:
            return _json(_V2)
        case ["v3"]:
            return _json(_index(kinds))
        case ["v3", *path]:
            found = [kind for kind in kinds if _path(kind) == "/".join(path)]
            if found:
                return _json(_version(found))
    return web.Response(text="404 page not found\n", status=404)


def _json(body: Object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), headers={"Content-Type": "application/json"})


def _path(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _index(kinds: Iterable[Kind]) -> Object:
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in {_path(kind) for kind in kinds}}}


def _version(kinds: list[Kind]) -> Object:
    paths: Object = {}
    for kind in kinds:
        prefix = f"/{_path(kind)}/{'namespaces/{namespace}/' if kind.namespaced else ''}{kind.plural}"
        paths[f"{prefix}/{{name}}"] = {"patch": _patch(kind)}
    info = {"title": "Kubernetes", "version": "v1.36.0"}
    schemas = {_type(kind): _schema(kind, kind.custom) for kind in kinds if kind.custom is not None}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _type(kind: Kind) -> str:
    """A type's name: the group backwards, as those of Kubernetes are called."""
    return ".".join([*reversed(kind.group.split(".")), kind.version, kind.name])


def _schema(kind: Kind, custom: Custom) -> Object:
    """What `kubectl explain` shows of a custom kind."""
    properties = {**_EVERY, **(custom.schema.get("properties") or {})}
    return {**custom.schema, "properties": properties, "x-kubernetes-group-version-kind": [_gvk(kind)]}


def _gvk(kind: Kind) -> Object:
    return {"group": kind.group, "version": kind.version, "kind": kind.name}


def _patch(kind: Kind) -> Object:
    """What a kubectl looks for before it leaves validation to the server."""
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldValidation")]
    return {
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": _gvk(kind),
    }
