"""HTTP in, HTTP out: reads a request, lets faults strike, asks the gate, finds who answers.

`server.ApiServer` hands every request to `Routes.handle`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from podtide.local import access, answers, asking, bodies, documents, refusals, reviews, subresources
from podtide.local.addons import MetricsApis
from podtide.local.faults import Cut, Faults, Incoming
from podtide.local.kinds import Kind
from podtide.local.objects import Call, Objects
from podtide.local.refusals import Refusal
from podtide.local.store import Store

_REVIEWS = ("authentication.k8s.io", "authorization.k8s.io")

_ON_ALL = ("create", "list", "deletecollection")
_ON_ONE = ("get", "update", "patch", "delete")
"""Verbs that need a path without and with a name; a watch takes either."""

_Verb = Callable[[Call], Awaitable[web.StreamResponse]]


class Routes:
    """The server's HTTP surface."""

    def __init__(
        self, store: Store, gate: access.Gate, faults: Faults, metrics: MetricsApis, address: Callable[[], str]
    ) -> None:
        """`address` tells where the server listens, as `host:port`."""
        self._store = store
        self._gate = gate
        self._faults = faults
        self._metrics = metrics
        self._address = address
        self._objects = Objects(store, faults)
        self._verbs: Mapping[str, _Verb] = {
            "get": self._objects.get,
            "list": self._objects.list,
            "watch": self._objects.watch,
            "create": self._objects.create,
            "update": self._objects.update,
            "patch": self._objects.patch,
            "delete": self._objects.delete,
            "deletecollection": self._objects.deletecollection,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answers one request."""
        try:
            return await self._answer(request)
        except Refusal as refusal:
            return answers.json(refusal.status(), refusal.code, refusal.headers.items())
        except ConnectionError:
            # Whoever asked has gone before all was read; nobody hears this.
            return web.Response(status=503)
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
            accept = request.headers.get("Accept", "")
            form = "" if path.startswith("/openapi") else asking.form(accept)
            kinds = [*self._store.kinds.values(), *self._metrics.kinds()]
            return documents.answer(path, form, accept, kinds, self._address())
        measured = self._metrics.answer(target, query) if request.method == "GET" else None
        if measured is not None:
            return answers.json(measured)
        kind = self._kind(target)
        if kind is None:
            return answers.no_page()
        call = Call(request, query, user, kind, target, ask.verb, agent, incoming)
        if target.sub:
            return await self._sub(call)
        if kind.group in _REVIEWS:
            return await self._review(call)
        misplaced = ask.verb in (_ON_ALL if target.name else _ON_ONE)
        if ask.verb not in kind.verbs or misplaced:
            raise refusals.not_allowed()
        return await self._verbs[ask.verb](call)

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

    async def _review(self, call: Call) -> web.Response:
        if call.verb != "create":
            raise refusals.not_allowed()
        kind = call.kind
        body = bodies.whole(await call.request.read(), call.media, kind.name, kind.api_version)
        answered = reviews.answer(kind.plural, body, call.user, self._gate)
        return answers.json({"kind": kind.name, "apiVersion": kind.api_version, **answered}, 201)

    async def _sub(self, call: Call) -> web.StreamResponse:
        kind, sub = call.kind, call.target.sub
        if not kind.has(sub):
            raise refusals.no_such_resource()
        if call.verb not in kind.sub(sub).verbs:
            raise refusals.not_allowed()
        if sub in ("status", "scale"):
            if call.verb == "get":
                return self._objects.shown(call, self._store.get(kind, call.target.namespace, call.target.name))
            return await self._verbs[call.verb](call)
        found = subresources.answer(self._store, self._gate, kind, call.target, await call.request.read())
        return answers.text(found) if isinstance(found, str) else answers.json(found, 201)
