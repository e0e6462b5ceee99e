"""The system's errors as named failures. `net.engine`, `net.http` and `sources` translate at their edge with it.

Nothing here raises: trouble with one server is a value, `core.model.reading.Failure`.
"""

import asyncio
import errno
import socket

from podtide.core.model.reading import Failure, Reason

_CONNECT = {
    errno.ECONNREFUSED: "nothing listens on this port; check `port`, and that the server listens on the pod's address",
    errno.EHOSTUNREACH: "the host cannot be reached; a NetworkPolicy or a node that is gone are the usual reasons",
    errno.ENETUNREACH: "there is no route to this network",
    errno.EADDRNOTAVAIL: "no local port is left, or the address is none of this network's",
    errno.EMFILE: "this process has no file descriptor left; raise its limit (`ulimit -n`)",
    errno.ENFILE: "this machine has no file descriptor left",
    errno.EACCES: "the system forbids the connection",
    errno.EPERM: "the system forbids the connection; a NetworkPolicy may",
}
_LOST = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENOTCONN, errno.ESHUTDOWN})


def named(error: OSError | EOFError, where: str) -> Failure:
    """What an error of a socket means, at `where` (an address or URL without credentials).

    A TLS error is for `net.tls.classify` to name.
    """
    if isinstance(error, TimeoutError) or getattr(error, "errno", None) == errno.ETIMEDOUT:
        return Failure(Reason.TIMEOUT, f"{where}: no answer in time")
    if isinstance(error, socket.gaierror):
        return Failure(Reason.CONNECT, f"{where}: the name does not resolve ({error.strerror})")
    if isinstance(error, (EOFError, asyncio.IncompleteReadError)) or getattr(error, "errno", None) in _LOST:
        return Failure(Reason.RESET, f"{where}: the server closed the connection before its answer was whole")
    number = getattr(error, "errno", None)
    hint = _CONNECT.get(number) if number is not None else None
    return Failure(Reason.CONNECT, f"{where}: {hint or error}")
