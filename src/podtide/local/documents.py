"""The paths that are no resource: health, version, discovery, OpenAPI.

The routes send everything here that names no object.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from podtide.local import answers, discovery, openapi
from podtide.local.kinds import Kind
from podtide.local.refusals import Object

_AGGREGATED = "APIGroupDiscoveryList"
_ROOTS = ("/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version")


def answer(path: str, form: str, accept: str, kinds: Sequence[Kind], address: str) -> web.Response:
    """The document at a path; `form` is what the Accept header prefers."""
    parts = [part for part in path.split("/") if part]
    if parts in (["healthz"], ["livez"], ["readyz"]):
        return answers.text("ok")
    if parts[:1] == ["openapi"]:
        return openapi.answer(parts, kinds, accept)
    if form == _AGGREGATED and parts in (["api"], ["apis"]):
        media = f"{answers.JSON};g=apidiscovery.k8s.io;v=v2;as={_AGGREGATED}"
        return answers.json(discovery.aggregated(kinds, core=parts == ["api"]), media=media)
    found = _discovered(parts, kinds, address)
    return answers.no_page() if found is None else answers.json(found)


def _discovered(parts: Sequence[str], kinds: Sequence[Kind], address: str) -> Object | None:
    match parts:
        case ["version"]:
            return discovery.VERSION
        case ["api"]:
            return discovery.core_versions(address)
        case ["apis"]:
            return discovery.group_list(kinds)
        case ["api", version]:
            return discovery.resource_list(version, kinds)
        case ["apis", group]:
            return discovery.group(group, kinds)
        case ["apis", group, version]:
            return discovery.resource_list(f"{group}/{version}", kinds)
        case []:
            return {"paths": list(_ROOTS)}
    return None
