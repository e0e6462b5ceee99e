"""Which exchanges may be in flight and which wait for their turn: bookkeeping only. Called by `net.engine`.

Few exchanges at a time keep the buffers warm and the answers from piling up. But an exchange whose server takes its
time costs nothing while it waits: after a moment it is `old`, and another may start in its place.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

from podtide.net.connection import Connection
from podtide.net.exchange import Exchange
from podtide.net.page import Limits

PATIENCE = 0.0005
"""Seconds after which a waiting exchange is old: the server is slow, not we."""


class Flow:
    """The queue, and what is under way."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.queue: deque[tuple[Exchange, Connection]] = deque()
        """What has not been started, with the connection that is to carry it."""
        self.young: set[Exchange] = set()
        """What is under way and counts against `Limits.in_flight`."""
        self.old: set[Exchange] = set()
        """What is under way and counts against `Limits.waiting`."""

    def next(self) -> tuple[Exchange, Connection] | None:
        """What may start now, if anything: it leaves the queue."""
        if not self.queue or len(self.young) >= self._limits.in_flight or len(self.old) >= self._limits.waiting:
            return None
        return self.queue.popleft()

    def remove(self, exchange: Exchange) -> None:
        """The exchange is no longer under way."""
        self.young.discard(exchange)
        if self.old:
            self.old.discard(exchange)

    def age(self, now: float) -> None:
        """Make old what has been under way for a while."""
        old = {exchange for exchange in self.young if exchange.started <= now - PATIENCE}
        self.young -= old
        self.old |= old

    def next_of(self, connection: Connection) -> None:
        """The connection is free: queue who waits for it, or close it when nobody will ask again."""
        if connection.exchange is not None:
            return
        if connection.waiting:
            self.queue.appendleft((connection.waiting.pop(0), connection))
        elif not connection.asks:
            connection.close()

    def unfinished(self, connections: Iterable[Connection]) -> Iterator[tuple[Exchange, Connection]]:
        """Everything that is not over, in the queue, on these connections or waiting for them; some more than once."""
        for exchange, connection in self.queue:
            if not exchange.is_over:
                yield exchange, connection
        for connection in chain((connection for _, connection in self.queue), connections):
            if connection.exchange is not None:
                yield connection.exchange, connection
            for exchange in connection.waiting or ():
                if not exchange.is_over:
                    yield exchange, connection
