"""Servers that mean harm or are broken: bounded memory and time, a named failure, and nobody else notices."""

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from podtide.core.model.reading import Failure, Reason
from podtide.net import buffers, engine, page
from tests.net import scripted
from tests.net.scripted import Server, Visit, answer, fail, fetch, then_close, then_reset

LIMITS = page.Limits(page_bytes=1 << 20, header_bytes=8192, buffer_bytes=8 << 20, in_flight=2)


class Watched(buffers.Buffers):
    """Remembers the most memory that was ever leased."""

    peak = 0

    def lease(self, wanted: int) -> buffers.Lease:
        made = super().lease(wanted)
        self.peak = max(self.peak, self.leased)
        return made


class Scraper(engine.Engine):
    """An engine whose memory is watched."""

    def __init__(self, limits: page.Limits = LIMITS) -> None:
        super().__init__(limits)
        self.buffers = self.watched = Watched(limits.buffer_bytes)


@pytest.fixture
async def scraper() -> AsyncIterator[Scraper]:
    made = Scraper()
    yield made
    await made.aclose()
    assert made.buffers.leased == 0
    assert not made.bios.incoming.pending


def endless(start: bytes, piece: bytes) -> scripted.Script:
    """Send and send, until the client leaves."""

    async def script(visit: Visit) -> None:
        await visit.send(start)
        while True:
            await visit.send(piece)
            await asyncio.sleep(0)

    return script


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BOMB = gzip.compress(b"0" * (64 << 20), 9)

ATTACKS = [
    pytest.param(endless(OK + b"\r\n", b"x" * 65536), Reason.TOO_LARGE, id="an endless body"),
    pytest.param(endless(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"), Reason.TOO_LARGE, id="endless chunks"),
    pytest.param(endless(CHUNKED, b"1\r\nx\r\n" * 4096), Reason.PROTOCOL, id="endless tiny chunks"),
    pytest.param(endless(OK + b"Content-Length: 1073741824\r\n\r\n", b"x" * 65536), Reason.TOO_LARGE, id="a 1 GB line"),
    pytest.param(endless(OK + b"X: ", b"x" * 65536), Reason.TOO_LARGE, id="an endless header"),
    pytest.param(endless(OK, b"X: y\r\n" * 1024), Reason.TOO_LARGE, id="megabytes of headers"),
    pytest.param(
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 64), Reason.TOO_LARGE, id="endless informational heads"
    ),
    pytest.param(endless(CHUNKED + b"0\r\n", b"X: y\r\n" * 1024), Reason.TOO_LARGE, id="endless trailers"),
    pytest.param(endless(CHUNKED, b"0"), Reason.PROTOCOL, id="an endless chunk size"),
    pytest.param(
        endless(CHUNKED, b"ff" + b";a=b" * 500 + b"\r\n" + b"x" * 255 + b"\r\n"),
        Reason.TOO_LARGE,
        id="chunks with long extensions",
    ),
    pytest.param(answer(BOMB, "Content-Encoding: gzip"), Reason.TOO_LARGE, id="a gzip bomb that was asked for"),
    pytest.param(endless(b"", b"\0" * 1024), Reason.PROTOCOL, id="zeros"),
    pytest.param(then_close(answer(b"up 1\n")[:-2]), Reason.RESET, id="shorter than its length"),
    pytest.param(answer(b"requests 12345\n").replace(b": 15", b": 12"), Reason.PROTOCOL, id="longer than its length"),
    pytest.param(then_close(CHUNKED + b"5\r\nup 1\n\r\n"), Reason.RESET, id="chunks without an end"),
]


@pytest.mark.parametrize(("attack", "reason"), ATTACKS)
async def test_an_attack_is_a_named_failure_and_costs_no_more_than_its_limit(
    scraper: Scraper, attack: scripted.Script | bytes, reason: Reason
) -> None:
    async with Server([attack]) as server, Server([answer()]) as healthy:
        ask = server.ask(headers=(("Accept-Encoding", "gzip"),))
        attacked = asyncio.ensure_future(scraper.fetch(ask, 60))
        for _ in range(5):
            assert (await fetch(scraper, healthy.ask(), 60)).body == b"up 1\n"
        assert await attacked == Failure(reason)
    assert healthy.connections == 1
    assert scraper.watched.peak <= 4 * LIMITS.page_bytes


async def dripping(visit: Visit) -> None:
    """A byte at a time, as fast as it is taken but never finished."""
    await visit.send(CHUNKED)
    while True:
        await visit.send(b"1\r\nx\r\n")
        await visit.drip()


async def slow_head(visit: Visit) -> None:
    await visit.send(b"HTTP/1.1 ")
    await visit.hang()


@pytest.mark.parametrize("attack", [dripping, slow_head])
async def test_a_slow_loris_holds_its_connection_until_its_own_deadline_only(
    scraper: Scraper, attack: scripted.Script
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        loris = [await stack.enter_async_context(Server([attack])) for _ in range(4)]
        healthy = await stack.enter_async_context(Server([answer()]))
        attacked = [asyncio.ensure_future(scraper.fetch(server.ask(), 1.0)) for server in loris]
        for server in loris:
            await server.asked.wait()
        for _ in range(5):
            assert (await fetch(scraper, healthy.ask(), 60)).body == b"up 1\n"
        assert not any(one.done() for one in attacked), "the healthy server had to wait for the slow ones"
        assert await asyncio.gather(*attacked) == [Failure(Reason.TIMEOUT)] * 4
    assert scraper.watched.peak <= 5 << 16


async def test_a_redirect_is_an_answer_and_nobody_is_asked_for_its_target(scraper: Scraper) -> None:
    async with Server([answer()]) as target:
        place = f"http://127.0.0.1:{target.port}/latest/meta-data/"
        for location in (place, "http://169.254.169.254/latest/meta-data/"):
            async with Server([answer(b"", f"Location: {location}", status="302 Found")]) as server:
                read = await fetch(scraper, server.ask())
            assert (read.status, read.location, read.body) == (302, location, b"")
        assert target.connections == 0


WHOLE = answer(b"requests_running 3\n")


async def test_a_reset_at_every_byte_is_a_lost_connection(scraper: Scraper) -> None:
    for at in range(len(WHOLE)):
        async with Server([then_reset(WHOLE[:at])]) as server:
            assert await fail(scraper, server.ask()) == Failure(Reason.RESET), at
            scraper.forget(server.ask())


async def test_a_close_at_every_byte_is_a_lost_connection(scraper: Scraper) -> None:
    for at in range(len(WHOLE)):
        async with Server([then_close(WHOLE[:at])]) as server:
            assert await fail(scraper, server.ask()) == Failure(Reason.RESET), at
            scraper.forget(server.ask())


async def test_when_memory_is_used_up_the_largest_goes_and_the_others_stay() -> None:
    limits = page.Limits(page_bytes=8 << 20, buffer_bytes=4 << 20, in_flight=64)
    scraper = Scraper(limits)
    async with contextlib.AsyncExitStack() as stack:
        flood = endless(OK + b"\r\n", b"x" * 65536)
        floods = [await stack.enter_async_context(Server([flood])) for _ in range(6)]
        healthy = await stack.enter_async_context(Server([answer(b"x" * 100_000)]))
        attacked = [asyncio.ensure_future(scraper.fetch(server.ask(), 60)) for server in floods]
        for _ in range(20):
            assert len((await fetch(scraper, healthy.ask(), 60)).body) == 100_000
        assert await asyncio.gather(*attacked) == [Failure(Reason.TOO_LARGE)] * 6
    assert scraper.watched.peak <= limits.buffer_bytes
    await scraper.aclose()


# --- TLS --------------------------------------------------------------------------------------------------------------


class Raw(scripted.Listener):
    """Accepts connections, sends the bytes, and closes, resets or stays silent."""

    def __init__(self, data: bytes, ending: str) -> None:
        super().__init__()
        self._data = data
        self._ending = ending

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(self._data)
        await writer.drain()
        if self._ending == "hang":
            await reader.read()
        if self._ending == "reset":
            scripted.reset(writer)


@pytest.mark.parametrize(
    ("data", "ending", "reasons"),
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", "close", {Reason.TLS}, id="plain HTTP"),
        pytest.param(b"\x16\x03\x03\xff\xff" + b"x" * 70_000, "close", {Reason.TLS}, id="a record over its limit"),
        pytest.param(b"\x16\x03\x03\x00\x04garb", "close", {Reason.TLS}, id="a garbled handshake"),
        pytest.param(b"\x15\x03\x03\x00\x02\x02\x50", "close", {Reason.TLS}, id="an alert"),
        pytest.param(b"\x00" * 100_000, "close", {Reason.TLS}, id="zeros"),
        pytest.param(b"\x16\x03\x03\x40\x00", "close", {Reason.RESET}, id="a record that stops"),
        pytest.param(b"", "close", {Reason.RESET}, id="nothing"),
        pytest.param(b"", "reset", {Reason.RESET}, id="a reset"),
        pytest.param(b"\x16\x03\x03\x40\x00", "hang", {Reason.TIMEOUT}, id="a handshake that stops"),
    ],
)
async def test_garbage_instead_of_tls_is_a_named_failure(
    scraper: Scraper, data: bytes, ending: str, reasons: set[Reason]
) -> None:
    context = ssl.create_default_context()
    async with Raw(data, ending) as server:
        failure = await fail(scraper, page.Ask("127.0.0.1", server.port, context=context), 0.5)
    assert failure.reason in reasons, failure
    assert not scraper.bios.incoming.pending


class Cut(scripted.Listener):
    """Passes the bytes of a TLS server on, up to a place, and ends or changes them there."""

    def __init__(self, port: int, at: int, harm: str) -> None:
        super().__init__()
        self._port = port
        self._left = at
        self._harm = harm
        self.passed = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection("127.0.0.1", self._port)
        up = asyncio.ensure_future(self._up(reader, ahead))
        try:
            while self._left and (data := await behind.read(65536)):
                piece = data[: self._left]
                self._left -= len(piece)
                self.passed += len(piece)
                if self._harm == "flip" and not self._left:
                    piece = piece[:-1] + bytes([piece[-1] ^ 1]) + data[len(piece) :]
                writer.write(piece)
                await writer.drain()
        finally:
            ahead.transport.abort()
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)

    async def _up(self, reader: asyncio.StreamReader, ahead: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            ahead.write(data)


@pytest.mark.parametrize("harm", ["close", "flip"])
async def test_tls_that_is_cut_or_changed_anywhere_is_a_failure(scraper: Scraper, harm: str) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    tls.num_tickets = 0
    async with Server([answer(b"x" * 3000)], tls=tls) as server:

        async def through(at: int, harm: str) -> tuple[page.FetchedPage | Failure, int]:
            async with Cut(server.port, at, harm) as cut:
                ask = page.Ask("127.0.0.1", cut.port, context=context)
                outcome = await scraper.fetch(ask, 0.5)
                scraper.forget(ask)
            return outcome, cut.passed

        untouched, total = await through(1 << 20, "none")
        assert isinstance(untouched, page.FetchedPage)
        # The lengths of signatures differ by some bytes from handshake to handshake.
        places = (1, 2, 3, 4, 5, 6, *range(7, total - 16, 131), total - 16)
        outcomes = [(await through(at, harm))[0] for at in places]
    reasons = {outcome.reason if isinstance(outcome, Failure) else None for outcome in outcomes}
    assert reasons <= {Reason.TLS, Reason.RESET, Reason.TIMEOUT, Reason.TLS_UNTRUSTED, Reason.TLS_CLIENT}
    assert Reason.RESET in reasons if harm == "close" else Reason.TLS in reasons
