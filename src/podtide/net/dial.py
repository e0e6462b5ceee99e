"""A connection on its way: a socket, TCP, then TLS, without waiting. Called by `net.connection`."""

import errno
import os
import socket
import ssl

from podtide.core.model.reading import Reason
from podtide.net import channel, exchange, poller, resolve, wire
from podtide.net.page import Ask

_IN_PROGRESS = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR)
_NON_BLOCKING = getattr(socket, "SOCK_NONBLOCK", 0)
"""Where the system has it, it saves a call per connection."""


class Dial:
    """Dials when made; then `step` whenever the descriptor is ready for `mask`, until it says that the line is open.

    Making and stepping raise OSError, and `wire.Refused` for a name that TLS cannot check.
    """

    __slots__ = ("_ask", "_bios", "_session", "_socket", "fd", "is_greeted", "line", "mask")

    def __init__(
        self,
        address: resolve.Address,
        ask: Ask,
        request: bytes,
        bios: channel.Bios,
        session: ssl.SSLSession | None = None,
    ) -> None:
        family, place = address
        self._ask = ask
        self._bios = bios
        self._session = session
        self.line: channel.Plain | channel.Secure | None = None
        """The channel, once TCP is up."""
        self.mask = poller.WRITE
        """What the next step waits for."""
        self.is_greeted = False
        """Whether the request has been sent, or is among what the line has not sent yet."""
        # The class behind `socket.socket`: what that one adds costs a microsecond per connection.
        made = self._socket = socket.SocketType(family, socket.SOCK_STREAM | _NON_BLOCKING)
        self.fd = made.fileno()
        try:
            if not _NON_BLOCKING:
                made.setblocking(False)
            code = made.connect_ex(place)
            if code == 0:
                self._connected()
            elif code not in _IN_PROGRESS:
                raise OSError(code, os.strerror(code))
            elif ask.context is None:
                self._greet(request)
            elif _is_connected(made):
                self._connected()
        except Exception:
            self.close()
            raise

    @property
    def is_open(self) -> bool:
        """Whether the line can carry a request."""
        return self.line is not None and self.line.shaken

    @property
    def stage(self) -> str:
        """What has not come about yet, in words."""
        return "connection" if self.line is None else "end of the TLS handshake"

    def step(self, events: int) -> bool:
        """Go on; True when the line is open."""
        line = self.line
        if line is None:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
            self._connected()
        elif isinstance(line, channel.Secure):
            # Reading comes first: where the server has gone, sending would tell only that, and not why.
            if events & ~poller.WRITE:
                line.continue_shake()
            if line.unsent:
                line.flush()
            self._wait_for(line)
        return self.is_open

    def close(self) -> None:
        """Hang up."""
        if self.line is None:
            self._socket.close()
        else:
            self.line.close()

    def _greet(self, request: bytes) -> None:
        """Send at once: on one machine a connection said to be in progress has come about by then."""
        try:
            count = self._socket.send(request)
        except OSError as error:
            # Where the server has gone already, what it said is read before that is told.
            if not isinstance(error, BlockingIOError) and not exchange.is_lost(error):
                raise
            return
        self._connected()
        if self.line is not None:
            self.line.unsent = request[count:]
            self.is_greeted = True

    def _connected(self) -> None:
        ask, made = self._ask, self._socket
        if ask.context is None:
            self.line = channel.Plain(made)
            return
        # A handshake is several small writes; they must not wait for each other's acknowledgement.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name = ask.server_name or ask.host
        try:
            line = self.line = channel.Secure(made, self._bios, ask.context, name, self._session)
        except (ValueError, TypeError) as error:
            raise wire.Refused(Reason.TLS_NAME, f"{name!r} is no server name that TLS can check: {error}") from error
        line.shake()
        self._wait_for(line)

    def _wait_for(self, line: channel.Secure) -> None:
        self.mask = poller.READ | poller.WRITE if line.unsent else poller.READ


def _is_connected(made: socket.SocketType) -> bool:
    """Whether a connection that is said to be in progress has come about, as on one machine it has by then."""
    try:
        made.getpeername()
    except OSError:
        return False
    return True
