"""Discovery documents: which groups, versions and resources there are.

The routes answer /api, /apis and their children with these; kubectl and clients start here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from podtide.local import definitions
from podtide.local.kinds import Kind, Sub
from podtide.local.refusals import Object

VERSION: Object = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.0+podtide",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
"""What `/version` says: the Kubernetes whose answers are followed."""


def core_versions(address: str) -> Object:
    """The answer of `/api`; `address` is where the server listens."""
    client = {"clientCIDR": "0.0.0.0/0", "serverAddress": address}
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [client]}


def groups(kinds: Iterable[Kind]) -> list[Object]:
    """The named groups with their versions, the preferred first."""
    found: dict[str, list[str]] = {}
    for kind in kinds:
        if kind.group and kind.version not in found.setdefault(kind.group, []):
            found[kind.group].append(kind.version)
    return [_group(name, definitions.newest_first(versions)) for name, versions in found.items()]


def _group(name: str, versions: Sequence[str]) -> Object:
    told = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": told, "preferredVersion": told[0]}


def group_list(kinds: Iterable[Kind]) -> Object:
    """The answer of `/apis`."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups(kinds)}


def group(name: str, kinds: Iterable[Kind]) -> Object | None:
    """The answer of `/apis/{group}`, None for a group that is not served."""
    found = next((group for group in groups(kinds) if group["name"] == name), None)
    return {"kind": "APIGroup", "apiVersion": "v1", **found} if found else None


def resource_list(api_version: str, kinds: Iterable[Kind]) -> Object | None:
    """The answer of `/api/v1` and `/apis/{group}/{version}`, None for a version that is not served."""
    resources: list[Object] = []
    for kind in kinds:
        if kind.api_version == api_version:
            resources.append(_resource(kind))
            resources += [_subresource(kind, sub) for sub in kind.subs]
    if not resources:
        return None
    head: Object = {"kind": "APIResourceList", "groupVersion": api_version, "resources": resources}
    # The core list has no apiVersion on a real server either.
    return head if api_version == "v1" else {"apiVersion": "v1", **head}


def _resource(kind: Kind) -> Object:
    found: Object = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.name,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        found["shortNames"] = list(kind.short_names)
    if kind.categories:
        found["categories"] = list(kind.categories)
    if "watch" in kind.verbs:
        found["storageVersionHash"] = kind.hash
    return found


def _subresource(kind: Kind, sub: Sub) -> Object:
    found: Object = {"name": f"{kind.plural}/{sub.name}", "singularName": "", "namespaced": kind.namespaced}
    if sub.version:
        found |= {"group": sub.group, "version": sub.version}
    return found | {"kind": sub.kind, "verbs": list(sub.verbs)}


def aggregated(kinds: Sequence[Kind], *, core: bool) -> Object:
    """The whole of `/api` or `/apis` in one document, as newer clients ask for it."""
    items = [_aggregated_group("", ["v1"], kinds)] if core else []
    if not core:
        for told in groups(kinds):
            versions = [version["version"] for version in told["versions"]]
            items.append(_aggregated_group(told["name"], versions, kinds))
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_group(name: str, versions: Sequence[str], kinds: Sequence[Kind]) -> Object:
    told = []
    for version in versions:
        mine = [kind for kind in kinds if kind.group == name and kind.version == version]
        resources = [_aggregated_resource(kind) for kind in mine]
        told.append({"version": version, "resources": resources, "freshness": "Current"})
    return {"metadata": {"name": name} if name else {}, "versions": told}


def _aggregated_resource(kind: Kind) -> Object:
    found: Object = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.name},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        found["shortNames"] = list(kind.short_names)
    if kind.categories:
        found["categories"] = list(kind.categories)
    if kind.subs:
        found["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": {
                    "group": sub.group if sub.version else kind.group,
                    "version": sub.version or kind.version,
                    "kind": sub.kind,
                },
                "verbs": list(sub.verbs),
            }
            for sub in kind.subs
        ]
    return found
