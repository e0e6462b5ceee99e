"""CustomResourceDefinitions: their own defaults and rules, and the kinds they define.

The store calls it whenever a definition is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from podtide.local import kinds, rules
from podtide.local.refusals import Cause, Object


def fill(body: Object) -> None:
    """Defaults of a definition, in place."""
    spec = body.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if "kind" in names:
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})


def begin(body: Object) -> None:
    """The status a definition has once it is served; here that is at once."""
    names = body["spec"]["names"]
    at = body["metadata"]["creationTimestamp"]
    told = (
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    )
    body["status"] = {
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": at, "reason": reason, "message": message}
            for kind, reason, message in told
        ],
        "acceptedNames": dict(names),
        "storedVersions": [version["name"] for version in body["spec"]["versions"] if version.get("storage")],
    }


def problems(body: Object, before: Object | None) -> Iterator[Cause]:
    """What is wrong with a definition."""
    spec = body["spec"]
    names = spec["names"]
    for field, value in (("group", spec.get("group")), ("names.plural", names.get("plural"))):
        if not value:
            yield Cause("FieldValueRequired", "Required value", f"spec.{field}")
    if not names.get("kind"):
        yield Cause("FieldValueRequired", "Required value", "spec.names.kind")
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        text = f'Unsupported value: "{spec.get("scope", "")}": supported values: "Cluster", "Namespaced"'
        yield Cause("FieldValueNotSupported", text, "spec.scope")
    wanted = f"{names.get('plural')}.{spec.get('group')}"
    if body["metadata"]["name"] != wanted:
        text = f'Invalid value: "{body["metadata"]["name"]}": must be spec.names.plural+"."+spec.group'
        yield Cause("FieldValueInvalid", text, "metadata.name")
    versions = spec.get("versions") or []
    if sum(bool(version.get("storage")) for version in versions) != 1:
        text = "Invalid value: must have exactly one version marked as storage version"
        yield Cause("FieldValueInvalid", text, "spec.versions")
    for at, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            text = "Required value: schemas are required"
            yield Cause("FieldValueRequired", text, f"spec.versions[{at}].schema.openAPIV3Schema")
        else:
            where = f"spec.versions[{at}].schema.openAPIV3Schema"
            yield from rules.unreadable(version["schema"]["openAPIV3Schema"], where)
    if before is not None and before["spec"]["names"]["kind"] != names.get("kind"):
        yield Cause("FieldValueInvalid", "Invalid value: field is immutable", "spec.names.kind")


def kinds_of(body: Object) -> tuple[kinds.Kind, ...]:
    """The kinds a definition serves, one per served version."""
    spec = body["spec"]
    storage = next(version["name"] for version in spec["versions"] if version["storage"])
    return tuple(_kind(body, version, storage) for version in spec["versions"] if version.get("served"))


def _kind(body: Object, version: Object, storage: str) -> kinds.Kind:
    spec = body["spec"]
    names = spec["names"]
    declared = version.get("subresources") or {}
    subs = []
    if "status" in declared:
        subs.append(kinds.Sub("status", names["kind"]))
    if "scale" in declared:
        subs.append(kinds.Sub("scale", "Scale", group="autoscaling", version="v1"))
    return kinds.Kind(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        name=names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        singular=names["singular"],
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        verbs=kinds.CUSTOM_VERBS,
        subs=tuple(subs),
        custom=kinds.Custom(
            schema=version["schema"]["openAPIV3Schema"],
            columns=tuple(version.get("additionalPrinterColumns") or ()),
            list_kind=names["listKind"],
            scale=_scale(declared.get("scale")),
            definition=body["metadata"]["name"],
        ),
        storage=f"{spec['group']}/{names['plural']}",
        storage_version=f"{spec['group']}/{storage}",
        counts_generations=True,
        unconditional=False,
        sub_names=frozenset(sub.name for sub in subs),
    )


def _scale(declared: Any) -> kinds.ScalePaths | None:
    if not declared:
        return None
    selector = declared.get("labelSelectorPath")
    return kinds.ScalePaths(
        spec_replicas=_steps(declared["specReplicasPath"]),
        status_replicas=_steps(declared["statusReplicasPath"]),
        selector=_steps(selector) if selector else None,
    )


def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.lstrip(".").split("."))


def newest_first(versions: Iterable[str]) -> list[str]:
    """Versions by Kubernetes' order: GA before beta before alpha, higher numbers first."""
    return sorted(versions, key=_rank, reverse=True)


def _rank(version: str) -> tuple[int, int, int]:
    for place, stage in enumerate(("alpha", "beta")):
        major, found, minor = version.removeprefix("v").partition(stage)
        if found and major.isdigit():
            return place, int(major), int(minor or 0)
    major = version.removeprefix("v")
    return (2, int(major), 0) if major.isdigit() else (-1, 0, 0)
