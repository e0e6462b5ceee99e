"""What a TLS server says out of turn: with the end of its handshake, or as it hangs up."""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from podtide.core.model.reading import Reason
from podtide.net import engine, page
from tests.net.authority import Authority
from tests.net.scripted import Server, answer, fail, fetch

AUTHORITY = Authority()


@pytest.fixture
async def scraper() -> AsyncIterator[engine.Engine]:
    made = engine.Engine()
    yield made
    await made.aclose()
    assert not made.bios.incoming.pending


def client() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=AUTHORITY.pem.decode())


@contextlib.contextmanager
def accepting(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve every connection in a thread; the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted = listener.accept()[0]
                accepted.settimeout(5)
                with contextlib.suppress(OSError), accepted:
                    serve(accepted)

    thread = threading.Thread(target=run, name="server out of turn")
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def shaken(accepted: socket.socket, context: ssl.SSLContext, early: bytes) -> tuple[bytes, bytes]:
    """Shake hands as a server; the end of the handshake and these early words, both not sent yet."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        with contextlib.suppress(ssl.SSLWantReadError):
            secured.do_handshake()
            break
        accepted.sendall(outgoing.read())
        incoming.write(accepted.recv(65536))
    finished = outgoing.read()
    secured.write(early)
    return finished, outgoing.read()


def last_to_speak(directory: Path) -> ssl.SSLContext:
    """A server's context of TLS 1.2, where the server's part of the handshake is the last."""
    context = AUTHORITY.issue("127.0.0.1").server(directory)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


async def test_what_comes_with_the_end_of_a_handshake_reaches_no_other_connection(
    scraper: engine.Engine, tmp_path: Path
) -> None:
    context = last_to_speak(tmp_path)

    def serve(accepted: socket.socket) -> None:
        finished, greeting = shaken(accepted, context, b"220 mail.example ESMTP\r\n")
        accepted.sendall(finished + greeting)
        accepted.recv(65536)

    with accepting(serve) as port:
        async with Server([answer()], AUTHORITY.issue("127.0.0.1").server(tmp_path)) as other:
            loud, well = page.Ask("127.0.0.1", port, context=client()), other.ask(context=client())
            for _ in range(3):
                failure, served = await asyncio.gather(fail(scraper, loud), fetch(scraper, well))
                assert served.body == b"up 1\n"
                assert failure.reason is Reason.PROTOCOL, failure
                assert "220 mail.example" in failure.detail
        assert other.connections == 1


async def test_half_a_record_behind_the_handshake_is_kept_for_its_other_half(
    scraper: engine.Engine, tmp_path: Path
) -> None:
    context = last_to_speak(tmp_path)

    def serve(accepted: socket.socket) -> None:
        finished, record = shaken(accepted, context, answer())
        accepted.sendall(finished + record[:20])
        accepted.recv(65536)
        accepted.sendall(record[20:])
        accepted.recv(65536)

    with accepting(serve) as port:
        ask = page.Ask("127.0.0.1", port, context=client())
        assert (await fetch(scraper, ask)).body == b"up 1\n"
        scraper.forget(ask)  # the thread waits for the connection to end


class _Late(ssl.SSLObject):
    """Sends its first bytes only after the server has gone."""

    gone: threading.Event

    def write(self, data: bytes) -> int:  # type: ignore[override]  # the stubs call it something else
        assert self.gone.wait(5)
        return super().write(data)


async def test_an_alert_is_read_though_the_server_went_before_the_request_could_be_sent(
    scraper: engine.Engine, tmp_path: Path
) -> None:
    context = AUTHORITY.issue("127.0.0.1").server(tmp_path, clients=AUTHORITY.pem)
    _Late.gone = threading.Event()

    def serve(accepted: socket.socket) -> None:
        secured = context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        with contextlib.suppress(ssl.SSLError):
            secured.do_handshake()
        # As a server does that leaves bytes unread: a reset goes after the alert.
        secured.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        secured.close()
        _Late.gone.set()

    with accepting(serve) as port:
        secured = client()
        secured.sslobject_class = _Late
        failure = await fail(scraper, page.Ask("127.0.0.1", port, context=secured))
    assert failure.reason is Reason.TLS_CLIENT, failure
    assert "`tls.clientCertSecretRef`" in failure.detail


class _Slow(ssl.SSLObject):
    """Takes so long over the server's part of the handshake that the server has gone before ours can be sent."""

    begun: threading.Event
    gone: threading.Event
    steps = 0

    def do_handshake(self) -> None:
        self.steps += 1
        if self.steps == 2:
            self.begun.set()
            assert self.gone.wait(5)
        super().do_handshake()


async def test_an_alert_is_read_though_the_server_went_in_mid_handshake(scraper: engine.Engine, tmp_path: Path) -> None:
    context = last_to_speak(tmp_path)
    _Slow.begun, _Slow.gone = threading.Event(), threading.Event()

    def serve(accepted: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(accepted.recv(65536))
        with contextlib.suppress(ssl.SSLWantReadError):
            secured.do_handshake()
        accepted.sendall(outgoing.read())
        assert _Slow.begun.wait(5)
        accepted.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # fatal: handshake failure
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        _Slow.gone.set()

    with accepting(serve) as port:
        secured = client()
        secured.sslobject_class = _Slow
        failure = await fail(scraper, page.Ask("127.0.0.1", port, context=secured))
    assert failure.reason is Reason.TLS_CLIENT, failure
    assert "broke off the handshake" in failure.detail
