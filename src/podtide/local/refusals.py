"""What the API server refuses, in the words of a real one.

Every layer below the routes raises `Refusal`; the routes alone turn it into an HTTP answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
"""One API object as JSON knows it."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing wrong with one field."""

    reason: str
    """As `metav1.CauseType` names it, for example `FieldValueInvalid`."""

    message: str
    """What is wrong, without the field."""

    field: str
    """The field's path, for example `spec.replicas`."""

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


@dataclass(slots=True)
class Refusal(Exception):
    """A request that is answered with a `Status` of kind Failure."""

    code: int
    reason: str
    message: str
    details: Mapping[str, object] | None = None
    """The `details` of the Status; None leaves the field out, as a real server does for many 400s."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code} {self.reason}: {self.message}"

    def status(self) -> Object:
        """The Status object that goes on the wire."""
        status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        status["message"] = self.message
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = dict(self.details)
        status["code"] = self.code
        return status


def _named(resource: str, name: str) -> Object:
    """The details that name an object; `resource` is `plural` or `plural.group`."""
    plural, _, group = resource.partition(".")
    details: Object = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    details["kind"] = plural
    return details


def bad_request(message: str) -> Refusal:
    """400: the request makes no sense."""
    return Refusal(400, "BadRequest", message)


def not_found(resource: str, name: str) -> Refusal:
    """404: there is no such object."""
    return Refusal(404, "NotFound", f'{resource} "{name}" not found', _named(resource, name))


def no_such_resource() -> Refusal:
    """404: the group and version exist, the resource or subresource does not."""
    return Refusal(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: str, name: str) -> Refusal:
    """409: the name is taken."""
    return Refusal(409, "AlreadyExists", f'{resource} "{name}" already exists', _named(resource, name))


_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: str, name: str, why: str = _MODIFIED) -> Refusal:
    """409: the write was made against a state that is gone."""
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return Refusal(409, "Conflict", message, _named(resource, name))


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> Refusal:
    """422: the object breaks the rules of its kind; every cause is listed."""
    whole = f"{kind}.{group}" if group else kind
    details: Object = {}
    for key, value in (("name", name), ("group", group), ("kind", kind)):
        if value:
            details[key] = value
    details["causes"] = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    texts = [str(cause) for cause in causes]
    told = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return Refusal(422, "Invalid", f'{whole} "{name}" is invalid: {told}', details)


def unpatchable(patched: str, why: str) -> Refusal:
    """422: the patch applies, but what comes out is no object of the kind."""
    cause = Cause("FieldValueInvalid", f"Invalid value: {_quoted(patched)}: {why}", "patch")
    return Refusal(
        422,
        "Invalid",
        f' "" is invalid: {cause}',
        {"causes": [{"reason": cause.reason, "message": cause.message, "field": cause.field}]},
    )


def failed_patch() -> Refusal:
    """422: a JSON patch whose test or path does not hold."""
    return Refusal(422, "Invalid", "the server rejected our request due to an error in our request", {})


def unsupported_media_type() -> Refusal:
    """415: a PATCH needs one of the four patch media types, other writes JSON or YAML."""
    return Refusal(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def not_allowed() -> Refusal:
    """405: the resource exists, the verb does not."""
    message = "the server does not allow this method on the requested resource"
    return Refusal(405, "MethodNotAllowed", message, {})


def expired(message: str) -> Refusal:
    """410: the history asked for is compacted."""
    return Refusal(410, "Expired", message)


def unauthorized() -> Refusal:
    """401: a token nobody knows."""
    return Refusal(401, "Unauthorized", "Unauthorized")


def forbidden(resource: str, name: str, why: str) -> Refusal:
    """403: known, and not permitted."""
    subject = f'{resource} "{name}"' if name else resource
    return Refusal(403, "Forbidden", f"{subject} is forbidden: {why}", _named(resource, name))


def _quoted(text: str) -> str:
    """`text` as Go's %q writes it, for the plain text that JSON bodies are."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
