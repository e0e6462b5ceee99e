"""What a request asks for: its path, verb, options and the form of the answer.

The routes read every request through it, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from podtide.local import refusals
from podtide.local.access import Ask
from podtide.local.admission import Write

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_TRUE = ("true", "1", "")


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    sub: str = ""

    @property
    def api_version(self) -> str:
        """`group/version`."""
        return f"{self.group}/{self.version}" if self.group else self.version


def target(path: str) -> Target | None:
    """The resource a path names, None for a path that is none (discovery, health)."""
    parts = [part for part in path.split("/") if part]
    if len(parts) > 2 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) > 3 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    # /namespaces/x and /namespaces/x/status are the namespace itself; /namespaces/x/pods is in it.
    if rest[0] == "namespaces" and len(rest) > 2 and not (rest[2] in ("status", "finalize") and len(rest) == 3):
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    return Target(group, version, rest[0], namespace, name, "/".join(rest[2:]))


def ask(method: str, path: str, found: Target | None, query: Mapping[str, str]) -> Ask:
    """What RBAC is asked about a request."""
    if found is None:
        return Ask(method.lower().replace("head", "get"), path=path)
    verb = _VERBS.get(method, "get")
    if method in ("GET", "HEAD") and not found.name:
        verb = "watch" if is_true(query, "watch") else "list"
    if method == "DELETE" and not found.name:
        verb = "deletecollection"
    if method == "GET" and found.name and is_true(query, "watch"):
        verb = "watch"
    # RBAC sees a namespace's own name as its namespace, as the API server has it.
    namespace = found.namespace or (found.name if found.plural == "namespaces" and not found.group else "")
    return Ask(verb, found.group, found.plural, found.sub, namespace, found.name, path)


def is_true(query: Mapping[str, str], name: str) -> bool:
    """Whether a boolean option is set."""
    return name in query and query[name].lower() in _TRUE


def number(query: Mapping[str, str], name: str) -> int:
    """A whole number among the options, 0 when it is absent; raises `Refusal` 400 for anything else."""
    text = query.get(name) or "0"
    if not text.removeprefix("-").isdecimal():
        raise refusals.bad_request(f'{name}: Invalid value: "{text}": must be a whole number')
    return int(text)


def write(query: Mapping[str, str], agent: str, sub: str) -> Write:
    """How a request wants its write made; raises `Refusal` 400 or 422 for options that make no sense."""
    dry_run = query.get("dryRun", "")
    if dry_run not in ("", "All"):
        cause = refusals.Cause(
            "FieldValueNotSupported", f'Unsupported value: "{dry_run}": supported values: "All"', "dryRun"
        )
        raise refusals.invalid("PatchOptions", "meta.k8s.io", "", [cause])
    validation = query.get("fieldValidation", "") or "Warn"
    if validation not in ("Ignore", "Warn", "Strict"):
        supported = 'supported values: "Ignore", "Warn", "Strict"'
        cause = refusals.Cause(
            "FieldValueNotSupported", f'Unsupported value: "{validation}": {supported}', "fieldValidation"
        )
        raise refusals.invalid("PatchOptions", "meta.k8s.io", "", [cause])
    manager = query.get("fieldManager") or agent.partition("/")[0] or "unknown"
    return Write(manager, dry_run == "All", validation, sub, force=is_true(query, "force"))


def form(accept: str) -> str:
    """The first form in an Accept header that the server can give, empty for the plain object.

    It is `Table`, `PartialObjectMetadata`, `PartialObjectMetadataList` or `APIGroupDiscoveryList`; raises `Refusal` 406
    when the server can give none of what is accepted.
    """
    if not accept:
        return ""
    for choice in accept.split(","):
        media, _, rest = choice.strip().partition(";")
        parameters = dict(part.strip().partition("=")[::2] for part in rest.split(";"))
        if media.strip() not in ("application/json", "*/*", "application/*", "application/yaml"):
            continue
        wanted = parameters.get("as", "")
        if not wanted or parameters.get("v") in ("v1", "v2"):
            return wanted
    supported = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    message = f"only the following media types are accepted: {supported}"
    raise refusals.Refusal(406, "NotAcceptable", message, {})
