"""Pages at URLs for the sources `endpoint` and `prometheus`, reached as their spec says, asked once for all."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from podtide.aio.tasks import Crew
from podtide.core.model import peers
from podtide.core.model.reading import Failure, Reason
from podtide.core.model.spec import AutoscalerSpec, Http
from podtide.net import http, page, retry
from podtide.net.access import Access, Accesses
from podtide.net.prepare import Prepared
from podtide.sources import verdict

Outcome = page.FetchedPage | Failure
_Key = tuple[str, tuple[tuple[str, str], ...], Prepared]

MOST_KEPT = 32 * 1024 * 1024
"""Bytes of pages that are kept for those who ask at about the same time. One object may name 64 URLs of 10 MiB each."""


@dataclass(slots=True)
class _Asked:
    """A request that is under way, or its answer."""

    at: float
    answer: "asyncio.Future[Outcome]"
    end: asyncio.TimerHandle
    """When it is forgotten."""
    size: int = 0
    """Bytes of the page, once it is there."""


class Urls:
    """Gets pages. Two readers that ask the same of one URL at about the same time share the answer."""

    def __init__(self, client: http.Client, accesses: Accesses, crew: Crew, *, rng: random.Random) -> None:
        self._client = client
        self._accesses = accesses
        self._crew = crew
        self._rng = rng
        self._asked: dict[_Key, _Asked] = {}
        self.kept = 0
        """Bytes of every page that is remembered."""

    def open(self, spec: AutoscalerSpec, way: Http, url: str, accept: str) -> "Opened":
        """Prepare to read this URL for an autoscaler, asking for such types."""
        return Opened(self, self._accesses, spec, way, url, accept)

    async def get(
        self, url: str, way: Prepared, timeout: float, *, params: Mapping[str, str], fresh: float, owner: str
    ) -> page.FetchedPage | Failure:
        """A page that was asked for at most `fresh` seconds ago."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        key = url, tuple(params.items()), way
        asked = self._asked.get(key)
        if asked is None or now - asked.at > fresh:
            self._forget(key)
            # An answer is kept only for those who come at about the same time; pages can be large.
            end = loop.call_later(max(fresh, timeout), self._forget, key)
            asked = self._asked[key] = _Asked(now, loop.create_future(), end)
            self._crew.start(self._fetch(asked.answer, key, timeout, owner), f"page of {url}")
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(asked.answer)
        except TimeoutError:
            return Failure(Reason.TIMEOUT, f"{url}: no whole answer within {timeout:g} s")

    def close(self) -> None:
        """Forget every answer."""
        for key in tuple(self._asked):
            self._forget(key)

    def _forget(self, key: _Key) -> None:
        asked = self._asked.pop(key, None)
        if asked is not None:
            asked.end.cancel()
            self.kept -= asked.size

    def _keep(self, key: _Key, answer: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
        """Count a page, and forget the largest while there are too many; who waits for one has it all the same."""
        asked = self._asked.get(key)
        if asked is None or asked.answer is not answer or isinstance(outcome, Failure):
            return
        asked.size = len(outcome.body)
        self.kept += asked.size
        while self.kept > MOST_KEPT:
            self._forget(max(self._asked, key=lambda each: self._asked[each].size))

    async def _fetch(self, answer: "asyncio.Future[Outcome]", key: _Key, timeout: float, owner: str) -> None:
        url, params, way = key

        async def once(left: float) -> page.FetchedPage | Failure:
            return await self._client.get(url, way, left, params=dict(params) or None, owner=owner)

        try:
            outcome = await retry.within(timeout, once, rng=self._rng)
            self._keep(key, answer, outcome)
            answer.set_result(outcome)
        finally:
            # Cancelled or crashed: nobody may wait for good.
            if not answer.done():
                answer.set_result(Failure(Reason.CONNECT, f"{url}: the request was given up"))


class Opened:
    """One URL as one autoscaler reaches it."""

    def __init__(self, urls: Urls, accesses: Accesses, spec: AutoscalerSpec, way: Http, url: str, accept: str) -> None:
        self._urls = urls
        self._accept = (("Accept", accept),)
        self._url = url
        self._namespace = spec.key.namespace
        self._changed = asyncio.Event()
        self._on_change: Callable[[], None] = self._changed.set
        self._access: Access = accesses.open(
            spec.key.namespace, way, self._on_change, owner=str(spec.key), peer=peers.of(url)
        )

    async def get(
        self,
        timeout: float,
        *,
        params: Mapping[str, str] | None = None,
        fresh: float,
        explain: Callable[[page.FetchedPage], Failure | None] | None = None,
    ) -> page.FetchedPage | Failure:
        """The page within the timeout in seconds, or why there is none; a status other than 200 is a failure.

        `explain` may know better than the status alone what such an answer means.
        """
        way = self._access.state
        if way is None:
            # Only the first reading can be so early that the credentials have not been looked up.
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                pass
            way = self._access.state
        if way is None:
            return Failure(Reason.CREDENTIALS, "the Secrets and ConfigMaps this source names have not been read yet")
        if isinstance(way, Failure):
            return way
        way = replace(way, headers=self._accept + way.headers)
        outcome = await self._urls.get(self._url, way, timeout, params=params or {}, fresh=fresh, owner=self._namespace)
        if isinstance(outcome, page.FetchedPage):
            explained = explain(outcome) if explain is not None and outcome.status >= 400 else None
            outcome = explained or verdict.refusal(outcome, http.ask_for(self._url, way)) or outcome
        if isinstance(outcome, Failure) and outcome.reason in verdict.IN_DOUBT:
            self._access.suspect()
        return outcome

    def close(self) -> None:
        """Not read any more."""
        self._access.close(self._on_change)
