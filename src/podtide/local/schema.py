"""Structural schemas of custom resources: pruning, defaulting and validation as the API server does them.

The store calls these three in this order for every write of a custom resource.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from podtide.local.refusals import Cause

Schema = Mapping[str, Any]

_META = ("apiVersion", "kind", "metadata")


def prune(value: Any, schema: Schema, path: str = "", *, top: bool = True) -> list[str]:
    """Removes fields the schema does not know, in place; returns their paths."""
    if schema.get("x-kubernetes-preserve-unknown-fields") and not schema.get("properties"):
        return []
    found: list[str] = []
    if isinstance(value, list):
        for at, item in enumerate(value):
            found += prune(item, schema.get("items") or {}, f"{path}[{at}]", top=False)
    elif isinstance(value, dict):
        for name in list(value):
            where = f"{path}.{name}" if path else name
            known = _property(schema, name)
            if (top and name in _META) or (known is None and schema.get("x-kubernetes-preserve-unknown-fields")):
                continue
            if schema.get("x-kubernetes-embedded-resource") and name in _META:
                continue
            if known is None:
                found.append(where)
                del value[name]
            else:
                found += prune(value[name], known, where, top=False)
    return found


def _property(schema: Schema, name: str) -> Schema | None:
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    if name in properties:
        return properties[name]
    rest = schema.get("additionalProperties")
    if isinstance(rest, Mapping):
        return rest
    return {"x-kubernetes-preserve-unknown-fields": True} if rest is True else None


def default(value: Any, schema: Schema) -> None:
    """Fills absent fields from the schema's defaults, in place, parents first; null counts as absent."""
    if isinstance(value, dict):
        for name, known in (schema.get("properties") or {}).items():
            absent = name not in value or (value[name] is None and not known.get("nullable"))
            if absent and "default" in known:
                value[name] = msgspec.json.decode(msgspec.json.encode(known["default"]))
            if name in value:
                default(value[name], known)
        rest = schema.get("additionalProperties")
        if isinstance(rest, Mapping):
            for name in value.keys() - (schema.get("properties") or {}).keys():
                default(value[name], rest)
    elif isinstance(value, list):
        for item in value:
            default(item, schema.get("items") or {})


def drop_nulls(value: Any, schema: Schema) -> None:
    """Removes nulls where the schema does not allow them, in place, as the server does before validating."""
    if isinstance(value, dict):
        for name in list(value):
            known = _property(schema, name) or {}
            if value[name] is None and not known.get("nullable"):
                del value[name]
            else:
                drop_nulls(value[name], known)
    elif isinstance(value, list):
        for item in value:
            drop_nulls(item, schema.get("items") or {})


def validate(value: Any, schema: Schema, path: str = "") -> Iterator[Cause]:
    """Everything in a value that breaks its schema."""
    if value is None and schema.get("nullable"):
        return
    if not _is_of_type(value, schema):
        kind = "integer" if schema.get("x-kubernetes-int-or-string") else schema.get("type")
        given = _type_name(value)
        text = f'Invalid value: "{given}": {path} in body must be of type {kind}: "{given}"'
        yield Cause("FieldValueTypeInvalid", text, path)
        return
    if "enum" in schema and value not in schema["enum"]:
        supported = ", ".join(_json(item) for item in schema["enum"])
        yield Cause("FieldValueNotSupported", f"Unsupported value: {_json(value)}: supported values: {supported}", path)
    if isinstance(value, str):
        yield from _string(value, schema, path)
    elif isinstance(value, list):
        yield from _list(value, schema, path)
    elif isinstance(value, dict):
        yield from _object(value, schema, path)
    elif not isinstance(value, bool) and value is not None:
        yield from _number(value, schema, path)
    yield from _combined(value, schema, path)


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
    "number": (int, float),
}


def _is_of_type(value: Any, schema: Schema) -> bool:
    if schema.get("x-kubernetes-int-or-string"):
        return isinstance(value, int | str) and not isinstance(value, bool)
    wanted = schema.get("type")
    if wanted is None:
        return True
    if wanted == "integer":
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and not isinstance(value, bool)
    if wanted == "number" and isinstance(value, bool):
        return False
    return isinstance(value, _TYPES[wanted])


def _type_name(value: Any) -> str:
    for name in ("boolean", "string", "array", "object"):
        if isinstance(value, _TYPES[name]):
            return name
    if value is None:
        return "null"
    return "integer" if isinstance(value, int) else "number"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_DURATION = re.compile(r"([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h|d|w))+$")
_FORMATS = {
    "date-time": re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$"),
    "date": re.compile(r"\d{4}-\d\d-\d\d$"),
    "duration": _DURATION,
    "byte": re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"),
}


def _string(value: str, schema: Schema, path: str) -> Iterator[Cause]:
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        limit = schema["maxLength"]
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", path)
    if len(value) < schema.get("minLength", 0):
        text = f"{path} in body should be at least {schema['minLength']} chars long"
        yield Cause("FieldValueInvalid", f"Invalid value: {_json(value)}: {text}", path)
    if "pattern" in schema and not re.search(schema["pattern"], value):
        text = f"{path} in body should match '{schema['pattern']}'"
        yield Cause("FieldValueInvalid", f"Invalid value: {_json(value)}: {text}", path)
    known = _FORMATS.get(schema.get("format", ""))
    if known is not None and not known.match(value):
        text = f"{path} in body must be of type {schema['format']}: {_json(value)}"
        yield Cause("FieldValueTypeInvalid", f"Invalid value: {_json(value)}: {text}", path)


_RANGES = {"int32": 2**31, "int64": 2**63}


def _number(value: float, schema: Schema, path: str) -> Iterator[Cause]:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    above, below = bool(schema.get("exclusiveMinimum")), bool(schema.get("exclusiveMaximum"))
    if value < low or (above and value == low):
        text = f"{path} in body should be greater than {'' if above else 'or equal to '}{low}"
        yield Cause("FieldValueInvalid", f"Invalid value: {_json(value)}: {text}", path)
    if value > high or (below and value == high):
        text = f"{path} in body should be less than {'' if below else 'or equal to '}{high}"
        yield Cause("FieldValueInvalid", f"Invalid value: {_json(value)}: {text}", path)
    limit = _RANGES.get(schema.get("format", ""))
    if limit is not None and not -limit <= value < limit:
        text = f"{path} in body must be of type {schema['format']}: {_json(value)}"
        yield Cause("FieldValueTypeInvalid", f"Invalid value: {_json(value)}: {text}", path)
    step = schema.get("multipleOf")
    if step and value % step:
        text = f"{path} in body should be a multiple of {step}"
        yield Cause("FieldValueInvalid", f"Invalid value: {_json(value)}: {text}", path)


def _list(value: list[Any], schema: Schema, path: str) -> Iterator[Cause]:
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        text = f"Too many: {len(value)}: must have at most {schema['maxItems']} items"
        yield Cause("FieldValueTooMany", text, path)
    if len(value) < schema.get("minItems", 0):
        text = f"{path} in body should have at least {schema['minItems']} items"
        yield Cause("FieldValueInvalid", f"Invalid value: {len(value)}: {text}", path)
    yield from _duplicates(value, schema, path)
    for at, item in enumerate(value):
        yield from validate(item, schema.get("items") or {}, f"{path}[{at}]")


def _duplicates(value: list[Any], schema: Schema, path: str) -> Iterator[Cause]:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("map", "set"):
        return
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    seen = []
    for at, item in enumerate(value):
        mark = {key: item.get(key) for key in keys} if kind == "map" and isinstance(item, dict) else item
        if mark in seen:
            yield Cause("FieldValueDuplicate", f"Duplicate value: {_json(mark)}", f"{path}[{at}]")
        seen.append(mark)


def _object(value: dict[str, Any], schema: Schema, path: str) -> Iterator[Cause]:
    for name in schema.get("required") or ():
        if name not in value:
            yield Cause("FieldValueRequired", "Required value", f"{path}.{name}" if path else name)
    if "maxProperties" in schema and len(value) > schema["maxProperties"]:
        text = f"Too many: {len(value)}: must have at most {schema['maxProperties']} items"
        yield Cause("FieldValueTooMany", text, path)
    for name, inner in value.items():
        known = _property(schema, name)
        if known is not None and not (path == "" and name in _META):
            yield from validate(inner, known, f"{path}.{name}" if path else name)


def _combined(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    for part in schema.get("allOf") or ():
        yield from validate(value, part, path)
    if schema.get("anyOf") and not _fitting(value, schema["anyOf"], path):
        text = f'"{path}" must validate at least one schema (anyOf)'
        yield Cause("FieldValueInvalid", f"Invalid value: {_json(value)}: {text}", path)
    if schema.get("oneOf") and _fitting(value, schema["oneOf"], path) != 1:
        text = f'"{path}" must validate one and only one schema (oneOf)'
        yield Cause("FieldValueInvalid", f"Invalid value: {_json(value)}: {text}", path)
    if "not" in schema and _fitting(value, [schema["not"]], path):
        text = f'"{path}" must not validate the schema (not)'
        yield Cause("FieldValueInvalid", f"Invalid value: {_json(value)}: {text}", path)


def _fitting(value: Any, parts: Iterable[Schema], path: str) -> int:
    """How many of some schemas a value satisfies."""
    return sum(next(validate(value, part, path), None) is None for part in parts)
