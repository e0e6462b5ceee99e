"""Carries asks over HTTP/2 for the scrape pool, by httpx. For the few servers that speak nothing else."""

import dataclasses
from collections.abc import Callable
from typing import Any

from podtide.aio.tasks import Crew
from podtide.core.model.reading import Failure, Reason
from podtide.net import arriving, http, page, prepare

Done = Callable[[page.Ask, page.Page | Failure], None]


class Carrier:
    """One client per ask, because httpx looks through all connections of a client for every request."""

    def __init__(self, limits: page.Limits, crew: Crew) -> None:
        self._limits = limits
        self._crew = crew
        self._clients: dict[page.Ask, http.Client] = {}
        self.arriving = arriving.Arriving(limits.buffer_bytes)
        """What arrives for all of them."""

    def request(self, ask: page.Ask, timeout: float, done: Done) -> None:
        """Scrape once; `done` is called once, within the timeout in seconds."""
        self._crew.start(self._carry(ask, timeout, done), f"HTTP/2 scrape of {ask}")

    def expect(self, ask: page.Ask) -> None:
        """A client has one ask here, so there is nothing to keep."""

    def forget(self, ask: page.Ask) -> None:
        """The server will not be asked again; close its connection."""
        client = self._clients.pop(ask, None)
        if client is not None:
            self._crew.start(client.aclose(), f"closing {ask}")

    async def aclose(self) -> None:
        """Close every connection."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    async def _carry(self, ask: page.Ask, timeout: float, done: Done) -> None:
        client = self._clients.get(ask)
        if client is None:
            client = self._clients[ask] = http.Client(self._limits, beside=self.arriving)
        way = prepare.Prepared(ask.context, ask.server_name, ask.headers, ask.http2)
        outcome: page.FetchedPage | Failure = Failure(Reason.PROTOCOL, f"{ask}: the request was given up")
        try:
            outcome = await client.get(str(ask), way, timeout)
        finally:
            # Also after a crash: a scrape that never ends would not be asked for again.
            done(ask, outcome if isinstance(outcome, Failure) else page.Page(**_fields(outcome)))


def _fields(fetched: page.FetchedPage) -> dict[str, Any]:
    found = {field.name: getattr(fetched, field.name) for field in dataclasses.fields(fetched)}
    return {**found, "body": memoryview(fetched.body)}
