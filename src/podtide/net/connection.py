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

_CLOSED, _CONNECTING, _SHAKING, _SENDING, _OPEN = range(5)
"""No socket; TCP on its way; TLS on its way; a request that the socket has not yet taken whole; open."""

_NON_BLOCKING = getattr(socket, "SOCK_NONBLOCK", 0)
"""Where the system has it, it saves a call per connection."""


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
        "_fd",
        "_hub",
        "_is_named",
        "_is_reused",
        "_lease",
        "_session",
        "_socket",
        "_stage",
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
        self._stage = _CLOSED
        self._socket: socket.socket | None = None
        self._fd = -1
        self._channel: channel.Channel | None = None
        self._is_reused = False
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
        return self._socket is not None

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
                self._connect(begun)
            else:
                over.push(begun.request)
                if over.unsent:
                    self._wait_to_send()
        except OSError as error:
            self._broken(error)

    def on_ready(self, events: int, now: float) -> None:
        """The socket is ready: go on with whatever comes next."""
        try:
            if self._stage == _OPEN:
                self._receive(now)
            else:
                self._prepare(events, now)
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
        if self._stage in (_CLOSED, _CONNECTING):
            how_far = "no connection"
        elif self._stage == _SHAKING:
            how_far = "no end of the TLS handshake"
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
        if self._channel is not None:
            self._channel.close()
        elif self._socket is not None:
            self._socket.close()
        self._socket = self._channel = None
        self._stage = _CLOSED
        if self._is_named:
            self.addresses = []  # a name may mean something else by the next time

    # --- opening ------------------------------------------------------------------------------------------------------

    def _connect(self, begun: exchange.Exchange) -> None:
        family, address = self.addresses[0]
        made = self._socket = socket.socket(family, socket.SOCK_STREAM | _NON_BLOCKING)
        if not _NON_BLOCKING:
            made.setblocking(False)
        self._fd = made.fileno()
        self._stage = _CONNECTING
        code = made.connect_ex(address)
        if code == 0 or (code in _IN_PROGRESS and _is_connected(made)):
            self._connected(made, begun)
        elif code in _IN_PROGRESS:
            self._watch(poller.WRITE)
        else:
            raise OSError(code, os.strerror(code))

    def _connected(self, made: socket.socket, begun: exchange.Exchange) -> None:
        ask = begun.ask
        if ask.context is None:
            plain = self._channel = channel.Plain(made)
            self._opened(plain, begun)
            return
        self._stage = _SHAKING
        # A handshake is several small writes; they must not wait for each other's acknowledgement.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name = ask.server_name or ask.host
        secure = self._channel = channel.Secure(made, self._hub.bios, ask.context, name, self._session)
        secure.shake()
        self._watch(poller.READ | poller.WRITE if secure.unsent else poller.READ)

    def _opened(self, over: channel.Channel, begun: exchange.Exchange) -> None:
        self._stage = _OPEN
        self._wanted = max(self._wanted, over.headroom)
        over.push(begun.request)
        if over.unsent:
            self._wait_to_send()
        else:
            self._watch(poller.READ)

    def _prepare(self, events: int, now: float) -> None:
        """Take the next step towards an open connection with its request sent."""
        begun, over, made = self.exchange, self._channel, self._socket
        if begun is None or made is None:
            return
        if over is None:
            code = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
            self._connected(made, begun)
            return
        if over.unsent:
            over.flush()
        if self._stage == _SENDING:
            if not over.unsent:
                self._stage = _OPEN
            self._watch(poller.READ | poller.WRITE if over.unsent else poller.READ)
            if events & ~poller.WRITE:
                self._receive(now)
        elif isinstance(over, channel.Secure):
            self._shake(over, events, begun)

    def _shake(self, over: channel.Secure, events: int, begun: exchange.Exchange) -> None:
        if events & ~poller.WRITE:
            over.continue_shake()
        if over.shaken:
            self._opened(over, begun)
        else:
            self._watch(poller.READ | poller.WRITE if over.unsent else poller.READ)

    def _wait_to_send(self) -> None:
        self._stage = _SENDING
        self._watch(poller.READ | poller.WRITE)

    def _watch(self, mask: int) -> None:
        if mask != self._watched:
            self._hub.watch(self, self._fd, mask, new=not self._watched)
            self._watched = mask

    # --- receiving ----------------------------------------------------------------------------------------------------

    def _receive(self, now: float) -> None:
        over, current, lease, hub = self._channel, self.exchange, self._lease, self._hub
        if over is None:
            return
        if lease is None:
            lease = self._lease = hub.buffers.lease(self._wanted)
        elif lease.size - lease.filled < over.headroom:
            lease = self._lease = hub.buffers.grown(lease)
        try:
            count = over.pull(lease)
        except BlockingIOError:
            if not lease.filled:
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

    def _advance(
        self, current: exchange.Exchange, lease: buffers.Lease, over: channel.Channel, now: float, *, at_end: bool
    ) -> None:
        reading = self._answer
        if reading is None:
            reading = self._answer = answer.Answer(self._hub.limits, accepts_gzip=b"gzip" in current.request)
        whole = reading.eof() if at_end else reading.feed(lease)
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
        if reusable and self._stage == _OPEN and carrier is not None:
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
        elif error is not None and self._stage == _CONNECTING and len(self.addresses) > 1:
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


def _is_connected(made: socket.socket) -> bool:
    """Whether a connection that is said to be in progress has come about, as on one machine it has by then."""
    try:
        made.getpeername()
    except OSError:
        return False
    return True
