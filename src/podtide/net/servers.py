"""Which connection carries which ask: one per server, shared by all its asks. Called by `net.engine`."""

import ssl
from collections.abc import Collection, Iterator

from podtide.net import resolve, wire
from podtide.net.connection import Connection, Hub
from podtide.net.page import Ask

_Server = tuple[str, int, ssl.SSLContext | None, str | None]


class Servers:
    """Every server that has been asked and not forgotten."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._connections: dict[_Server, Connection] = {}
        self.known: dict[Ask, tuple[Connection, bytes]] = {}
        """Ask → its connection and its request."""

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._connections.values())

    def add(self, ask: Ask) -> tuple[Connection, bytes]:
        """Take up an ask that is not known. Raises ValueError for what HTTP does not allow."""
        request = wire.request_bytes(ask)
        key = _server(ask)
        connection = self._connections.get(key)
        if connection is None:
            connection = self._connections[key] = Connection(self._hub, resolve.literal(ask.host, ask.port))
        connection.asks += 1
        known = self.known[ask] = (connection, request)
        return known

    def forget(self, ask: Ask) -> None:
        """Close the ask's connection as soon as it is free, unless another ask uses it."""
        known = self.known.pop(ask, None)
        if known is None:
            return
        connection = known[0]
        connection.asks -= 1
        if not connection.asks:
            del self._connections[_server(ask)]
            if connection.exchange is None and not connection.waiting:
                connection.close()

    def keep(self, asks: Collection[Ask]) -> None:
        """Forget every ask that is not among these."""
        kept = frozenset(asks)
        for ask in [ask for ask in self.known if ask not in kept]:
            self.forget(ask)

    def close_unused(self, since: float) -> None:
        """Close connections that have carried nothing since then; their asks stay known."""
        for connection in self:
            if connection.is_open and connection.exchange is None and connection.idle_since < since:
                connection.close(keep_session=True)


def _server(ask: Ask) -> _Server:
    return ask.host, ask.port, ask.context, ask.server_name
