"""A model of the API server: small, strict and quick. `test_model.py` holds it against the embedded one.

Objects with resourceVersions, conflicts, merge patches, the scale and status subresources, lists in pages, and watches
that can be cut, compacted away or made to lose events. No schema, no access control: the embedded server has those.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

Object = dict[str, Any]

_ENCODE = msgspec.json.Encoder().encode


class Refused(Exception):
    """An answer that is not a success."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.body = _status(code, reason, message)


def _status(code: int, reason: str, message: str) -> bytes:
    return _ENCODE({"kind": "Status", "status": "Failure", "message": message, "reason": reason, "code": code})


@dataclass(frozen=True, slots=True)
class Where:
    """What a path names."""

    resource: str
    namespace: str
    name: str
    sub: str


@dataclass(slots=True)
class Stored:
    """One object at one version."""

    body: Object
    version: int
    whole: bytes
    partial: bytes = b""
    """The same with metadata only, made when first asked for."""

    def shown(self, *, metadata_only: bool) -> bytes:
        """The bytes that a client sees."""
        if not metadata_only:
            return self.whole
        if not self.partial:
            head = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": self.body["metadata"]}
            self.partial = _ENCODE(head)
        return self.partial


@dataclass(eq=False, slots=True)
class Watch:
    """One open watch, from the server's side."""

    resource: str
    namespace: str
    metadata_only: bool
    send: Callable[[str, int, bytes], None]
    """Called with the type, the version and the line of each event."""
    end: Callable[[], None]
    agent: str


@dataclass(slots=True)
class _Shelf:
    items: dict[tuple[str, str], Stored] = field(default_factory=dict)
    log: list[tuple[int, str, str, Stored]] = field(default_factory=list)
    """Version, type, namespace and object of each change, the oldest first."""
    compacted: int = 0
    """A watch from before this version is too old."""
    watches: list[Watch] = field(default_factory=list)


Listener = Callable[[str, str, Stored], None]
"""Told of every change: resource, ADDED or MODIFIED or DELETED, the object."""


@functools.lru_cache(maxsize=4096)
def where(path: str) -> Where:
    """What a path names."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    parts += ["", ""]
    return Where(parts[0], namespace, parts[1], parts[2])


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


class Server:
    """The state of a cluster."""

    def __init__(self, now: Callable[[], float], stamp: Callable[[float], str], *, page: int = 500) -> None:
        """`page` is the most objects in one answer to a list, whatever a client asks for."""
        self.revision = 1000
        self.listeners: list[Listener] = []
        self.page = page
        self._now = now
        self._stamp = stamp
        self._shelves: dict[str, _Shelf] = {}
        self._uids = 0

    # --- in the process, for the world -------------------------------------------------------------------------------

    def shelf(self, resource: str) -> _Shelf:
        """The collection of a resource."""
        found = self._shelves.get(resource)
        if found is None:
            found = self._shelves[resource] = _Shelf()
        return found

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """An object as it is now; not to be changed."""
        stored = self.shelf(resource).items.get((namespace, name))
        return stored.body if stored else None

    def create(self, resource: str, namespace: str, body: Object) -> Object:
        """Add an object."""
        metadata = dict(body.get("metadata") or {})
        name = metadata["name"]
        if (namespace, name) in self.shelf(resource).items:
            raise Refused(409, "AlreadyExists", f'{resource} "{name}" already exists')
        self._uids += 1
        metadata |= {
            "namespace": namespace,
            "uid": f"00000000-0000-4000-8000-{self._uids:012x}",
            "creationTimestamp": self._stamp(self._now()),
            "generation": 1,
        }
        return self._keep(resource, "ADDED", {**body, "metadata": metadata})

    def change(self, resource: str, namespace: str, name: str, patch: Mapping[str, Any]) -> Object:
        """Merge into an object, whoever has changed it."""
        return self.patch(Where(resource, namespace, name, ""), dict(patch))

    def set_status(self, resource: str, namespace: str, name: str, status: Object) -> Object:
        """Replace an object's status."""
        stored = self._stored(Where(resource, namespace, name, ""))
        return self._keep(resource, "MODIFIED", {**stored.body, "status": status})

    def delete(self, resource: str, namespace: str, name: str) -> None:
        """Remove an object at once."""
        stored = self.shelf(resource).items.pop((namespace, name), None)
        if stored is None:
            raise Refused(404, "NotFound", f'{resource} "{name}" not found')
        self.revision += 1
        metadata = {**stored.body["metadata"], "resourceVersion": str(self.revision)}
        body = {**stored.body, "metadata": metadata}
        self._tell(resource, "DELETED", Stored(body, self.revision, _ENCODE(body)))

    def compact(self) -> None:
        """Forget history, as etcd does every few minutes: watches from before are too old."""
        for shelf in self._shelves.values():
            shelf.log.clear()
            shelf.compacted = self.revision

    # --- as a client sees it -----------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, query: Mapping[str, str], accept: str, body: bytes) -> tuple[int, bytes]:
        """One request's status code and body. Raises `Refused`."""
        target = where(path)
        if method == "GET":
            metadata_only = "PartialObjectMetadata" in accept
            if not target.name:
                return 200, self._list(target, query, metadata_only=metadata_only)
            stored = self._stored(target)
            if target.sub == "scale":
                return 200, _ENCODE(_scale(stored.body))
            return 200, stored.shown(metadata_only=metadata_only)
        given = msgspec.json.decode(body) if body else {}
        if method == "POST":
            return 201, _ENCODE(self.create(target.resource, target.namespace, given))
        if method == "PUT":
            return 200, _ENCODE(self.replace(target, given))
        if method == "PATCH":
            changed = self.patch_status(target, given) if isinstance(given, list) else self.patch(target, given)
            return 200, _ENCODE(_scale(changed) if target.sub == "scale" else changed)
        if method == "DELETE":
            self.delete(target.resource, target.namespace, target.name)
            return 200, b"{}"
        raise Refused(405, "MethodNotAllowed", method)

    def replace(self, target: Where, body: Object) -> Object:
        """Replace an object; a resourceVersion that is given must be the present one."""
        stored = self._stored(target)
        _check_version(stored, body, target)
        return self._keep(target.resource, "MODIFIED", {**stored.body, **body, "metadata": _metadata(stored, body)})

    def patch(self, target: Where, patch: Object) -> Object:
        """Merge a patch into an object, its scale or its status."""
        stored = self._stored(target)
        _check_version(stored, patch, target)
        before = stored.body
        if target.sub == "scale":
            wanted = merge(_scale(before), patch)["spec"].get("replicas", 0)
            if wanted == before["spec"].get("replicas", 1):
                return before
            return self._keep(target.resource, "MODIFIED", _edited(before, {"replicas": wanted}))
        if target.sub == "status":
            after = {**before, "status": merge(before.get("status") or {}, patch.get("status") or {})}
        else:
            after = merge(before, {name: value for name, value in patch.items() if name != "status"})
            after["metadata"] = _metadata(stored, after)
            if after.get("spec") != before.get("spec"):
                after["metadata"]["generation"] = before["metadata"].get("generation", 0) + 1
        return before if after == before else self._keep(target.resource, "MODIFIED", after)

    def patch_status(self, target: Where, operations: list[Object]) -> Object:
        """Replace a status by a JSON patch: the test of a uid, and the status."""
        stored = self._stored(target)
        test, add = operations
        if (test["op"], test["path"], add["op"], add["path"]) != ("test", "/metadata/uid", "add", "/status"):
            raise Refused(400, "BadRequest", "the simulation knows no such patch")
        if test["value"] != stored.body["metadata"]["uid"]:
            raise Refused(422, "Invalid", "the server rejected our request due to an error in our request")
        after = {**stored.body, "status": add["value"]}
        return stored.body if after == stored.body else self._keep(target.resource, "MODIFIED", after)

    def watch(self, path: str, version: str, watch: Watch) -> bytes | None:
        """Open a watch from a version on; an ERROR line where that is too old."""
        shelf = self.shelf(where(path).resource)
        start = int(version or 0)
        if start < shelf.compacted:
            return (
                b'{"type":"ERROR","object":' + _status(410, "Expired", f"too old resource version: {version}") + b"}\n"
            )
        for at, kind, namespace, stored in shelf.log:
            if at > start and watch.namespace in ("", namespace):
                watch.send(kind, at, _line(kind, stored, watch))
        shelf.watches.append(watch)
        return None

    def unwatch(self, watch: Watch) -> None:
        """A client has gone."""
        watches = self.shelf(watch.resource).watches
        if watch in watches:
            watches.remove(watch)

    def watches(self) -> list[Watch]:
        """All that are open."""
        return [watch for shelf in self._shelves.values() for watch in shelf.watches]

    def bookmark(self) -> None:
        """Tell every watch how far it has come."""
        for watch in self.watches():
            body = b'{"kind":"Bookmark","apiVersion":"v1","metadata":{"resourceVersion":"%d"}}' % self.revision
            watch.send("BOOKMARK", self.revision, b'{"type":"BOOKMARK","object":' + body + b"}\n")

    # --- within ------------------------------------------------------------------------------------------------------

    def _stored(self, target: Where) -> Stored:
        stored = self.shelf(target.resource).items.get((target.namespace, target.name))
        if stored is None:
            raise Refused(404, "NotFound", f'{target.resource} "{target.name}" not found')
        return stored

    def _keep(self, resource: str, kind: str, body: Object) -> Object:
        self.revision += 1
        body = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.revision)}}
        stored = Stored(body, self.revision, _ENCODE(body))
        metadata = body["metadata"]
        self.shelf(resource).items[metadata["namespace"], metadata["name"]] = stored
        self._tell(resource, kind, stored)
        return body

    def _tell(self, resource: str, kind: str, stored: Stored) -> None:
        shelf = self.shelf(resource)
        namespace = stored.body["metadata"]["namespace"]
        shelf.log.append((stored.version, kind, namespace, stored))
        for watch in tuple(shelf.watches):
            if watch.namespace in ("", namespace):
                watch.send(kind, stored.version, _line(kind, stored, watch))
        for listener in self.listeners:
            listener(resource, kind, stored)

    def _list(self, target: Where, query: Mapping[str, str], *, metadata_only: bool) -> bytes:
        shelf = self.shelf(target.resource)
        revision, after = self.revision, ("", "")
        token = query.get("continue", "")
        if token:
            at, namespace, name = token.split("|")
            revision, after = int(at), (namespace, name)
            if revision < shelf.compacted:
                raise Refused(410, "Expired", "the provided continue parameter is too old")
        limit = min(int(query.get("limit") or self.page), self.page)
        wanted = dict(part.split("=", 1) for part in query.get("labelSelector", "").split(",") if part)
        keys = sorted(
            key
            for key, stored in shelf.items.items()
            if target.namespace in ("", key[0]) and key > after and _has_labels(stored, wanted)
        )
        metadata: Object = {"resourceVersion": str(revision)}
        if len(keys) > limit:
            keys = keys[:limit]
            metadata["continue"] = f"{revision}|{keys[-1][0]}|{keys[-1][1]}"
        items = b",".join(shelf.items[key].shown(metadata_only=metadata_only) for key in keys)
        return b'{"kind":"List","apiVersion":"v1","metadata":' + _ENCODE(metadata) + b',"items":[' + items + b"]}"


def _has_labels(stored: Stored, wanted: Mapping[str, str]) -> bool:
    labels = stored.body["metadata"].get("labels") or {}
    return all(labels.get(name) == value for name, value in wanted.items())


def _line(kind: str, stored: Stored, watch: Watch) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), stored.shown(metadata_only=watch.metadata_only))


def _check_version(stored: Stored, body: Object, target: Where) -> None:
    given = (body.get("metadata") or {}).get("resourceVersion")
    if given and given != str(stored.version):
        raise Refused(
            409,
            "Conflict",
            f'Operation cannot be fulfilled on {target.resource} "{target.name}": the object has been modified',
        )


def _metadata(stored: Stored, body: Object) -> Object:
    kept = ("name", "namespace", "uid", "creationTimestamp", "generation")
    before = stored.body["metadata"]
    return {**(body.get("metadata") or {}), **{name: before[name] for name in kept if name in before}}


def _edited(body: Object, spec: Object) -> Object:
    metadata = {**body["metadata"], "generation": body["metadata"].get("generation", 0) + 1}
    return {**body, "metadata": metadata, "spec": {**body["spec"], **spec}}


def _scale(body: Object) -> Object:
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas = body["spec"].get("replicas", 1)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: body["metadata"][name] for name in kept},
        "spec": {"replicas": replicas} if replicas else {},
        "status": {"replicas": (body.get("status") or {}).get("replicas", 0), "selector": "app=x"},
    }
