"""The verbs on objects: from a read request to the store and back.

`routes.Routes` has checked the user before it calls one of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from aiohttp import web

from podtide.local import (
    access,
    admission,
    answers,
    asking,
    bodies,
    convert,
    listing,
    refusals,
    scales,
    selectors,
    streams,
    tables,
)
from podtide.local.faults import Faults, Incoming
from podtide.local.kinds import Kind
from podtide.local.refusals import Object
from podtide.local.store import Store
from podtide.local.versions import Stored
from podtide.local.watching import Render, Scope


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


class Objects:
    """What GET, POST, PUT, PATCH and DELETE do; each method is a verb as RBAC names it."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults

    async def get(self, call: Call) -> web.StreamResponse:
        """One object, whole or as a table row or its metadata."""
        target = call.target
        stored = self._store.get(call.kind, target.namespace, target.name)
        form = asking.form(call.request.headers.get("Accept", ""))
        if form == "Table":
            metadata = {"resourceVersion": str(stored.revision)}
            return answers.json(self._table(call, metadata, [stored.read()]))
        if form == "PartialObjectMetadata":
            return answers.json(tables.partial(stored.read()))
        return self.shown(call, stored)

    async def list(self, call: Call) -> web.StreamResponse:
        """Objects, whole or as a table or their metadata."""
        found = listing.page(self._store, call.kind, self._scope(call), call.query)
        form = asking.form(call.request.headers.get("Accept", ""))
        if not form:
            return answers.json(listing.encode(call.kind, found))
        metadata: Object = {"resourceVersion": str(found.revision)}
        if found.more:
            metadata |= {"continue": found.more, "remainingItemCount": found.remaining}
        read = [stored.read() for stored in found.items]
        if form == "Table":
            return answers.json(self._table(call, metadata, read))
        whole: Object = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
        return answers.json({**whole, "items": [tables.partial(body) for body in read]})

    def _table(self, call: Call, metadata: Object, read: Sequence[Object], *, head: bool = True) -> Object:
        include = call.query.get("includeObject", "Metadata")
        return tables.render(call.kind, metadata, read, self._store.now(), include, head=head)

    def _scope(self, call: Call) -> Scope:
        query, target = call.query, call.target
        about = f"{call.kind.api_version}, Resource={call.kind.plural}"
        return Scope(
            namespace=target.namespace,
            name=target.name,
            labels=selectors.parse(query.get("labelSelector", "")),
            fields=selectors.fields(query.get("fieldSelector", ""), admission.selectable(call.kind), about),
        )

    async def watch(self, call: Call) -> web.StreamResponse:
        """The stream of a watch."""
        form = asking.form(call.request.headers.get("Accept", ""))
        stream = streams.Stream(self._store, call.kind, self._scope(call), call.query, self._render(call, form))
        return await stream.run(call.request, self._faults, call.incoming)

    def _render(self, call: Call, form: str) -> Render | None:
        """From stored bytes to what a watch of this form shows; None when that is the same."""
        if form == "Table":
            heads = iter([True])

            def row(data: bytes) -> bytes:
                body = msgspec.json.decode(data)
                metadata = {"resourceVersion": body["metadata"]["resourceVersion"]}
                return msgspec.json.encode(self._table(call, metadata, [body], head=next(heads, False)))

            return row
        if form:
            return lambda data: msgspec.json.encode(tables.partial(msgspec.json.decode(data)))
        return None if convert.is_same(call.kind) else lambda data: listing.shown(call.kind, data)

    async def create(self, call: Call) -> web.StreamResponse:
        """Adds an object."""
        kind, target = call.kind, call.target
        write = asking.write(call.query, call.agent, "")
        body = bodies.whole(await call.request.read(), call.media, kind.name, kind.api_version)
        return self.shown(call, self._store.create(kind, target.namespace, body, write), 201, write.warnings)

    async def update(self, call: Call) -> web.StreamResponse:
        """Replaces an object, its status or its scale."""
        kind, target = call.kind, call.target
        write = asking.write(call.query, call.agent, target.sub)
        is_scale = target.sub == "scale"
        name, version = ("Scale", "autoscaling/v1") if is_scale else (kind.name, kind.api_version)
        body = bodies.whole(await call.request.read(), call.media, name, version)
        stored = self._store.update(kind, target.namespace, target.name, body, write)
        return self.shown(call, stored, 200, write.warnings)

    async def patch(self, call: Call) -> web.StreamResponse:
        """Changes an object, its status or its scale, or applies a configuration."""
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
        return self.shown(call, stored, code, write.warnings)

    async def delete(self, call: Call) -> web.StreamResponse:
        """Deletes an object."""
        kind, target = call.kind, call.target
        given = bodies.options(await call.request.read(), call.media)
        if "propagationPolicy" in call.query:
            given.setdefault("propagationPolicy", call.query["propagationPolicy"])
        if "gracePeriodSeconds" in call.query:
            given.setdefault("gracePeriodSeconds", asking.number(call.query, "gracePeriodSeconds"))
        write = asking.write({**call.query, "dryRun": "All"} if given.get("dryRun") else call.query, call.agent, "")
        before = self._store.get(kind, target.namespace, target.name)
        left = self._store.delete(kind, target.namespace, target.name, given, write)
        if left is not None or kind.storage == "/pods":
            return self.shown(call, left or before)
        details: Object = {"name": target.name, "kind": kind.plural, "uid": before.uid}
        if kind.group:
            details["group"] = kind.group
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return answers.json(status)

    async def deletecollection(self, call: Call) -> web.StreamResponse:
        """Deletes every object that the selectors choose."""
        given = bodies.options(await call.request.read(), call.media)
        write = asking.write(call.query, call.agent, "")
        found = listing.page(self._store, call.kind, self._scope(call), call.query)
        for stored in found.items:
            self._store.delete(call.kind, stored.namespace, stored.name, given, write)
        return answers.json(listing.encode(call.kind, found))

    def shown(self, call: Call, stored: Stored, code: int = 200, warnings: Sequence[str] = ()) -> web.Response:
        """An object, or the Scale made from it."""
        if call.target.sub == "scale":
            return answers.json(scales.view(call.kind, stored.read()), code)
        headers = [("Warning", f"299 - {_quoted(warning)}") for warning in warnings]
        return answers.json(listing.shown(call.kind, stored.data), code, headers)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
