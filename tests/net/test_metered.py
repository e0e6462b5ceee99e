"""Servers that send anything but a body: each frame costs us a hundred times what it costs them."""

import asyncio
import struct
from collections.abc import AsyncIterator

import hpack
import pytest

from podtide.core.model.reading import Failure, Reason
from podtide.net import http, page
from podtide.net.prepare import Prepared
from tests.net.scripted import Listener, Script, Server, Visit, answer

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
async def client() -> AsyncIterator[http.Client]:
    made = http.Client(page.Limits())
    yield made
    await made.aclose()


def endless(start: bytes, piece: bytes) -> Script:
    async def script(visit: Visit) -> None:
        await visit.send(start)
        while True:
            await visit.send(piece)

    return script


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, id="informational heads"),
        pytest.param(CHUNKED, b"1\r\nx\r\n" * 500, id="chunks of a byte"),
        pytest.param(CHUNKED, b"40\r\n" + b"x" * 64 + b"\r\n", id="small chunks"),
        pytest.param(CHUNKED, b"1;" + b"a" * 1000 + b"\r\nx\r\n", id="extensions of chunks"),
        pytest.param(OK, b"a: b\r\n" * 100, id="headers"),
        pytest.param(CHUNKED + b"0\r\n", b"a: b\r\n" * 100, id="trailers"),
    ],
)
async def test_what_is_no_body_comes_to_an_end(client: http.Client, start: bytes, piece: bytes) -> None:
    # Without it all this would go on until the deadline, or until 10 MiB of body had come in pieces.
    async with Server([endless(start, piece)]) as server:
        outcome = await client.get(str(server.ask()), Prepared(), 120)
    assert outcome == Failure(Reason.PROTOCOL)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


HEADERS = frame(1, 4, 1, hpack.Encoder().encode([(":status", "200"), ("content-type", "text/plain")]))
DATA, SETTINGS, PING, WINDOW_UPDATE = 0, 4, 6, 8


class Frames(Listener):
    """Sends HTTP/2's headers whatever it is asked, and one frame again and again."""

    def __init__(self, piece: bytes) -> None:
        super().__init__()
        self._piece = piece

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        writer.write(frame(SETTINGS, 0, 0))
        await asyncio.sleep(0.05)
        writer.write(HEADERS)
        while True:
            writer.write(self._piece * 100)
            await writer.drain()


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(frame(PING, 0, 0, b"x" * 8), id="pings"),
        pytest.param(frame(PING, 1, 0, b"x" * 8), id="answers to pings"),
        pytest.param(frame(SETTINGS, 0, 0), id="settings"),
        pytest.param(frame(DATA, 0, 1), id="no data"),
        pytest.param(frame(DATA, 0, 1, b"x"), id="data of a byte"),
        pytest.param(frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"), id="windows"),
        pytest.param(frame(99, 0, 0), id="frames of no known kind"),
    ],
)
async def test_frames_without_a_body_come_to_an_end(client: http.Client, piece: bytes) -> None:
    async with Frames(piece) as server:
        outcome = await client.get(str(server.ask()), Prepared(http2=True), 120)
    assert outcome == Failure(Reason.PROTOCOL)


async def test_a_page_of_ten_megabytes_may_come_in_chunks_of_a_line_or_two(client: http.Client) -> None:
    chunk = b"100\r\n" + b"x" * 256 + b"\r\n"
    async with Server([CHUNKED + chunk * 40_000 + b"0\r\n\r\n"]) as server:
        outcome = await client.get(str(server.ask()), Prepared(), 60)
    assert isinstance(outcome, page.FetchedPage)
    assert outcome.body == b"x" * 10_240_000


async def test_a_small_page_may_come_in_chunks_of_a_byte(client: http.Client) -> None:
    async with Server([CHUNKED + b"1\r\nx\r\n" * 10_000 + b"0\r\n\r\n"]) as server:
        outcome = await client.get(str(server.ask()), Prepared(), 60)
    assert isinstance(outcome, page.FetchedPage)
    assert outcome.body == b"x" * 10_000


async def test_each_exchange_of_a_connection_may_take_as_much(client: http.Client) -> None:
    async with Server([answer(b"up 1\n", "X-Long: " + "x" * 10_000)]) as server:
        for _ in range(30):
            outcome = await client.get(str(server.ask()), Prepared(), 60)
            assert isinstance(outcome, page.FetchedPage)
        assert server.connections == 1
