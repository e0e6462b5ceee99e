"""Lists: which objects, as of when, in which pages; and the bytes of a list answer.

The routes call it for every list request; no object is decoded or encoded again on the way.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from podtide.local import asking, convert, refusals
from podtide.local.kinds import Kind
from podtide.local.refusals import Object
from podtide.local.store import Store
from podtide.local.versions import Stored
from podtide.local.watching import Scope


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    items: list[Stored]
    revision: int
    more: str = ""
    """The continue token; empty on the last page."""
    remaining: int = 0


def revision(text: str, *, present: int) -> int:
    """A resourceVersion as a number; raises `Refusal` for what is none or lies in the future."""
    if not text.isdecimal():
        message = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise refusals.Refusal(500, "", message)
    if int(text) > present:
        causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
        message = f"Timeout: Too large resource version: {text}, current: {present}"
        raise refusals.Refusal(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})
    return int(text)


def page(store: Store, kind: Kind, scope: Scope, query: Mapping[str, str]) -> Page:
    """The objects a list request asks for; raises `Refusal` 400, 410 or 504."""
    collection = store.collection(kind)
    given, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    if match and not given:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise refusals.bad_request(f"resourceVersionMatch: Forbidden: {why}")
    limit = asking.number(query, "limit")
    asked = revision(given, present=store.revision) if given else 0
    start, at = "", store.revision
    if query.get("continue"):
        start, at = _opened(query["continue"])
    elif match == "Exact":
        at = asked
    try:
        found = collection.current(scope.namespace) if at >= store.revision else collection.at(at, scope.namespace)
    except refusals.Refusal as gone:
        message = "The provided continue parameter is too old to display a consistent list result."
        raise refusals.expired(message if start else gone.message) from gone
    items = [stored for stored in found if scope.covers(stored)]
    if start:
        items = [stored for stored in items if _place(scope, stored) > start]
    if not limit or len(items) <= limit:
        return Page(items, at)
    kept = items[:limit]
    more = _sealed(_place(scope, kept[-1]), at)
    return Page(kept, at, more, 0 if scope.labels or scope.fields else len(items) - limit)


def _place(scope: Scope, stored: Stored) -> str:
    return stored.name if scope.namespace else f"{stored.namespace}/{stored.name}"


def _sealed(place: str, at: int) -> str:
    token = msgspec.json.encode({"v": "meta.k8s.io/v1", "rv": at, "start": f"{place}\0"})
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def _opened(token: str) -> tuple[str, int]:
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError) as error:
        raise refusals.bad_request("invalid continue token: continue key is not valid: illegal base64 data") from error
    try:
        found = msgspec.json.decode(text)
        return str(found["start"]).removesuffix("\0").removeprefix("/"), int(found["rv"])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        why = f"invalid character '{chr(text[0])}' looking for beginning of value" if text else "unexpected end"
        raise refusals.bad_request(f"invalid continue token: continue key is not valid: {why}") from error


def encode(kind: Kind, found: Page) -> bytes:
    """The list object of a page."""
    metadata: Object = {"resourceVersion": str(found.revision)}
    if found.more:
        metadata["continue"] = found.more
        if found.remaining:
            metadata["remainingItemCount"] = found.remaining
    if kind.custom is not None:
        head = {"apiVersion": kind.api_version, "kind": kind.list_kind, "metadata": {"continue": "", **metadata}}
    else:
        head = {"kind": kind.list_kind, "apiVersion": kind.api_version, "metadata": metadata}
    items = b",".join([_item(kind, stored) for stored in found.items])
    return msgspec.json.encode(head)[:-1] + b',"items":[' + items + b"]}"


def _item(kind: Kind, stored: Stored) -> bytes:
    """An object as a list shows it: built-in kinds leave out kind and apiVersion there."""
    if kind.custom is not None:
        return shown(kind, stored.data)
    if convert.is_same(kind):
        # Stored bytes begin with kind and apiVersion, see `Store`.
        return b"{" + stored.data[len(_start(kind)) :]
    body = convert.from_storage(kind, stored.read())
    return msgspec.json.encode({name: value for name, value in body.items() if name not in ("kind", "apiVersion")})


def _start(kind: Kind) -> bytes:
    return msgspec.json.encode({"kind": kind.name, "apiVersion": kind.api_version})[:-1] + b","


def shown(kind: Kind, data: bytes) -> bytes:
    """Stored bytes as this kind's version shows them."""
    if convert.is_same(kind):
        return data
    return msgspec.json.encode(convert.from_storage(kind, msgspec.json.decode(data)))
