"""Bytes to and from a server, plain or inside TLS, without waiting. Called by `net.connection`.

TLS runs on memory BIOs that all connections of an engine share: OpenSSL keeps what is left of a record in the
connection itself, so the shared ones are empty between two calls. That saves a system call per record and a buffer
per idle connection.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from podtide.core.model.reading import Reason
from podtide.net import exchange, wire
from podtide.net.buffers import Lease

_READ_AT_ONCE = 1 << 17
_AT_FIRST = 1 << 14
_WITH_CARE = 1 << 12
"""Bytes read at once of a server whose records hold hardly anything: each of them costs 2 µs, however small it is."""
_EXCERPT = 40

_RECORD = 17 << 10
"""More than the plain text of one TLS record: what OpenSSL may still hold from the read before."""


class Channel(Protocol):
    """What a connection needs from its socket. Nothing here waits; `pull` raises BlockingIOError instead."""

    headroom: int
    """How much of a lease must be free before a pull."""
    unsent: bytes
    """What the socket did not take; call `flush` when it is writable again."""
    shaken: bool
    """Whether the TLS handshake, if there is one, is done."""
    ended: bool
    """Whether the server has said, inside TLS, that nothing more will come."""

    def push(self, data: bytes) -> None:
        """Send, as far as the socket takes it."""

    def flush(self) -> None:
        """Send more of what is unsent."""

    def pull(self, lease: Lease) -> int:
        """Read into the free part of the lease: how many bytes, 0 when the server has properly closed."""

    def close(self) -> None:
        """Give the socket back."""


class Plain:
    """A TCP connection."""

    __slots__ = ("_socket", "unsent")
    headroom = 1
    shaken = True
    ended = False

    def __init__(self, connected: socket.SocketType) -> None:
        self._socket = connected
        self.unsent = b""

    def push(self, data: bytes) -> None:
        try:
            count = self._socket.send(data)
        except BlockingIOError:
            count = 0
        if count < len(data):
            self.unsent = data[count:]

    def flush(self) -> None:
        self.unsent = _send(self._socket, self.unsent)

    def pull(self, lease: Lease) -> int:
        count = self._socket.recv_into(lease.view[lease.filled :] if lease.filled else lease.data)
        lease.filled += count
        return count

    def close(self) -> None:
        self._socket.close()


class Bios:
    """The memory that all TLS connections of one engine share."""

    def __init__(self) -> None:
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.scratch = bytearray(_READ_AT_ONCE)
        self.view = memoryview(self.scratch)


class Secure:
    """A TLS connection."""

    __slots__ = ("_at_once", "_bios", "_socket", "_tls", "ended", "shaken", "unsent")
    headroom = 2 * _RECORD

    def __init__(
        self,
        connected: socket.SocketType,
        bios: Bios,
        context: ssl.SSLContext,
        name: str,
        session: ssl.SSLSession | None,
    ) -> None:
        self._socket = connected
        self._bios = bios
        self._tls = context.wrap_bio(bios.incoming, bios.outgoing, server_hostname=name, session=session)
        self._at_once = _AT_FIRST
        self.unsent = b""
        self.ended = False
        self.shaken = False
        """Whether the handshake is done."""

    @property
    def session(self) -> ssl.SSLSession | None:
        """What the next connection to this server can resume."""
        return self._tls.session if self.shaken else None

    @property
    def is_resumed(self) -> bool:
        """Whether the handshake was a resumption."""
        return bool(self._tls.session_reused)

    def shake(self) -> None:
        """Begin the handshake."""
        self._step()

    def continue_shake(self) -> None:
        """Read, and go on with the handshake. Raises BlockingIOError when there is nothing to read."""
        count = self._socket.recv_into(self._bios.scratch)
        if not count:
            raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the server closed during the TLS handshake")
        self._bios.incoming.write(self._bios.view[:count])
        self._step()

    def push(self, data: bytes) -> None:
        try:
            self._tls.write(data)
        except ssl.SSLError:
            self._discard()
            raise
        self._send_pending()

    def flush(self) -> None:
        self.unsent = _send(self._socket, self.unsent)

    def pull(self, lease: Lease) -> int:
        bios, before = self._bios, lease.filled
        count = self._socket.recv_into(bios.scratch, min(self._at_once, lease.size - before - _RECORD))
        if not count:
            if self.ended:
                return 0
            raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the server closed without ending TLS: the answer may be cut")
        bios.incoming.write(bios.view[:count])
        self._decrypt(lease)
        self._at_once = _READ_AT_ONCE if (lease.filled - before) * 4 > count else _WITH_CARE
        if bios.outgoing.pending:
            self._send_pending()
        if lease.filled == before and not self.ended:
            raise BlockingIOError
        return lease.filled - before

    def close(self) -> None:
        if self.shaken:
            # Saying goodbye is a courtesy: whatever goes wrong with it changes nothing.
            with contextlib.suppress(OSError, ValueError):
                self._tls.unwrap()
            with contextlib.suppress(OSError):
                self._socket.send(self._bios.outgoing.read())
        self._discard()
        self._socket.close()

    def _step(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send_pending()
            return
        except ssl.SSLError:
            with contextlib.suppress(OSError):
                self._send_pending()  # the alert: the server's log shall say why
            self._discard()
            raise
        if self._bios.incoming.pending:
            self._take_early()
        self._send_pending()
        self.shaken = True

    def _take_early(self) -> None:
        """Read what came with the end of the handshake: left in the shared BIO, it would be another connection's."""
        try:
            said = self._tls.read(_EXCERPT)
        except ssl.SSLWantReadError:
            return  # tickets for resumption, as Go sends them
        except ssl.SSLError:
            self._discard()
            raise
        self._bios.incoming.read()
        if said:
            self._discard()
            spoke = f"the server spoke before it was asked: {wire.excerpt(said)}"
            raise wire.Refused(Reason.PROTOCOL, f"not an HTTP/1.1 answer: {spoke}")
        self.ended = True

    def _decrypt(self, lease: Lease) -> None:
        """Empty the shared BIO into the lease. There is room: see `headroom`."""
        incoming = self._bios.incoming
        # With a buffer it returns a count, which the type stubs do not know.
        read: Callable[[int, memoryview], int] = self._tls.read  # type: ignore[assignment]
        try:
            while incoming.pending:
                count = read(_READ_AT_ONCE, lease.view[lease.filled :])
                if not count:
                    self.ended = True
                    incoming.read()
                    return
                lease.filled += count
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._discard()
            raise

    def _send_pending(self) -> None:
        data = self._bios.outgoing.read()
        try:
            self.unsent = _send(self._socket, self.unsent + data if self.unsent else data)
        except OSError as error:
            if self.shaken or not exchange.is_lost(error):
                raise
            # The server has gone in mid-handshake, but its alert, which tells why, is still to be read.
            self.unsent = b""

    def _discard(self) -> None:
        self._bios.incoming.read()
        self._bios.outgoing.read()


def _send(connected: socket.SocketType, data: bytes) -> bytes:
    try:
        count = connected.send(data)
    except BlockingIOError:
        return data
    return data[count:] if count < len(data) else b""
