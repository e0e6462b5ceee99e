"""TLS servers that send much and say little: records of a byte each, or records while nothing is asked."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podtide.net import buffers, channel, engine, page
from tests.net.authority import Authority
from tests.net.scripted import answer, fetch
from tests.net.test_engine_alerts import accepting

AUTHORITY = Authority()


def client() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=AUTHORITY.pem.decode())


@pytest.fixture
async def scraper() -> AsyncIterator[engine.Engine]:
    made = engine.Engine()
    yield made
    await made.aclose()


def test_records_of_a_byte_each_are_taken_a_few_hundred_at_a_time(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    served = AUTHORITY.issue("pod.example").server(tmp_path)

    def serve() -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = served.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                secured.do_handshake()
                break
            theirs.sendall(outgoing.read())
            incoming.write(theirs.recv(65536))
        for _ in range(20_000):
            secured.write(b"x")
        theirs.sendall(outgoing.read())

    thread = threading.Thread(target=serve, name="server of tiny records")
    thread.start()
    line = channel.Secure(ours, channel.Bios(), client(), "pod.example", None)
    line.shake()
    ours.settimeout(5)
    while not line.shaken:
        line.continue_shake()
    lease, gains = buffers.Lease(1 << 18), list[int]()
    while lease.filled < 20_000:
        before = lease.filled
        with contextlib.suppress(BlockingIOError):
            line.pull(lease)
        gains.append(lease.filled - before)
    assert max(gains) <= 1000
    thread.join()
    line.close()
    theirs.close()


def test_large_records_are_taken_whole(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    served = AUTHORITY.issue("pod.example").server(tmp_path)
    sent = threading.Event()

    def serve() -> None:
        with served.wrap_socket(theirs, server_side=True) as secured:
            secured.send(b"x" * 10_000)
            secured.recv(1)
            secured.send(b"y" * 80_000)
            sent.set()
            secured.recv(1)

    thread = threading.Thread(target=serve, name="server of large records")
    thread.start()
    line = channel.Secure(ours, channel.Bios(), client(), "pod.example", None)
    line.shake()
    ours.settimeout(5)
    while not line.shaken:
        line.continue_shake()
    lease = buffers.Lease(1 << 18)
    while lease.filled < 10_000:
        with contextlib.suppress(BlockingIOError):
            line.pull(lease)
    line.push(b"?")
    assert sent.wait(5)
    assert line.pull(lease) == 80_000
    line.close()
    thread.join()


async def test_a_server_that_sends_while_nothing_is_asked_loses_its_connection(
    scraper: engine.Engine, tmp_path: Path
) -> None:
    served = AUTHORITY.issue("127.0.0.1").server(tmp_path)
    left = threading.Event()

    def serve(accepted: socket.socket) -> None:
        raw = accepted.dup()
        with raw, served.wrap_socket(accepted, server_side=True) as secured:
            secured.recv(65536)
            secured.sendall(answer())
            secured.recv(65536)
            secured.sendall(answer())
            raw.sendall(b"\x17\x03\x03\x40\x00half a record, and never more")
            while raw.recv(65536):
                pass
            left.set()

    with accepting(serve) as port:
        ask = page.Ask("127.0.0.1", port, context=client())
        for _ in range(2):
            assert (await fetch(scraper, ask)).body == b"up 1\n"
        assert await asyncio.to_thread(left.wait, 5)
