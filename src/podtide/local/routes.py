"""HTTP in, HTTP out: reads a request, asks the gate, calls the store, writes the answer.

`server.ApiServer` hands every request to `Routes.handle`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from podtide.local import (
    access,
    asking,
    bodies,
    convert,
    discovery,
    listing,
    openapi,
    refusals,
    reviews,
    scales,
    selectors,
    streams,
    subresources,
    tables,
)
from podtide.local import admission as admissions
from podtide.local.faults import Cut, Faults, Incoming
from podtide.local.kinds import Kind
from podtide.local.refusals import Object, Refusal
from podtide.local.store import Store
from podtide.local.versions import Stored
from podtide.local.watching import Scope

_JSON = "application/json"
_REVIEWS = ("authentication.k8s.io", "authorization.k8s.io")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read."""

    request: web.BaseRequest
    query: Mapping[str, str]
    user: access.User
    kind: Kind
    target: asking.Target
    verb: str
    agent: str
    incoming: Incoming

    @property
    def media(self) -> str:
        """The body's media type without parameters; empty when it has none."""
        return self.request.headers.get("Content-Type", "").partition(";")[0].strip()


class Routes:
    """The server's HTTP surface."""

    def __init__(self, store: Store, gate: access.Gate, faults: Faults, address: Callable[[], str]) -> None:
        """`address` tells where the server listens, as `host:port`."""
        self._store = store
        self._gate = gate
        self._faults = faults
        self._address = address

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answers one request."""
        try:
            return await self._answer(request)
        except Refusal as refusal:
            return _json(refusal.status(), refusal.code, refusal.headers)
        except Cut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path, query = request.path, request.query
        agent = request.headers.get("User-Agent", "")
        target = asking.target(path)
        ask = asking.ask(request.method, path, target, query)
        whole = f"{ask.resource}.{ask.group}" if ask.group else ask.resource
        # A fault may tell clients apart by user, but a cut or slow server is so for those it does not know, too.
        user = self._user_or_none(request)
        incoming = Incoming(ask.verb, whole or path, ask.sub, path, agent, user.name if user else "")
        await self._faults.strike(incoming)
        user = self._gate.user(request.headers.get("Authorization", ""))
        self._gate.check(user, ask)
        if target is None:
            return self._document(path, asking.form(request.headers.get("Accept", "")).name, request)
        kind = self._kind(target)
        if kind is None:
            return _text("404 page not found\n", 404)
        call = Call(request, query, user, kind, target, ask.verb, agent, incoming)
        if target.sub:
            return await self._sub(call)
        if kind.group in _REVIEWS:
            return await self._review(call)
        if ask.verb not in kind.verbs or (ask.verb == "create" and target.name):
            raise refusals.not_allowed()
        return await _VERBS[ask.verb](self, call)

    def _user_or_none(self, request: web.BaseRequest) -> access.User | None:
        try:
            return self._gate.user(request.headers.get("Authorization", ""))
        except Refusal:
            return None

    def _kind(self, target: asking.Target) -> Kind | None:
        """The kind a path names; None when its group and version do not exist, which is another 404."""
        found = self._store.kinds.get((target.group, target.version, target.plural))
        if found is not None and found.namespaced != bool(target.namespace) and (target.name or target.namespace):
            raise refusals.no_such_resource()
        if found is None and any(key[:2] == (target.group, target.version) for key in self._store.kinds):
            raise refusals.no_such_resource()
        return found

    # Documents

    def _document(self, path: str, form: str, request: web.BaseRequest) -> web.Response:
        kinds = list(self._store.kinds.values())
        parts = [part for part in path.split("/") if part]
        found: Object | None = None
        if path.rstrip("/") in ("/healthz", "/livez", "/readyz"):
            return _text("ok")
        if parts[:1] == ["openapi"]:
            return openapi.answer(parts, self._store.kinds.values(), request.headers.get("Accept", ""))
        match parts:
            case ["version"]:
                found = discovery.VERSION
            case ["api" | "apis"] if form == "APIGroupDiscoveryList":
                media = f"{_JSON};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
                return _json(discovery.aggregated(kinds, core=parts[0] == "api"), media=media)
            case ["api"]:
                found = discovery.core_versions(self._address())
            case ["apis"]:
                found = discovery.group_list(kinds)
            case ["api", version]:
                found = discovery.resource_list(version, kinds)
            case ["apis", group]:
                found = discovery.group(group, kinds)
            case ["apis", group, version]:
                found = discovery.resource_list(f"{group}/{version}", kinds)
            case []:
                found = {
                    "paths": ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]
                }
        return _text("404 page not found\n", 404) if found is None else _json(found)

    async def _review(self, call: Call) -> web.Response:
        if call.verb != "create":
            raise refusals.not_allowed()
        kind = call.kind
        body = bodies.whole(await call.request.read(), call.media, kind.name, kind.api_version)
        answered = reviews.answer(kind.plural, body, call.user, self._gate)
        return _json({"kind": kind.name, "apiVersion": kind.api_version, **answered}, 201)

    # Objects

    async def _get(self, call: Call) -> web.StreamResponse:
        target = call.target
        stored = self._store.get(call.kind, target.namespace, target.name)
        form = asking.form(call.request.headers.get("Accept", "")).name
        if form == "Table":
            metadata = {"resourceVersion": str(stored.revision)}
            return _json(self._table(call, metadata, [stored.read()]))
        if form == "PartialObjectMetadata":
            return _json(tables.partial(stored.read()))
        return self._object(call, stored)

    async def _list(self, call: Call) -> web.StreamResponse:
        found = listing.page(self._store, call.kind, self._scope(call), call.query)
        form = asking.form(call.request.headers.get("Accept", "")).name
        if not form:
            return _json(listing.encode(call.kind, found))
        metadata: Object = {"resourceVersion": str(found.revision)}
        if found.more:
            metadata |= {"continue": found.more, "remainingItemCount": found.remaining}
        read = [stored.read() for stored in found.items]
        if form == "Table":
            return _json(self._table(call, metadata, read))
        whole: Object = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
        return _json({**whole, "items": [tables.partial(body) for body in read]})

    def _table(self, call: Call, metadata: Object, read: list[Object], *, head: bool = True) -> Object:
        include = call.query.get("includeObject", "Metadata")
        return tables.render(call.kind, metadata, read, self._store.now(), include, head=head)

    def _scope(self, call: Call) -> Scope:
        query, target = call.query, call.target
        about = f"{call.kind.api_version}, Resource={call.kind.plural}"
        return Scope(
            namespace=target.namespace,
            name=target.name,
            labels=selectors.parse(query.get("labelSelector", "")),
            fields=selectors.fields(query.get("fieldSelector", ""), admissions.selectable(call.kind), about),
        )

    async def _watch(self, call: Call) -> web.StreamResponse:
        form = asking.form(call.request.headers.get("Accept", "")).name
        render = None if convert.is_same(call.kind) else lambda data: listing.shown(call.kind, data)
        if form == "Table":
            heads = iter([True])

            def render(data: bytes) -> bytes:
                body = msgspec.json.decode(data)
                metadata = {"resourceVersion": body["metadata"]["resourceVersion"]}
                return msgspec.json.encode(self._table(call, metadata, [body], head=next(heads, False)))

        elif form:

            def render(data: bytes) -> bytes:
                return msgspec.json.encode(tables.partial(msgspec.json.decode(data)))

        stream = streams.Stream(self._store, call.kind, self._scope(call), call.query, render)
        return await stream.run(call.request, self._faults, call.incoming)

    async def _create(self, call: Call) -> web.StreamResponse:
        kind, target = call.kind, call.target
        write = asking.write(call.query, call.agent, "")
        body = bodies.whole(await call.request.read(), call.media, kind.name, kind.api_version)
        return self._object(call, self._store.create(kind, target.namespace, body, write), 201, write.warnings)

    async def _update(self, call: Call) -> web.StreamResponse:
        kind, target = call.kind, call.target
        write = asking.write(call.query, call.agent, target.sub)
        is_scale = target.sub == "scale"
        name, version = ("Scale", "autoscaling/v1") if is_scale else (kind.name, kind.api_version)
        body = bodies.whole(await call.request.read(), call.media, name, version)
        stored = self._store.update(kind, target.namespace, target.name, body, write)
        return self._object(call, stored, 200, write.warnings)

    async def _patch(self, call: Call) -> web.StreamResponse:
        kind, target, store = call.kind, call.target, self._store
        write = asking.write(call.query, call.agent, target.sub)
        data = await call.request.read()
        code = 200
        if call.media == bodies.APPLY:
            if not call.query.get("fieldManager"):
                cause = refusals.Cause(
                    "FieldValueRequired", "Required value: is required for apply patch", "fieldManager"
                )
                raise refusals.invalid("PatchOptions", "meta.k8s.io", "", [cause])
            write.applies = True
            is_scale = target.sub == "scale"
            name, version = ("Scale", "autoscaling/v1") if is_scale else (kind.name, kind.api_version)
            body = bodies.whole(data, call.media, name, version)
            if (target.namespace, target.name) not in store.collection(kind).items:
                code = 201
            stored = store.apply(kind, target.namespace, target.name, body, write)
        else:
            patch = bodies.patch(data, call.media, kind)
            stored = store.patch(kind, target.namespace, target.name, patch, write)
        return self._object(call, stored, code, write.warnings)

    async def _delete(self, call: Call) -> web.StreamResponse:
        kind, target = call.kind, call.target
        given = bodies.options(await call.request.read(), call.media)
        for name in ("propagationPolicy", "gracePeriodSeconds"):
            if name in call.query:
                text = call.query[name]
                given.setdefault(name, int(text) if name == "gracePeriodSeconds" else text)
        write = asking.write({**call.query, "dryRun": "All"} if given.get("dryRun") else call.query, call.agent, "")
        before = self._store.get(kind, target.namespace, target.name)
        left = self._store.delete(kind, target.namespace, target.name, given, write)
        if left is not None or kind.storage == "/pods":
            return self._object(call, left or before)
        details: Object = {"name": target.name, "kind": kind.plural, "uid": before.uid}
        if kind.group:
            details["group"] = kind.group
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return _json(status)

    async def _delete_collection(self, call: Call) -> web.StreamResponse:
        given = bodies.options(await call.request.read(), call.media)
        write = asking.write(call.query, call.agent, "")
        found = listing.page(self._store, call.kind, self._scope(call), call.query)
        for stored in found.items:
            self._store.delete(call.kind, stored.namespace, stored.name, given, write)
        return _json(listing.encode(call.kind, found))

    async def _sub(self, call: Call) -> web.StreamResponse:
        kind, sub = call.kind, call.target.sub
        if not kind.has(sub):
            raise refusals.no_such_resource()
        if call.verb not in kind.sub(sub).verbs:
            raise refusals.not_allowed()
        if sub in ("status", "scale"):
            if call.verb == "get":
                return self._object(call, self._store.get(kind, call.target.namespace, call.target.name))
            return await _VERBS[call.verb](self, call)
        found = subresources.answer(self._store, self._gate, kind, call.target, await call.request.read())
        return _text(found) if isinstance(found, str) else _json(found, 201)

    def _object(self, call: Call, stored: Stored, code: int = 200, warnings: list[str] | None = None) -> web.Response:
        """An object, or the Scale made from it."""
        if call.target.sub == "scale":
            return _json(scales.view(call.kind, stored.read()), code)
        headers = [("Warning", f"299 - {_quoted(warning)}") for warning in warnings or ()]
        return _json(listing.shown(call.kind, stored.data), code, dict(headers))


_VERBS: Mapping[str, Any] = {
    "get": Routes._get,  # noqa: SLF001 - the table of the class's own methods
    "list": Routes._list,  # noqa: SLF001
    "watch": Routes._watch,  # noqa: SLF001
    "create": Routes._create,  # noqa: SLF001
    "update": Routes._update,  # noqa: SLF001
    "patch": Routes._patch,  # noqa: SLF001
    "delete": Routes._delete,  # noqa: SLF001
    "deletecollection": Routes._delete_collection,  # noqa: SLF001
}


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _json(
    body: Object | bytes, code: int = 200, headers: Mapping[str, str] | None = None, media: str = _JSON
) -> web.Response:
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return web.Response(body=data, status=code, headers={**(headers or {}), "Content-Type": media})


def _text(text: str, code: int = 200) -> web.Response:
    return web.Response(text=text, status=code)
