"""The connection of one watch: from the first event to the last, with bookmarks and a deadline.

The routes run one per watch request.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping

from aiohttp import web

from podtide.local import asking, listing, refusals, watching
from podtide.local.faults import Faults, Incoming
from podtide.local.kinds import Kind
from podtide.local.store import Store
from podtide.local.watching import Render, Scope

_BOOKMARK_PERIOD = 60.0
"""Seconds between bookmarks, as kube-apiserver sends them; one comes 2 s before the deadline, too."""

_LEAST_TIMEOUT = 1800
"""Seconds a watch lives without `timeoutSeconds`, at least; up to twice as long, so that they do not end together."""


class Stream:
    """One watch request."""

    def __init__(self, store: Store, kind: Kind, scope: Scope, query: Mapping[str, str], render: Render | None) -> None:
        self._store = store
        self._kind = kind
        self._scope = scope
        self._query = query
        self._render = render
        self._timeout = asking.number(query, "timeoutSeconds") or _LEAST_TIMEOUT + secrets.randbelow(_LEAST_TIMEOUT)
        self._bookmarks = asking.is_true(query, "allowWatchBookmarks")

    async def run(self, request: web.BaseRequest, faults: Faults, incoming: Incoming) -> web.StreamResponse:
        """Serves the watch until it ends; raises `Refusal` for a resourceVersion that is none."""
        given = self._query.get("resourceVersion", "")
        start = listing.revision(given, present=self._store.revision) if given else 0
        watch = watching.Watch(self._scope, self._render, self._store.revision)
        unlisten = self._begin(watch, start)
        faults.opened(watch, incoming, watch.end)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            await response.prepare(request)
            await self._serve(watch, response)
            await response.write_eof()
        except ConnectionError:
            # The client has gone; there is nobody to tell.
            pass
        finally:
            faults.closed(watch)
            unlisten()
        return response

    def _begin(self, watch: watching.Watch, start: int) -> Callable[[], None]:
        collection = self._store.collection(self._kind)
        initial = asking.is_true(self._query, "sendInitialEvents")
        if initial or (start == 0 and "sendInitialEvents" not in self._query):
            watch.begin(collection.current(self._scope.namespace))
            if initial and self._bookmarks:
                watch.bookmark(watching.bookmark(self._kind, self._store.revision, initial=True))
        else:
            try:
                for change in collection.since(start):
                    watch.see(change)
            except refusals.Refusal as expired:
                watch.fail(expired.status())
        return collection.listen(watch.see)

    async def _serve(self, watch: watching.Watch, response: web.StreamResponse) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        bookmark_at = min(loop.time() + _BOOKMARK_PERIOD, deadline - 2)
        while not watch.is_over:
            wake_at = min(bookmark_at, deadline) if self._bookmarks else deadline
            if await watch.ready(max(wake_at - loop.time(), 0)):
                data = watch.drain()
                if data:
                    await response.write(data)
            elif loop.time() >= deadline:
                break
            else:
                watch.bookmark(watching.bookmark(self._kind, max(watch.revision, self._store.revision)))
                bookmark_at = min(loop.time() + _BOOKMARK_PERIOD, deadline - 2)
                if bookmark_at <= loop.time():
                    bookmark_at = deadline
        rest = watch.drain()
        if rest:
            await response.write(rest)
