"""One server's connection: opened when needed, kept alive, one exchange at a time. Called by `net.engine`.

Nothing here waits or schedules: `net.engine` says when the socket is ready and when time is up.
"""

import errno
import os
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from podtide.core.model.reading import Failure, Reason
from podtide.net import answer, buffers, channel, errors, exchange, poller, resolve, tlserrors, wire
from podtide.net.page import Limits, Page

_IN_PROGRESS = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR)


class Hub(Protocol):
    """What a connection needs from its engine."""

    limits: Limits
    buffers: buffers.Buffers
    bios: channel.Bios
    now: Callable[[], float]
    """Seconds, monotonic."""

    def watch(self, connection: "Connection", fd: int, mask: int, *, new: bool = False) -> None:
        """Call `connection.on_ready` when the descriptor is ready."""

    def unwatch(self, fd: int) -> None:
        """The descriptor is about to be closed."""

    def make_room(self, asking: "Connection") -> None:
        """End another exchange so that a lease fits, or raise `wire.Refused` if `asking` is the largest."""

    def settle(self, over: exchange.Exchange, outcome: Page | Failure) -> None:
        """Report the end of an exchange."""

    def again(self, stale: exchange.Exchange) -> None:
        """Start the exchange once more, on a new connection."""


class Connection:
    """A server's one connection, or its absence between two exchanges."""

    __slots__ = (
        "_answer",
        "_channel",
        "_expected",
        "_fd",
        "_hub",
        "_is_connecting",
        "_is_named",
        "_is_reused",
        "_lease",
        "_session",
        "_socket",
        "_watched",
        "addresses",
        "asks",
        "exchange",
        "idle_since",
        "waiting",
    )

    def __init__(self, hub: Hub, address: resolve.Address | None) -> None:
        self._hub = hub
        self._socket: socket.socket | None = None
        self._fd = -1
        self._channel: channel.Channel | None = None
        self._is_connecting = False
        self._is_reused = False
        self._watched = 0
        self._lease: buffers.Lease | None = None
        self._answer: answer.Answer | None = None
        self._expected = 0
        """How large the last answer was: what to lease for the next."""
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
        return self._socket is not None

    @property
    def leased(self) -> int:
        """Bytes of buffer this connection holds."""
        return 0 if self._lease is None else self._lease.size

    def start(self, begun: exchange.Exchange) -> None:
        """Begin an exchange on this connection, which must have none."""
        self.exchange = begun
        self._answer = None
        try:
            if self._channel is None:
                self._is_reused = False
                self._connect(begun)
            else:
                self._is_reused = True
                self._push(self._channel, begun.request)
        except OSError as error:
            self._broken(error)

    def on_ready(self, events: int) -> None:
        """The socket is ready: go on with whatever comes next."""
        try:
            if self._is_connecting:
                if self._socket is not None and self.exchange is not None:
                    self._connected(self._socket, self.exchange)
                return
            over = self._channel
            if over is None:
                return
            if over.unsent:
                over.flush()
                self._watch(poller.READ | poller.WRITE if over.unsent else poller.READ)
            if events & ~poller.WRITE:
                self._receive(over)
        except BlockingIOError:
            return
        except wire.Refused as refusal:
            self.refuse(refusal.failure.reason, refusal.failure.detail)
        except OSError as error:
            self._broken(error)

    def expire(self, late: exchange.Exchange) -> Failure:
        """Time is up for the current exchange: close, and say how far it had come."""
        if self._is_connecting or self._channel is None:
            stage = "no connection"
        elif isinstance(self._channel, channel.Secure) and not self._channel.shaken:
            stage = "no end of the TLS handshake"
        elif self._answer is None or not self._answer.started:
            stage = "no answer"
        else:
            stage = f"no more than {self._lease.filled if self._lease else 0} bytes of an answer"
        self.close()
        return Failure(Reason.TIMEOUT, f"{late.ask}: {stage} within {late.timeout:g} s")

    def refuse(self, reason: Reason, detail: str) -> None:
        """End the current exchange, if there is one, and the connection with it."""
        if self.exchange is None:
            self.close()
        else:
            self._end(Failure(reason, f"{self.exchange.ask}: {detail}"))

    def close(self, *, keep_session: bool = False) -> None:
        """Close the socket and drop what has arrived; the next exchange connects anew."""
        self._give_back()
        self._answer = None
        self.exchange = None
        self._session = self._channel.session if keep_session and isinstance(self._channel, channel.Secure) else None
        if self._watched:
            self._hub.unwatch(self._fd)
            self._watched = 0
        if self._channel is not None:
            self._channel.close()
        elif self._socket is not None:
            self._socket.close()
        self._socket = self._channel = None
        self._is_connecting = False
        if self._is_named:
            self.addresses = []  # a name may mean something else by the next time

    # --- opening ------------------------------------------------------------------------------------------------------

    def _connect(self, begun: exchange.Exchange) -> None:
        family, address = self.addresses[0]
        made = self._socket = socket.socket(family, socket.SOCK_STREAM)
        made.setblocking(False)
        self._fd = made.fileno()
        # A TLS handshake is several small writes; they must not wait for each other's acknowledgement.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._is_connecting = True
        code = made.connect_ex(address)
        if code == 0:
            self._established(made, begun)
        elif code in _IN_PROGRESS:
            self._watch(poller.WRITE)
        else:
            raise OSError(code, os.strerror(code))

    def _connected(self, made: socket.socket, begun: exchange.Exchange) -> None:
        code = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        self._established(made, begun)

    def _established(self, made: socket.socket, begun: exchange.Exchange) -> None:
        self._is_connecting = False
        ask = begun.ask
        if ask.context is None:
            plain = self._channel = channel.Plain(made)
            self._push(plain, begun.request)
            return
        name = ask.server_name or ask.host
        secure = channel.Secure(made, self._hub.bios, ask.context, name, self._session)
        self._channel = secure
        secure.shake()
        self._watch(poller.READ | poller.WRITE if secure.unsent else poller.READ)

    def _push(self, over: channel.Channel, request: bytes) -> None:
        over.push(request)
        if over.unsent or self._watched != poller.READ:
            self._watch(poller.READ | poller.WRITE if over.unsent else poller.READ)

    def _watch(self, mask: int) -> None:
        if mask != self._watched:
            self._hub.watch(self, self._fd, mask, new=not self._watched)
            self._watched = mask

    # --- receiving ----------------------------------------------------------------------------------------------------

    def _receive(self, over: channel.Channel) -> None:
        current = self.exchange
        if not over.shaken:
            if current is not None and isinstance(over, channel.Secure):
                self._shake(over, current)
            return
        lease = self._lease
        if lease is None:
            lease = self._lease = self._take(self._expected + over.headroom)
        elif lease.size - lease.filled < over.headroom:
            lease = self._enlarge(lease)
        try:
            count = over.pull(lease)
        except BlockingIOError:
            if not lease.filled:
                self._give_back()
            return
        if current is None:
            # Whatever comes while nothing is asked is an end or a trespass: either way this connection is over.
            self.close(keep_session=True)
        else:
            self._advance(current, lease, over, at_end=not count)

    def _advance(
        self, current: exchange.Exchange, lease: buffers.Lease, over: channel.Channel, *, at_end: bool
    ) -> None:
        reading = self._answer
        if reading is None:
            if not at_end:
                simple = answer.at_once(lease, self._hub.limits)
                if simple is not None:
                    now = self._hub.now()
                    page = answer.page(simple[0], lease, simple[1], now - current.started)
                    self._complete(current, page, lease, now, reusable=True)
                    return
            reading = self._answer = answer.Answer(self._hub.limits, accepts_gzip=b"gzip" in current.request)
        whole = reading.eof() if at_end else reading.feed(lease)
        if whole is None and over.ended:
            whole = reading.eof()
        if whole is not None:
            now = self._hub.now()
            page = whole.page(lease, now - current.started)
            self._complete(current, page, lease, now, reusable=whole.is_reusable(lease))
        elif at_end or over.ended:
            self._broken(None)

    def _shake(self, over: channel.Secure, current: exchange.Exchange) -> None:
        over.continue_shake()
        if over.shaken:
            self._push(over, current.request)
        else:
            self._watch(poller.READ | poller.WRITE if over.unsent else poller.READ)

    def _complete(
        self, over: exchange.Exchange, page: Page, lease: buffers.Lease, now: float, *, reusable: bool
    ) -> None:
        self._expected = lease.filled
        # The lease is out of our hands while `done` looks at it: whatever `done` does cannot touch it.
        self._lease = self._answer = self.exchange = None
        self.idle_since = now
        if not reusable or self._channel is None or self._channel.ended or self._channel.unsent:
            self.close(keep_session=True)
        try:
            self._hub.settle(over, page)
        finally:
            self._hub.buffers.give_back(lease)
            page.body.release()

    # --- endings ------------------------------------------------------------------------------------------------------

    def _broken(self, error: OSError | None) -> None:
        """The connection has ended, by the error or (None) because the server closed it."""
        current = self.exchange
        if current is None:
            self.close()
            return
        connecting, started = self._is_connecting, self._answer is not None and self._answer.started
        lost = error is None or isinstance(error, ssl.SSLEOFError) or exchange.is_lost(error)
        if self._is_reused and not started and lost and not current.is_retry:
            # The server had given up the connection while it was idle. Nothing of an answer has come and a GET may
            # be repeated, so this once it is (RFC 9112, 9.3.1).
            self.close()
            current.is_retry = True
            self._hub.again(current)
            return
        if connecting and error is not None:
            if len(self.addresses) > 1:
                others = self.addresses[1:]
                self.close()
                self.addresses = others
                self._hub.again(current)
                return
            self._end(errors.named(error, str(current.ask)))
        elif isinstance(error, ssl.SSLError):
            self._end(tlserrors.classify(error, current.ask))
        else:
            self._end(errors.named(error or EOFError(), str(current.ask)))

    def _end(self, failure: Failure) -> None:
        current = self.exchange
        self.close()
        if current is not None:
            self._hub.settle(current, failure)

    # --- buffers ------------------------------------------------------------------------------------------------------

    def _take(self, wanted: int) -> buffers.Lease:
        while True:
            try:
                return self._hub.buffers.lease(wanted)
            except buffers.Full:
                self._hub.make_room(self)

    def _enlarge(self, lease: buffers.Lease) -> buffers.Lease:
        while True:
            try:
                lease = self._lease = self._hub.buffers.grown(lease)
            except buffers.Full:
                self._hub.make_room(self)
            else:
                return lease

    def _give_back(self) -> None:
        if self._lease is not None:
            self._hub.buffers.give_back(self._lease)
            self._lease = None
