"""Request bodies: JSON or YAML in, objects and patches out.

The routes read every body through it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from podtide.local import patching, protobuf, refusals
from podtide.local.kinds import Kind
from podtide.local.refusals import Object
from podtide.local.store import Patch

APPLY = "application/apply-patch+yaml"
_YAML = ("application/yaml", "application/x-yaml", "text/yaml", APPLY)
_LANGUAGES = {
    "application/merge-patch+json": patching.merge,
    "application/json-patch+json": patching.json_patch,
    "application/strategic-merge-patch+json": patching.strategic,
}


def decode(data: bytes, media: str) -> Any:
    """A body by its media type; raises `Refusal` 400 or 415."""
    if media in _YAML:
        try:
            return yaml.load(data, yaml.CSafeLoader)
        except yaml.YAMLError as error:
            raise refusals.bad_request(f"error decoding YAML: {error}") from error
    if media == protobuf.MEDIA:
        return protobuf.decode(data)
    if media not in ("", "application/json", *_LANGUAGES):
        raise refusals.unsupported_media_type()
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise refusals.bad_request(f"error decoding JSON: {error}") from error


def whole(data: bytes, media: str, name: str, api_version: str) -> Object:
    """A whole object of the kind that the path asks for; raises `Refusal` 400 or 415."""
    body = decode(data, media)
    if not isinstance(body, dict):
        raise refusals.bad_request(f"a {name} is an object, not {type(body).__name__}")
    given = body.get("apiVersion", api_version)
    if given != api_version:
        message = f"the API version in the data ({given}) does not match the expected API version ({api_version})"
        raise refusals.bad_request(message)
    if body.get("kind", name) != name:
        raise refusals.bad_request(f'{body["kind"]} in version "{given}" cannot be handled as a {name}')
    body["apiVersion"], body["kind"] = api_version, name
    if not isinstance(body.setdefault("metadata", {}), dict):
        raise refusals.bad_request("metadata is an object")
    return body


def options(data: bytes, media: str) -> Object:
    """DeleteOptions, which may be absent."""
    found = decode(data, media) if data.strip() else {}
    return found if isinstance(found, dict) else {}


def patch(data: bytes, media: str, kind: Kind) -> Patch:
    """A patch as a function; raises `Refusal` 415 for a language the kind does not speak."""
    language = _LANGUAGES.get(media)
    if language is None or (kind.custom is not None and language is patching.strategic):
        raise refusals.unsupported_media_type()
    changes = decode(data, media)
    if language is not patching.json_patch and not isinstance(changes, dict):
        raise refusals.bad_request("error decoding patch: a merge patch is an object")

    def change(body: Object) -> Object:
        changed = language(body, changes)
        if not isinstance(changed, dict) or not isinstance(changed.get("metadata"), dict):
            raise refusals.failed_patch()
        return changed

    return change
