"""The scrape engine: many servers, one connection each, in one set of sockets.

Called by `sources.pool` and `net.transport`.

asyncio sees a single descriptor, that of the set. When it is readable a batch of sockets is served in one callback and
only then are the next requests sent, so a scrape costs neither a Task nor a Future nor a turn of the loop. One timer
watches all deadlines.
"""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Collection

from podtide.core.model.reading import Failure, Reason
from podtide.net import buffers, channel, descriptors, poller, resolve
from podtide.net.connection import Connection
from podtide.net.deadlines import Deadlines
from podtide.net.exchange import Done, Exchange
from podtide.net.flow import PATIENCE, Flow
from podtide.net.page import Ask, FetchedPage, Limits, Page
from podtide.net.servers import Servers

_BATCH = 64
"""Sockets asked for in one system call."""
_TURN = 0.002
"""Seconds after which a callback leaves the rest to the next turn of the loop, so that others get theirs."""
_EXPIRED_AT_ONCE = 64


class Engine:
    """Scrapes servers over HTTP/1.1, plain or TLS. Belongs to the event loop that first uses it."""

    def __init__(self, limits: Limits = Limits(), poll: poller.Poller | None = None) -> None:
        self.limits = limits
        self.buffers = buffers.Buffers(limits.buffer_bytes)
        self.bios = channel.Bios()
        self.now: Callable[[], float] = time.monotonic
        self._poll = poll or poller.make()
        self.highest_fd = descriptors.highest()
        self._unregisters = not poller.forgets_closed(self._poll)
        self._servers = Servers(self)
        self._by_fd: dict[int, Connection] = {}
        self._flow = Flow(limits)
        self._lookups = resolve.Lookups()
        self._due: deque[tuple[Exchange, Connection]] = deque()
        """What has run out of time and is not ended yet."""
        self._loop: asyncio.AbstractEventLoop
        self._deadlines: Deadlines
        self._is_attached = self._is_closed = False
        self._is_serving = False
        self._is_behind = False
        """Whether the last turn left sockets that were ready."""
        self._start: asyncio.Handle | None = None
        self._relief: asyncio.TimerHandle | None = None
        self._cleaning: asyncio.TimerHandle | None = None

    # --- for callers --------------------------------------------------------------------------------------------------

    def request(self, ask: Ask, timeout: float, done: Done) -> None:
        """Scrape once; `done` is called exactly once, from the event loop, with the page or why there is none.

        The timeout in seconds covers everything from now on, waiting for a place included. The page's body is valid
        only until `done` returns. Raises ValueError for a path or header that HTTP does not allow,
        RuntimeError after `aclose`.
        """
        if not self._is_attached:
            self._attach()
        connection, request = self._servers.known.get(ask) or self._servers.add(ask)
        deadline = self.now() + timeout
        self._flow.queue.append((Exchange(ask, request, timeout, deadline, done), connection))
        if deadline < self._deadlines.earliest:
            self._deadlines.cover(deadline)
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

    def expect(self, ask: Ask) -> None:
        """The server will be asked this: the connection it has stays when what it was asked before is forgotten."""
        if ask not in self._servers.known:
            with contextlib.suppress(ValueError):  # which `request` is to raise
                self._servers.add(ask)

    def forget(self, ask: Ask) -> None:
        """The server will not be asked this again; its connection closes unless another ask uses it."""
        self._servers.forget(ask)

    def close_idle(self, keep: Collection[Ask]) -> None:
        """Forget every ask that is not among `keep`. Exchanges under way still end with their answer."""
        self._servers.keep(keep)

    async def aclose(self) -> None:
        """End everything: what is under way fails, all sockets close."""
        if self._is_closed:
            return
        self._is_closed = True
        await self._lookups.aclose()
        for exchange, connection in list(self._unfinished()):
            connection.close()
            self.settle(
                connection, exchange, Failure(Reason.RESET, f"{exchange.ask}: the scrape engine has been closed")
            )
        for connection in {*self._servers, *self._by_fd.values()}:
            connection.close()
        if self._is_attached:
            self._is_attached = False
            self._deadlines.cancel()
            self._loop.remove_reader(self._poll.fileno())
        for timer in (self._start, self._relief, self._cleaning):
            if timer is not None:
                timer.cancel()
        self._poll.close()

    # --- for connections ----------------------------------------------------------------------------------------------

    def watch(self, connection: Connection, fd: int, mask: int, *, new: bool = False) -> None:
        if new:
            self._by_fd[fd] = connection
            self._poll.register(fd, mask)
        else:
            self._poll.modify(fd, mask)

    def unwatch(self, fd: int) -> None:
        del self._by_fd[fd]
        if self._unregisters:
            self._poll.unregister(fd)

    def settle(self, connection: Connection, over: Exchange, outcome: Page | Failure) -> None:
        if over.is_over:
            return
        over.is_over = True
        flow = self._flow
        flow.young.discard(over)
        if flow.old:
            flow.old.discard(over)
        if connection.waiting or not connection.asks:
            flow.next_of(connection)
        try:
            over.done(over.ask, outcome)
        except Exception as error:  # one caller's bug must not end the exchanges of the others
            self._complain(f"the callback of {over.ask} raised", error)
        if not self._is_serving:
            self._resume()

    def again(self, connection: Connection, stale: Exchange) -> None:
        self._flow.remove(stale)
        self._flow.queue.appendleft((stale, connection))
        self._resume()

    def make_room(self, asking: Connection) -> bool:
        largest = max(self._by_fd.values(), key=lambda connection: connection.leased)
        if largest.leased <= asking.leased:
            return False
        largest.refuse(Reason.TOO_LARGE, "memory for pages is used up, and this is the largest")
        return True

    # --- the turns of the loop ----------------------------------------------------------------------------------------

    def _attach(self) -> None:
        if self._is_closed:
            raise RuntimeError("this engine has been closed")
        self._is_attached = True
        loop = self._loop = asyncio.get_running_loop()
        self.now = loop.time
        self._deadlines = Deadlines(loop, self._sweep)
        self._cleaning = loop.call_later(self.limits.idle / 4, self._clean)
        loop.add_reader(self._poll.fileno(), self._serve)

    def _serve(self) -> None:
        """Serve the sockets that are ready, then send what may be sent."""
        now = self.now
        until = now() + _TURN
        self._is_serving = self._is_behind = True
        try:
            while True:
                events = self._poll.poll(0, _BATCH)
                for fd, event in events:
                    connection = self._by_fd.get(fd)  # None: closed earlier in this batch
                    at = now()
                    if connection is not None:
                        try:
                            connection.on_ready(event, at)
                        except Exception as error:  # a bug that one answer meets must not end the others
                            self._failed(connection, error)
                    if at > until:
                        return  # level-triggered: what is left is reported again
                if len(events) < _BATCH:
                    self._is_behind = False
                    return
        finally:
            self._pump()
            self._is_serving = False

    def _resume(self) -> None:
        if self._start is None and not self._is_serving and not self._is_closed:
            self._start = self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._start = None
        self._is_serving = True
        self._pump()
        self._is_serving = False

    def _pump(self) -> None:
        """Start exchanges from the queue while there are places."""
        flow, now = self._flow, self.now()
        while (following := flow.next()) is not None:
            exchange, connection = following
            if exchange.is_over:
                flow.next_of(connection)
            elif connection.exchange is not None:
                connection.waiting = [*(connection.waiting or ()), exchange]
            elif not connection.addresses:
                connection.waiting = [*(connection.waiting or ()), exchange]
                self._look_up(connection, exchange.ask)
            else:
                exchange.started = exchange.started or now
                flow.young.add(exchange)
                try:
                    connection.start(exchange)
                except Exception as error:  # as above, for what a request meets
                    self._failed(connection, error)
                if exchange.ask.context is not None and self.now() > now + _TURN:
                    break  # handshakes are dear
        if flow.queue and self._relief is None:
            self._relief = self._loop.call_later(PATIENCE, self._relieve)

    def _relieve(self) -> None:
        """Let more exchanges start when those in flight are only waiting for slow servers."""
        self._relief = None
        if not self._is_behind:
            self._flow.age(self.now())
        self._begin()

    def _unfinished(self) -> Collection[tuple[Exchange, Connection]]:
        return dict.fromkeys(self._flow.unfinished([*self._by_fd.values(), *self._servers]))

    def _sweep(self, now: float) -> float:
        """End what has run out of time, some at once, and say when to come again."""
        if not self._due:
            unfinished = self._unfinished()
            self._due.extend(pair for pair in unfinished if pair[0].deadline <= now)
            if not self._due:
                return min((exchange.deadline for exchange, _ in unfinished), default=math.inf)
        for _ in range(min(len(self._due), _EXPIRED_AT_ONCE)):
            exchange, connection = self._due.popleft()
            if exchange.is_over:
                continue
            if connection.exchange is exchange:
                failure = connection.expire(exchange)
            else:
                what = "name not resolved" if connection in self._lookups else "no turn to ask"
                failure = Failure(Reason.TIMEOUT, f"{exchange.ask}: {what} within {exchange.timeout:g} s")
            self.settle(connection, exchange, failure)
        return now

    def _clean(self) -> None:
        """Close connections that nobody has used for a while."""
        self._servers.close_unused(self.now() - self.limits.idle)
        self._cleaning = self._loop.call_later(self.limits.idle / 4, self._clean)

    def _look_up(self, connection: Connection, ask: Ask) -> None:
        def found(addresses: list[resolve.Address] | OSError) -> None:
            waiting, connection.waiting = connection.waiting or [], None
            if isinstance(addresses, OSError):
                words = f"{ask.host}: the name does not resolve ({addresses.strerror or addresses})"
                for exchange in waiting:
                    self.settle(connection, exchange, Failure(Reason.CONNECT, words))
            else:
                connection.addresses = addresses
                self._flow.queue.extend((exchange, connection) for exchange in waiting)
            self._resume()

        self._lookups.start(connection, ask.host, ask.port, found)

    def _failed(self, connection: Connection, error: Exception) -> None:
        self._complain("the scrape engine has a bug; one exchange ends with it", error)
        connection.refuse(Reason.PROTOCOL, f"the scrape engine failed on it: {error!r}")

    def _complain(self, message: str, error: Exception) -> None:
        self._loop.call_exception_handler({"message": message, "exception": error})
