"""The `x-kubernetes-validations` of a schema, checked against an object and the one it replaces.

`admission` calls it for custom resources whose values are otherwise valid; `definitions` to refuse unreadable rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from podtide.local import cel
from podtide.local.refusals import Cause

Schema = Mapping[str, Any]
_RULES = "x-kubernetes-validations"

_compiled = lru_cache(maxsize=1024)(cel.compiled)


def broken(value: Any, before: Any, schema: Schema, path: str = "") -> Iterator[Cause]:
    """Every rule that a value breaks; rules about `oldSelf` hold only where there was a value before."""
    for rule in schema.get(_RULES) or ():
        if "oldSelf" in rule["rule"] and before is None:
            continue
        names = {"self": value, "oldSelf": before}
        try:
            holds = _compiled(rule["rule"])(names)
        except cel.Undefined as error:
            text = f'Invalid value: "{_type(value)}": {path} evaluation error: {error}'
            yield Cause("FieldValueInvalid", text, path or "<nil>")
            continue
        if holds is not True:
            told = rule.get("message") or f"failed rule: {rule['rule']}"
            yield Cause("FieldValueInvalid", f'Invalid value: "{_type(value)}": {told}', path or "<nil>")
    yield from _inside(value, before, schema, path)


def _inside(value: Any, before: Any, schema: Schema, path: str) -> Iterator[Cause]:
    if isinstance(value, dict):
        properties, rest = schema.get("properties") or {}, schema.get("additionalProperties")
        for name, inner in value.items():
            known = properties.get(name) or (rest if isinstance(rest, Mapping) else None)
            if known is not None:
                old = before.get(name) if isinstance(before, dict) else None
                yield from broken(inner, old, known, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        # Items of a list have no identity, so nothing came before them.
        for at, item in enumerate(value):
            yield from broken(item, None, schema.get("items") or {}, f"{path}[{at}]")


def _type(value: Any) -> str:
    return {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}.get(type(value), "number")


def unreadable(schema: Any, path: str) -> Iterator[Cause]:
    """The rules of a schema that this server cannot evaluate."""
    if not isinstance(schema, dict):
        return
    for at, rule in enumerate(schema.get(_RULES) or ()):
        try:
            _compiled(rule["rule"])
        except cel.NotSupported as error:
            text = f'Invalid value: "{rule["rule"]}": compilation failed: {error}'
            yield Cause("FieldValueInvalid", text, f"{path}.{_RULES}[{at}].rule")
    for name, inner in (schema.get("properties") or {}).items():
        yield from unreadable(inner, f"{path}.properties[{name}]")
    for name in ("items", "additionalProperties"):
        yield from unreadable(schema.get(name), f"{path}.{name}")
