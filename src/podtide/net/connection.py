"""One server's connection: dialled when needed, kept alive, one exchange at a time. Called by `net.engine`.

Nothing here waits or schedules: `net.engine` says when the socket is ready and when time is up.
"""

import errno
import os
import ssl
from collections.abc import Callable
from typing import Protocol

from podtide.core.model.reading import Failure, Reason
from podtide.net import answer, buffers, channel, errors, exchange, poller, resolve, tlserrors, wire
from podtide.net.dial import Dial
from podtide.net.page import Limits, Page


class Hub(Protocol):
    """What a connection needs from its engine."""

    limits: Limits
    buffers: buffers.Buffers
    bios: channel.Bios
    now: Callable[[], float]
    """Seconds, monotonic."""
    highest_fd: int
    """The highest descriptor a connection may have; the system gives the lowest that is free."""

    def watch(self, connection: "Connection", fd: int, mask: int, *, new: bool = False) -> None:
        """Call `connection.on_ready` when the descriptor is ready."""

    def unwatch(self, fd: int) -> None:
        """The descriptor is about to be closed."""

    def make_room(self, asking: "Connection") -> bool:
        """End the exchange that holds the largest lease; False, and nothing is ended, if that is the asking one."""

    def settle(self, connection: "Connection", over: exchange.Exchange, outcome: Page | Failure) -> None:
        """Report the end of an exchange."""

    def again(self, connection: "Connection", stale: exchange.Exchange) -> None:
        """Start the exchange once more, on a new connection."""


class Connection:
    """A server's one connection, or its absence between two exchanges."""

    __slots__ = (
        "_answer",
        "_channel",
        "_dial",
        "_fd",
        "_hub",
        "_is_behind",
        "_is_named",
        "_is_reused",
        "_is_sending",
        "_lease",
        "_session",
        "_wanted",
        "_watched",
        "addresses",
        "asks",
        "exchange",
        "idle_since",
        "waiting",
    )

    def __init__(self, hub: Hub, address: resolve.Address | None) -> None:
        self._hub = hub
        self._fd = -1
        self._dial: Dial | None = None
        self._channel: channel.Channel | None = None
        self._is_reused = False
        self._is_behind = False
        """Whether the lease holds more of an answer than the last turn took."""
        self._is_sending = False
        """Whether the socket has not yet taken the whole request."""
        self._watched = 0
        self._lease: buffers.Lease | None = None
        self._answer: answer.Answer | None = None
        self._wanted = 0
        """What to lease for the next answer: the size of the last one."""
        self._session: ssl.SSLSession | None = None
        self._is_named = address is None
        self.addresses = [] if address is None else [address]
        """Where to connect, best first; empty until a name has been looked up."""
        self.asks = 0
        """How many of the engine's asks use this connection."""
        self.exchange: exchange.Exchange | None = None
        self.idle_since = 0.0
        self.waiting: list[exchange.Exchange] | None = None
        """Exchanges for this server that wait until the current one is over; a list only when there are some."""

    @property
    def is_open(self) -> bool:
        """Whether there is a socket, connected or on its way."""
        return self._channel is not None or self._dial is not None

    @property
    def leased(self) -> int:
        """Bytes of buffer this connection holds."""
        return 0 if self._lease is None else self._lease.size

    def start(self, begun: exchange.Exchange) -> None:
        """Begin an exchange on this connection, which must have none."""
        self.exchange = begun
        over = self._channel
        self._is_reused = over is not None
        try:
            if over is None:
                dial = self._dial = Dial(self.addresses[0], begun.ask, begun.request, self._hub.bios, self._session)
                self._fd = dial.fd
                if dial.fd > self._hub.highest_fd:
                    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
                self._dialled(dial, begun)
            else:
                self._push(over, begun.request)
        except wire.Refused as refusal:
            self.refuse(refusal.failure.reason, refusal.failure.detail)
        except OSError as error:
            self._broken(error)

    def on_ready(self, events: int, now: float) -> None:
        """The socket is ready: go on with whatever comes next."""
        try:
            if self._channel is None or self._is_sending:
                self._prepare(events, now)
            elif self._is_behind:
                self._digest(self._channel, now)
            else:
                self._receive(self._channel, now)
        except BlockingIOError:
            return
        except buffers.Full:
            if not self._hub.make_room(self):
                self.refuse(Reason.TOO_LARGE, "memory for pages is used up, and this is the largest")
            # Else the descriptor is still ready, and there will be room the next time it says so.
        except wire.Refused as refusal:
            self.refuse(refusal.failure.reason, refusal.failure.detail)
        except OSError as error:
            self._broken(error)

    def expire(self, late: exchange.Exchange) -> Failure:
        """Time is up for the current exchange: close, and say how far it had come."""
        if self._channel is None:
            how_far = f"no {self._dial.stage if self._dial else 'connection'}"
        elif self._lease is None or not self._lease.filled:
            how_far = "no answer"
        else:
            how_far = f"no more than {self._lease.filled} bytes of an answer"
        self.close()
        return Failure(Reason.TIMEOUT, f"{late.ask}: {how_far} within {late.timeout:g} s")

    def refuse(self, reason: Reason, detail: str) -> None:
        """End the current exchange, if there is one, and the connection with it."""
        if self.exchange is None:
            self.close()
        else:
            self._end(Failure(reason, f"{self.exchange.ask}: {detail}"))

    def close(self, *, keep_session: bool = False) -> None:
        """Close the socket and drop what has arrived; the next exchange connects anew."""
        if self._lease is not None:
            self._hub.buffers.give_back(self._lease)
        self._lease = self._answer = self.exchange = None
        self._session = self._channel.session if keep_session and isinstance(self._channel, channel.Secure) else None
        if self._watched:
            self._hub.unwatch(self._fd)
            self._watched = 0
        over = self._channel or self._dial
        if over is not None:
            over.close()
        self._channel = self._dial = None
        self._is_sending = self._is_behind = False
        if self._is_named:
            self.addresses = []  # a name may mean something else by the next time

    # --- sending ------------------------------------------------------------------------------------------------------

    def _prepare(self, events: int, now: float) -> None:
        """Take the next step towards an open connection with its request sent."""
        begun, over = self.exchange, self._channel
        if over is not None and self._is_behind:
            self._digest(over, now)
        elif over is not None:
            over.flush()
            self._watch_for(over)
            if events & ~poller.WRITE:
                self._receive(over, now)
        elif self._dial is not None and begun is not None:
            self._dial.step(events)
            self._dialled(self._dial, begun)

    def _dialled(self, dial: Dial, begun: exchange.Exchange) -> None:
        if dial.line is not None and dial.is_open:
            self._channel, self._dial = dial.line, None
            self._wanted = max(self._wanted, dial.line.headroom)
            try:
                if dial.is_greeted:
                    self._watch_for(dial.line)
                else:
                    self._push(dial.line, begun.request)
            except OSError as error:
                if not exchange.is_lost(error):
                    raise
                # The server has gone, but what it said before, the alert that tells why, is still to be read.
                self._watch(poller.READ)
        else:
            self._watch(dial.mask)

    def _push(self, over: channel.Channel, request: bytes) -> None:
        over.push(request)
        if over.unsent or self._watched != poller.READ:
            self._watch_for(over)

    def _watch_for(self, over: channel.Channel) -> None:
        self._is_sending = bool(over.unsent)
        self._watch(poller.READ | poller.WRITE if over.unsent else poller.READ)

    def _watch(self, mask: int) -> None:
        if mask != self._watched:
            self._hub.watch(self, self._fd, mask, new=not self._watched)
            self._watched = mask

    # --- receiving ----------------------------------------------------------------------------------------------------

    def _receive(self, over: channel.Channel, now: float) -> None:
        current, lease, hub = self.exchange, self._lease, self._hub
        if lease is None:
            lease = self._lease = hub.buffers.lease(self._wanted)
        elif lease.size - lease.filled < over.headroom:
            lease = self._lease = hub.buffers.grown(lease)
        try:
            count = over.pull(lease)
        except BlockingIOError:
            if current is None:
                # Not even what TLS says for itself is expected now; a server could keep us busy with it for ever.
                self.close(keep_session=True)
            elif not lease.filled:
                hub.buffers.give_back(lease)
                self._lease = None
            return
        if current is None:
            # Whatever comes while nothing is asked is an end or a trespass: either way this connection is over.
            self.close(keep_session=True)
            return
        if self._answer is None:
            if not count:
                self._broken(None)
                return
            simple = answer.at_once(lease, hub.limits, now - current.started)
            if simple is not None:
                self._complete(current, simple[0], lease, now, reusable=simple[1] and not over.ended)
                return
        self._advance(current, lease, over, now, at_end=not count)

    def _digest(self, over: channel.Channel, now: float) -> None:
        """Take more of what has arrived already."""
        if self.exchange is not None and self._lease is not None:
            self._advance(self.exchange, self._lease, over, now, at_end=False)

    def _advance(
        self, current: exchange.Exchange, lease: buffers.Lease, over: channel.Channel, now: float, *, at_end: bool
    ) -> None:
        reading = self._answer
        if reading is None:
            reading = self._answer = answer.Answer(self._hub.limits, accepts_gzip=b"gzip" in current.request)
        whole = reading.eof() if at_end else reading.feed(lease)
        if self._is_behind != reading.is_behind:
            self._is_behind = reading.is_behind
            # A socket can always be written to: so there is another turn at once, but others have theirs before.
            self._watch(poller.READ | poller.WRITE if self._is_behind or over.unsent else poller.READ)
        if self._is_behind:
            return
        if whole is None and over.ended:
            whole = reading.eof()
        if whole is not None:
            page = whole.page(lease, now - current.started)
            reusable = not over.ended and not over.unsent and whole.is_reusable(lease)
            self._complete(current, page, lease, now, reusable=reusable)
        elif at_end or over.ended:
            self._broken(None)

    def _complete(
        self, over: exchange.Exchange, page: Page, lease: buffers.Lease, now: float, *, reusable: bool
    ) -> None:
        hub = self._hub
        # The lease is out of our hands while `done` looks at it: whatever `done` does cannot touch it.
        self._lease = self._answer = self.exchange = None
        carrier = self._channel
        if reusable and not self._is_sending and carrier is not None:
            self._wanted = lease.filled + carrier.headroom
            self.idle_since = now
        else:
            self.close(keep_session=True)
        try:
            hub.settle(self, over, page)
        finally:
            hub.buffers.give_back(lease)
            page.body.release()

    # --- endings ------------------------------------------------------------------------------------------------------

    def _broken(self, error: OSError | None) -> None:
        """The connection has ended, by the error or (None) because the server closed it."""
        current = self.exchange
        if current is None:
            self.close()
            return
        started = self._answer is not None
        lost = error is None or isinstance(error, ssl.SSLEOFError) or exchange.is_lost(error)
        if self._is_reused and not started and lost and not current.is_retry:
            # The server had given up the connection while it was idle. Nothing of an answer has come and a GET may
            # be repeated, so this once it is (RFC 9112, 9.3.1).
            self.close()
            current.is_retry = True
            self._hub.again(self, current)
        elif self._channel is None and not isinstance(error, ssl.SSLError) and len(self.addresses) > 1:
            others = self.addresses[1:]
            self.close()
            self.addresses = others
            self._hub.again(self, current)
        elif isinstance(error, ssl.SSLError):
            self._end(tlserrors.classify(error, current.ask))
        else:
            self._end(errors.named(error or EOFError(), str(current.ask)))

    def _end(self, failure: Failure) -> None:
        current = self.exchange
        self.close()
        if current is not None:
            self._hub.settle(self, current, failure)
