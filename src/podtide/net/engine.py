"""The scrape engine: many servers, one connection each, in one set of sockets.

Called by `sources.pool` and `net.transport`.

asyncio sees a single descriptor, that of the set. When it is readable a batch of sockets is served in one callback and
only then are the next requests sent, so a scrape costs neither a Task nor a Future nor a turn of the loop. One timer
watches all deadlines.
"""

import asyncio
import math
import ssl
import time
from collections import deque
from collections.abc import Callable, Collection

from podtide.core.model.reading import Failure, Reason
from podtide.net import buffers, channel, poller, resolve, wire
from podtide.net.connection import Connection
from podtide.net.exchange import Done, Exchange
from podtide.net.page import Ask, FetchedPage, Limits, Page

_BATCH = 64
"""Sockets asked for in one system call."""
_TURN = 0.002
"""Seconds after which a callback leaves the rest to the next turn of the loop, so that others get theirs."""
_PATIENCE = 0.001
"""Seconds after which a waiting exchange no longer counts as in flight: the server is slow, not we."""
_EXPIRED_AT_ONCE = 64
_TICK = 0.01
"""The finest step of the deadline timer."""

_Server = tuple[str, int, ssl.SSLContext | None, str | None]


class Engine:
    """Scrapes servers over HTTP/1.1, plain or TLS. Belongs to the event loop that first uses it."""

    def __init__(self, limits: Limits = Limits(), poll: poller.Poller | None = None) -> None:
        self.limits = limits
        self.buffers = buffers.Buffers(limits.buffer_bytes)
        self.bios = channel.Bios()
        self._poll = poll or poller.make()
        self._loop: asyncio.AbstractEventLoop
        self._is_attached = False
        self.now: Callable[[], float] = time.monotonic
        self._servers: dict[_Server, Connection] = {}
        self._asks: dict[Ask, tuple[Connection, bytes]] = {}
        self._by_fd: dict[int, Connection] = {}
        self._queue: deque[tuple[Exchange, Connection]] = deque()
        self._unfinished: dict[Exchange, Connection] = {}
        self._young: set[Exchange] = set()
        """Exchanges in flight that count against `Limits.in_flight`."""
        self._old: set[Exchange] = set()
        """Exchanges in flight that have waited so long that they count against `Limits.waiting` instead."""
        self._lookups: dict[Connection, asyncio.Task[None]] = {}
        self._is_serving = False
        self._is_behind = False
        """Whether the last turn left sockets that were ready."""
        self._start: asyncio.Handle | None = None
        self._relief: asyncio.TimerHandle | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = math.inf
        self._cleaning: asyncio.TimerHandle | None = None
        self._is_closed = False

    # --- for callers --------------------------------------------------------------------------------------------------

    def request(self, ask: Ask, timeout: float, done: Done) -> None:
        """Scrape once; `done` is called exactly once, from the event loop, with the page or why there is none.

        The timeout in seconds covers everything from now on, waiting for a place included. The page's body is valid
        only until `done` returns. Raises ValueError for a path or header that HTTP does not allow,
        RuntimeError after `aclose`.
        """
        if self._is_closed:
            raise RuntimeError("this engine has been closed")
        loop = self._loop if self._is_attached else self._attach()
        known = self._asks.get(ask) or self._know(ask)
        deadline = loop.time() + timeout
        exchange = Exchange(ask, known[1], timeout, deadline, done)
        self._unfinished[exchange] = known[0]
        self._queue.append((exchange, known[0]))
        if deadline < self._alarm_at - _TICK:
            self._set_alarm(deadline)
        if self._start is None:
            self._resume()

    async def fetch(self, ask: Ask, timeout: float) -> FetchedPage | Failure:
        """Scrape once and keep the page: for callers with few of them."""
        future: asyncio.Future[FetchedPage | Failure] = asyncio.get_running_loop().create_future()

        def done(_: Ask, outcome: Page | Failure) -> None:
            if not future.done():
                future.set_result(FetchedPage.of(outcome) if isinstance(outcome, Page) else outcome)

        self.request(ask, timeout, done)
        return await future

    def forget(self, ask: Ask) -> None:
        """The server will not be asked this again; its connection closes unless another ask uses it."""
        known = self._asks.pop(ask, None)
        if known is None:
            return
        connection = known[0]
        connection.asks -= 1
        if not connection.asks:
            del self._servers[_server(ask)]
            if connection.exchange is None and not connection.waiting:
                connection.close()

    def close_idle(self, keep: Collection[Ask]) -> None:
        """Forget every ask that is not among `keep`. Exchanges under way still end with their answer."""
        kept = frozenset(keep)
        for ask in [ask for ask in self._asks if ask not in kept]:
            self.forget(ask)

    async def aclose(self) -> None:
        """End everything: what is under way fails, all sockets close."""
        if self._is_closed:
            return
        self._is_closed = True
        for timer in (self._start, self._relief, self._alarm, self._cleaning):
            if timer is not None:
                timer.cancel()
        for task in list(self._lookups.values()):
            task.cancel()
        await asyncio.gather(*self._lookups.values(), return_exceptions=True)
        for exchange, connection in list(self._unfinished.items()):
            connection.close()
            self.settle(exchange, Failure(Reason.RESET, f"{exchange.ask}: the scrape engine has been closed"))
        for connection in {*self._servers.values(), *self._by_fd.values()}:
            connection.close()
        if self._is_attached:
            self._loop.remove_reader(self._poll.fileno())
        self._poll.close()

    @property
    def in_flight(self) -> int:
        """Exchanges that have been asked for and are not over."""
        return len(self._unfinished)

    # --- for connections ----------------------------------------------------------------------------------------------

    def watch(self, connection: Connection, fd: int, mask: int, *, new: bool = False) -> None:
        if new:
            self._by_fd[fd] = connection
            self._poll.register(fd, mask)
        else:
            self._poll.modify(fd, mask)

    def unwatch(self, fd: int) -> None:
        del self._by_fd[fd]
        self._poll.unregister(fd)

    def settle(self, over: Exchange, outcome: Page | Failure) -> None:
        connection = self._unfinished.pop(over, None)
        if connection is None:
            return
        self._young.discard(over)
        if self._old:
            self._old.discard(over)
        if connection.waiting or not connection.asks:
            self._next(connection)
        try:
            over.done(over.ask, outcome)
        except Exception as error:  # one caller's bug must not end the exchanges of the others
            self._complain(f"the callback of {over.ask} raised", error)
        if not self._is_serving:
            self._resume()

    def again(self, stale: Exchange) -> None:
        self._young.discard(stale)
        self._old.discard(stale)
        self._queue.appendleft((stale, self._unfinished[stale]))
        self._resume()

    def make_room(self, asking: Connection) -> bool:
        largest = max(self._by_fd.values(), key=lambda connection: connection.leased)
        if largest.leased <= asking.leased:
            return False
        largest.refuse(Reason.TOO_LARGE, "memory for pages is used up, and this is the largest")
        return True

    # --- the turns of the loop ----------------------------------------------------------------------------------------

    def _attach(self) -> asyncio.AbstractEventLoop:
        loop = self._loop = asyncio.get_running_loop()
        self._is_attached = True
        self.now = loop.time
        loop.add_reader(self._poll.fileno(), self._serve)
        self._cleaning = loop.call_later(self.limits.idle / 4, self._clean)
        return loop

    def _know(self, ask: Ask) -> tuple[Connection, bytes]:
        request = wire.request_bytes(ask)
        key = _server(ask)
        connection = self._servers.get(key)
        if connection is None:
            connection = self._servers[key] = Connection(self, resolve.literal(ask.host, ask.port))
        connection.asks += 1
        known = self._asks[ask] = (connection, request)
        return known

    def _serve(self) -> None:
        """Serve the sockets that are ready, then send what may be sent."""
        poll, by_fd, now = self._poll.poll, self._by_fd, self.now
        until = now() + _TURN
        self._is_serving = self._is_behind = True
        try:
            while True:
                events = poll(0, _BATCH)
                for fd, event in events:
                    connection = by_fd.get(fd)  # None: closed earlier in this batch
                    at = now()
                    if connection is not None:
                        self._go_on(connection, event, at)
                    if at > until:
                        return  # level-triggered: what is left is reported again
                if len(events) < _BATCH:
                    self._is_behind = False
                    return
        finally:
            self._pump()
            self._is_serving = False

    def _go_on(self, connection: Connection, event: int, now: float) -> None:
        try:
            connection.on_ready(event, now)
        except Exception as error:  # a bug met by one server's bytes must not end the exchanges with all others
            self._complain("the scrape engine failed on an answer", error)
            connection.refuse(Reason.PROTOCOL, f"the scrape engine failed on this answer: {error!r}")

    def _resume(self) -> None:
        if self._start is None and not self._is_serving:
            self._start = self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._start = None
        self._is_serving = True
        self._pump()
        self._is_serving = False

    def _pump(self) -> None:
        """Start exchanges from the queue while there are places."""
        queue, young = self._queue, self._young
        now = self.now()
        while queue and len(young) < self.limits.in_flight and len(self._old) < self.limits.waiting:
            exchange, connection = queue.popleft()
            if exchange not in self._unfinished:
                self._next(connection)
            elif connection.exchange is not None:
                connection.waiting = [*(connection.waiting or ()), exchange]
            elif not connection.addresses:
                connection.waiting = [*(connection.waiting or ()), exchange]
                self._look_up(connection, exchange.ask)
            else:
                exchange.started = exchange.started or now
                young.add(exchange)
                connection.start(exchange)
                if exchange.ask.context is not None and self.now() > now + _TURN:
                    break  # handshakes are dear
        if queue and self._relief is None:
            self._relief = self._loop.call_later(_PATIENCE, self._relieve)

    def _next(self, connection: Connection) -> None:
        """The connection is free: let the next in, or close it when nobody will ask again."""
        if connection.exchange is not None:
            return
        if connection.waiting:
            self._queue.appendleft((connection.waiting.pop(0), connection))
        elif not connection.asks:
            connection.close()

    def _relieve(self) -> None:
        """Let more exchanges start when those in flight are only waiting for slow servers."""
        self._relief = None
        if not self._is_behind:
            before = self.now() - _PATIENCE
            old = {exchange for exchange in self._young if exchange.started <= before}
            self._old |= old
            self._young -= old
        self._begin()

    # --- deadlines ----------------------------------------------------------------------------------------------------

    def _set_alarm(self, at: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = self._loop.call_at(max(at, self.now() + _TICK), self._sweep)

    def _sweep(self) -> None:
        """End what has run out of time."""
        self._alarm = None
        self._alarm_at = math.inf
        now = self.now()
        due = [exchange for exchange in self._unfinished if exchange.deadline <= now]
        for exchange in due[:_EXPIRED_AT_ONCE]:
            connection = self._unfinished.get(exchange)
            if connection is None:
                continue
            if connection.exchange is exchange:
                failure = connection.expire(exchange)
            else:
                what = "name not resolved" if connection in self._lookups else "no turn to ask"
                failure = Failure(Reason.TIMEOUT, f"{exchange.ask}: {what} within {exchange.timeout:g} s")
            self.settle(exchange, failure)
        if self._unfinished:
            self._set_alarm(min(exchange.deadline for exchange in self._unfinished))

    def _clean(self) -> None:
        """Close connections that nobody has used for a while."""
        before = self.now() - self.limits.idle
        for connection in self._servers.values():
            if connection.is_open and connection.exchange is None and connection.idle_since < before:
                connection.close(keep_session=True)
        self._cleaning = self._loop.call_later(self.limits.idle / 4, self._clean)

    # --- names --------------------------------------------------------------------------------------------------------

    def _look_up(self, connection: Connection, ask: Ask) -> None:
        if connection not in self._lookups:
            task = asyncio.get_running_loop().create_task(self._resolve(connection, ask), name=f"look up {ask.host}")
            self._lookups[connection] = task

    async def _resolve(self, connection: Connection, ask: Ask) -> None:
        failure = None
        try:
            connection.addresses = await resolve.lookup(ask.host, ask.port)
        except OSError as error:
            failure = Failure(Reason.CONNECT, f"{ask.host}: the name does not resolve ({error.strerror or error})")
        finally:
            del self._lookups[connection]
        waiting, connection.waiting = connection.waiting or [], None
        for exchange in waiting:
            if failure is None:
                self._queue.append((exchange, connection))
            else:
                self.settle(exchange, failure)
        self._resume()

    def _complain(self, message: str, error: Exception) -> None:
        self._loop.call_exception_handler({"message": message, "exception": error})


def _server(ask: Ask) -> _Server:
    return ask.host, ask.port, ask.context, ask.server_name
