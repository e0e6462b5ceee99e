"""Protobuf bodies of the small kinds that newer kubectl commands (`create namespace`, `auth can-i`) send.

`bodies` reads them; any other kind in protobuf is answered 415. Answers are always JSON, which every client accepts.
The field numbers are those of the API's published .proto files.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from podtide.local import refusals
from podtide.local.refusals import Object

MEDIA = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message."""

    name: str
    form: str = "text"
    """`text`, `bytes`, `number`, `flag`, `message`, or `map` and `bytesmap` from text."""

    message: Mapping[int, Field] | None = None
    is_list: bool = False


def _message(name: str, fields: Mapping[int, Field], *, is_list: bool = False) -> Field:
    return Field(name, "message", fields, is_list)


_META = {
    1: Field("name"),
    2: Field("generateName"),
    3: Field("namespace"),
    5: Field("uid"),
    6: Field("resourceVersion"),
    11: Field("labels", "map"),
    12: Field("annotations", "map"),
    14: Field("finalizers", is_list=True),
}
_METADATA = {1: _message("metadata", _META)}
_RESOURCE = {
    number: Field(name)
    for number, name in enumerate(("namespace", "verb", "group", "version", "resource", "subresource", "name"), 1)
}
_ACCESS = {
    1: _message("resourceAttributes", _RESOURCE),
    2: _message("nonResourceAttributes", {1: Field("path"), 2: Field("verb")}),
}
_RULE = {
    number: Field(name, is_list=True)
    for number, name in enumerate(("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"), 1)
}
_ROLE = {**_METADATA, 2: _message("rules", _RULE, is_list=True)}
_SUBJECT = {1: Field("kind"), 2: Field("apiGroup"), 3: Field("name"), 4: Field("namespace")}
_BINDING = {
    **_METADATA,
    2: _message("subjects", _SUBJECT, is_list=True),
    3: _message("roleRef", {1: Field("apiGroup"), 2: Field("kind"), 3: Field("name")}),
}
_DELETE = {
    1: Field("gracePeriodSeconds", "number"),
    2: _message("preconditions", {1: Field("uid"), 2: Field("resourceVersion")}),
    4: Field("propagationPolicy"),
    5: Field("dryRun", is_list=True),
}

_KINDS: Mapping[str, Mapping[int, Field]] = {
    "Namespace": _METADATA,
    "ServiceAccount": _METADATA,
    "Secret": {**_METADATA, 2: Field("data", "bytesmap"), 3: Field("type"), 4: Field("stringData", "map")},
    "ConfigMap": {**_METADATA, 2: Field("data", "map"), 3: Field("binaryData", "bytesmap")},
    "SelfSubjectAccessReview": {**_METADATA, 2: _message("spec", _ACCESS)},
    "SelfSubjectRulesReview": {**_METADATA, 2: _message("spec", {1: Field("namespace")})},
    "SelfSubjectReview": _METADATA,
    "Role": _ROLE,
    "ClusterRole": _ROLE,
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "Scale": {**_METADATA, 2: _message("spec", {1: Field("replicas", "number")})},
    "Eviction": {**_METADATA, 2: _message("deleteOptions", _DELETE)},
    "DeleteOptions": _DELETE,
    "TokenRequest": {**_METADATA, 2: _message("spec", {4: Field("expirationSeconds", "number")})},
}

_ENVELOPE = {1: _message("typeMeta", {1: Field("apiVersion"), 2: Field("kind")}), 2: Field("raw", "bytes")}


def decode(data: bytes) -> Object:
    """An object from its protobuf envelope; raises `Refusal` 400 or, for a kind not known here, 415."""
    if not data.startswith(_MAGIC):
        raise refusals.bad_request(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
        )
    try:
        envelope = _read(data[len(_MAGIC) :], _ENVELOPE)
        about = envelope["typeMeta"]
        fields = _KINDS.get(about["kind"])
        if fields is None:
            raise refusals.unsupported_media_type()
        return {**about, **_read(base64.b64decode(envelope.get("raw", "")), fields)}
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise refusals.bad_request("the protobuf message is cut short or malformed") from error


def _read(data: bytes, fields: Mapping[int, Field]) -> Object:
    found: Object = {}
    for number, value in _parts(data):
        field = fields.get(number)
        if field is None:
            continue
        if field.form in ("map", "bytesmap"):
            inner = "bytes" if field.form == "bytesmap" else "text"
            entry = _read(_expect(value), {1: Field("key"), 2: Field("value", inner)})
            found.setdefault(field.name, {})[entry.get("key", "")] = entry.get("value", "")
        elif field.is_list:
            found.setdefault(field.name, []).append(_value(field, value))
        elif value != b"" or field.form == "message":
            # Go writes empty texts out; they mean the same as none.
            found[field.name] = _value(field, value)
    return found


def _value(field: Field, value: bytes | int) -> object:
    match field.form:
        case "number":
            return value
        case "flag":
            return bool(value)
        case "bytes":
            return base64.b64encode(_expect(value)).decode()
        case "message":
            return _read(_expect(value), field.message or {})
    return _expect(value).decode()


def _expect(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise IndexError("a number where text belongs")
    return value


def _parts(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The fields of a message as they stand on the wire."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        match key & 7:
            case 0:
                number, at = _varint(data, at)
                yield key >> 3, number
            case 2:
                length, at = _varint(data, at)
                if at + length > len(data):
                    raise IndexError("cut short")
                yield key >> 3, data[at : at + length]
                at += length
            case 1:
                at += 8
            case 5:
                at += 4
            case _:
                raise IndexError("no wire type")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if not byte & 0x80:
            return value, at
