"""One object, several spellings: between the version that is stored and the one that is asked for.

The store converts what comes in, the routes what goes out. Custom resources change their apiVersion only
(conversion strategy None); core events and events.k8s.io differ in names.
"""

from __future__ import annotations

from podtide.local.kinds import Kind
from podtide.local.refusals import Object

# events.k8s.io/v1 on the left, core v1 on the right
_EVENT = (
    ("note", "message"),
    ("regarding", "involvedObject"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
)
_TO_CORE = dict(_EVENT)
_FROM_CORE = {core: modern for modern, core in _EVENT}


def is_same(kind: Kind) -> bool:
    """Whether a kind is served exactly as it is stored."""
    return kind.api_version == kind.storage_version


def to_storage(kind: Kind, body: Object) -> Object:
    """The stored form of an object of this kind."""
    if is_same(kind):
        return body
    return {**_renamed(kind, body, _TO_CORE), "apiVersion": kind.storage_version}


def from_storage(kind: Kind, body: Object) -> Object:
    """An object as this kind shows it."""
    if is_same(kind):
        return body
    return {**_renamed(kind, body, _FROM_CORE), "apiVersion": kind.api_version}


def _renamed(kind: Kind, body: Object, names: dict[str, str]) -> Object:
    if kind.storage != "/events":
        return body
    return {names.get(name, name): value for name, value in body.items()}
