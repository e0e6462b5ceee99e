"""What happens to an object between a client's write and the store: pruning, defaults, rules.

The store calls `admit` for every write, after it has settled metadata and status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podtide.local import definitions, fieldpaths, refusals, rules, schema, strategies
from podtide.local.kinds import Custom, Kind
from podtide.local.refusals import Cause, Object

DEFINITIONS = "apiextensions.k8s.io/customresourcedefinitions"


@dataclass(slots=True)
class Write:
    """How a write is to be made."""

    manager: str = "podtide"
    """The field manager that will own what changes."""

    dry_run: bool = False
    unknown_fields: str = "Warn"
    """What to do about fields a custom resource's schema does not know: Ignore, Warn or Strict."""

    sub: str = ""
    """`status`, `scale`, or empty for the object itself."""

    force: bool = False
    """Whether an apply takes fields from their owners."""

    applies: bool = False
    """Whether this is a server-side apply."""

    warnings: list[str] = field(default_factory=list)
    """Filled with what goes into the answer's `Warning` headers."""


def strategy(kind: Kind) -> strategies.Strategy:
    """How the kind is treated."""
    if kind.storage == DEFINITIONS:
        return _DEFINITION
    return strategies.STRATEGIES.get(kind.storage, strategies.PLAIN)


_DEFINITION = strategies.Strategy(definitions.fill, definitions.begin, definitions.problems)


def selectable(kind: Kind) -> tuple[str, ...]:
    """The fields that field selectors may ask for."""
    return ("metadata.name", "metadata.namespace", *strategy(kind).fields)


def list_keys(kind: Kind) -> fieldpaths.ListKeys:
    """How lists of the kind are told apart for field ownership."""
    return fieldpaths.schema_keys(kind.custom.schema) if kind.custom else fieldpaths.built_in_keys


def admit(kind: Kind, body: Object, before: Object | None, write: Write) -> None:
    """Prunes, fills and checks an object in place; raises `Refusal`."""
    if kind.custom is not None:
        _admit_custom(kind, kind.custom, body, before, write)
        return
    how = strategy(kind)
    if before is None:
        _check_names(kind, body)
        if kind.storage != DEFINITIONS:
            how.begin(body)
    how.fill(body)
    causes = [*_metadata(body), *how.problems(body, before)]
    if causes:
        raise refusals.invalid(kind.name, kind.group, body["metadata"]["name"], causes)
    if before is None and kind.storage == DEFINITIONS:
        # A definition's status repeats its names, so it needs the defaults and the checks first.
        how.begin(body)


def _admit_custom(kind: Kind, custom: Custom, body: Object, before: Object | None, write: Write) -> None:
    known = custom.schema
    unknown = [f'unknown field "{path}"' for path in schema.prune(body, known)]
    if unknown and write.unknown_fields == "Strict":
        raise refusals.bad_request(
            f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: '
            f"strict decoding error: {', '.join(unknown)}"
        )
    if write.unknown_fields == "Warn":
        write.warnings.extend(unknown)
    schema.default(body, known)
    schema.drop_nulls({name: value for name, value in body.items() if name != "metadata"}, known)
    _check_names(kind, body)
    causes = [*_metadata(body), *schema.validate(body, known)]
    if not causes:
        causes = list(rules.broken(body, before, known))
    if causes:
        raise refusals.invalid(kind.name, kind.group, body["metadata"]["name"], causes)


_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
_PATH_SEGMENT = ("rbac.authorization.k8s.io",)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def _check_names(kind: Kind, body: Object) -> None:
    name = body["metadata"]["name"]
    if kind.group in _PATH_SEGMENT:
        return
    pattern = _LABEL if kind.storage in ("/namespaces", "/services") else _SUBDOMAIN
    if len(name) > 253 or not pattern.match(name):
        cause = Cause("FieldValueInvalid", f'Invalid value: "{name}": {_SUBDOMAIN_RULE}', "metadata.name")
        raise refusals.invalid(kind.name, kind.group, name, [cause])


_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_LABEL_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def _metadata(body: Object) -> list[Cause]:
    causes = []
    for key, value in (body["metadata"].get("labels") or {}).items():
        if not isinstance(value, str):
            raise _not_a_string("labels", key, value)
        if len(value) > 63 or not _LABEL_VALUE.match(value):
            text = f'Invalid value: "{value}": {_LABEL_RULE}'
            causes.append(Cause("FieldValueInvalid", text, "metadata.labels"))
    for key, value in (body["metadata"].get("annotations") or {}).items():
        if not isinstance(value, str):
            raise _not_a_string("annotations", key, value)
    return causes


def _not_a_string(where: str, key: str, value: Any) -> refusals.Refusal:
    found = "bool" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "object"
    field = f"metadata.{where}"
    why = f"json: cannot unmarshal {found} into Go struct field ObjectMeta.{field} of type string"
    return refusals.bad_request(f"{field}.{key}: {why}")


def differs(kind: Kind, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a write changed what the generation counts: the spec, or all of a custom resource but its status."""
    if not kind.counts_generations:
        return False
    if kind.custom is None:
        return before.get("spec") != after.get("spec")
    aside = ("metadata", "status") if kind.has("status") else ("metadata",)
    return any(before.get(name) != after.get(name) for name in (before.keys() | after.keys()) if name not in aside)
