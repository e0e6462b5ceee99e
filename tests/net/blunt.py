"""A server with blocking sockets in a thread. asyncio's server closes without the TLS alert that others send."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextlib.contextmanager
def serving(data: bytes, *, secured: ssl.SSLContext | None = None) -> Iterator[int]:
    """Answer the first bytes of every connection with this data and close; the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_serve, args=(listener, data, secured), name="blunt server")
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        # Closing alone does not wake an accept that another thread waits in.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def _serve(listener: socket.socket, data: bytes, secured: ssl.SSLContext | None) -> None:
    while True:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        accepted.settimeout(5)
        with contextlib.suppress(OSError), accepted:
            if secured is None:
                _answer(accepted, data)
            else:
                with secured.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as wrapped:
                    _shake_and_answer(wrapped, data)


def _shake_and_answer(wrapped: ssl.SSLSocket, data: bytes) -> None:
    try:
        wrapped.do_handshake()
    except ssl.SSLError:
        # Closing while the client's request lies unread would reset the connection, and the alert might be lost.
        wrapped.shutdown(socket.SHUT_WR)
        while wrapped.recv(65536):
            pass
        raise
    _answer(wrapped, data)


def _answer(connection: socket.socket, data: bytes) -> None:
    if connection.recv(65536):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(65536)  # until the client has read it all and closed
