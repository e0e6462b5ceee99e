"""The engine over TLS: handshakes, reuse, resumption, endings, and what an idle connection keeps."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from podtide.core.model.reading import Failure, Reason
from podtide.net import channel, engine, page
from tests.net import scripted
from tests.net.scripted import Server, Visit, answer, fail, fetch, hang, then_close, then_reset


class Pair:
    """A server's and a client's context that trust each other."""

    def __init__(self, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        authority = trustme.CA()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.maximum_version = version
        authority.issue_cert("127.0.0.1", "pod.example").configure_cert(self.server)
        self.client = ssl.create_default_context()
        authority.configure_trust(self.client)


@pytest.fixture(scope="module", params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(request.param)


@pytest.fixture
async def scraper() -> AsyncIterator[engine.Engine]:
    made = engine.Engine()
    yield made
    await made.aclose()


def is_drained(scraper: engine.Engine) -> bool:
    """Whether nothing of anybody's is left in the shared memory."""
    bios = scraper.bios
    return not bios.incoming.pending and not bios.outgoing.pending and not scraper.buffers.leased


@pytest.mark.parametrize("size", [0, 5, 16_384, 16_385, 90_000, 1_000_000])
async def test_a_page_of_any_size_comes_whole_and_the_connection_stays(
    scraper: engine.Engine, pair: Pair, size: int
) -> None:
    body = bytes(at % 251 for at in range(size))
    async with Server([answer(body)], tls=pair.server) as server:
        for _ in range(3):
            assert (await fetch(scraper, server.ask(context=pair.client))).body == body
            assert is_drained(scraper)
    assert server.connections == 1


async def test_many_connections_share_their_memory_without_mixing(scraper: engine.Engine, pair: Pair) -> None:
    def pieces(letter: bytes) -> scripted.Script:
        whole = answer(letter * 50_000)
        return scripted.piecemeal(*(whole[at : at + 7_000] for at in range(0, len(whole), 7_000)))

    servers = [Server([pieces(b"%c" % (65 + at))], tls=pair.server) for at in range(8)]
    for server in servers:
        await server.__aenter__()
    for _ in range(2):
        pages = await asyncio.gather(*(fetch(scraper, server.ask(context=pair.client)) for server in servers))
        assert [read.body for read in pages] == [b"%c" % (65 + at) * 50_000 for at in range(8)]
    for server in servers:
        await server.__aexit__(None, None, None)
    assert is_drained(scraper)


async def test_the_server_name_is_sent_and_checked(scraper: engine.Engine, pair: Pair) -> None:
    asked: list[str | None] = []
    pair.server.sni_callback = lambda _, name, __: asked.append(name)
    async with Server([answer()], tls=pair.server) as server:
        await fetch(scraper, server.ask(context=pair.client, server_name="pod.example"))
        assert await fail(scraper, server.ask(context=pair.client, server_name="other.example")) == Failure(
            Reason.TLS_NAME
        )
        await fetch(scraper, server.ask(context=pair.client))
    pair.server.sni_callback = lambda *_: None
    assert asked == ["pod.example", "other.example", None]


async def test_an_unknown_issuer_is_named(scraper: engine.Engine, pair: Pair) -> None:
    async with Server([answer()], tls=pair.server) as server:
        assert await fail(scraper, server.ask(context=ssl.create_default_context())) == Failure(Reason.TLS_UNTRUSTED)
        assert is_drained(scraper)
        await fetch(scraper, server.ask(context=pair.client))


class Demanding(scripted.Listener):
    """Ends the handshake of a client without a certificate with the alert that says so, as most servers do."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__()
        context.verify_mode = ssl.CERT_REQUIRED
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._secured = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self._incoming.write(data)
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLError):
                self._secured.do_handshake()
            writer.write(self._outgoing.read())
            await writer.drain()


async def test_a_missing_client_certificate_is_named(scraper: engine.Engine, pair: Pair) -> None:
    strict = Pair(pair.server.maximum_version)
    async with Demanding(strict.server) as server:
        assert await fail(scraper, server.ask(context=strict.client)) == Failure(Reason.TLS_CLIENT)


async def test_a_new_connection_resumes_the_session_of_the_old(
    scraper: engine.Engine, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed: list[bool] = []
    close = channel.Secure.close

    def noted(self: channel.Secure) -> None:
        resumed.append(self.is_resumed)
        close(self)

    monkeypatch.setattr(channel.Secure, "close", noted)
    async with Server([answer(b"up 1\n", "Connection: close")], tls=pair.server) as server:
        for _ in range(3):
            await fetch(scraper, server.ask(context=pair.client))
    assert resumed == [False, True, True]


async def close_on_request(visit: Visit) -> None:
    visit.writer.close()


async def reset_on_request(visit: Visit) -> None:
    visit.reset()


@pytest.mark.parametrize("leave", [close_on_request, reset_on_request])
async def test_a_stale_connection_is_replaced_in_silence(
    scraper: engine.Engine, pair: Pair, leave: scripted.Script
) -> None:
    async with Server([answer(), leave, answer(b"up 2\n")], tls=pair.server) as server:
        await fetch(scraper, server.ask(context=pair.client))
        assert (await fetch(scraper, server.ask(context=pair.client))).body == b"up 2\n"
    assert server.connections == 2
    assert is_drained(scraper)


async def test_a_body_until_close_needs_a_proper_end(scraper: engine.Engine, pair: Pair) -> None:
    endless = b"HTTP/1.1 200 OK\r\n\r\nup 1\n"
    async with Server([then_close(endless)], tls=pair.server) as server:
        assert (await fetch(scraper, server.ask(context=pair.client))).body == b"up 1\n"
    async with Server([then_reset(endless)], tls=pair.server) as server:
        assert await fail(scraper, server.ask(context=pair.client)) == Failure(Reason.RESET)


async def test_a_silent_server_is_given_up_in_time(scraper: engine.Engine, pair: Pair) -> None:
    async with Server([hang], tls=pair.server) as server:
        failure = await fail(scraper, server.ask(context=pair.client), 0.5)
    assert failure == Failure(Reason.TIMEOUT)


async def test_a_large_request_waits_for_the_socket(scraper: engine.Engine, pair: Pair) -> None:
    headers = tuple((f"X-{at}", "y" * 4000) for at in range(12))
    async with Server([answer()], tls=pair.server) as server:
        await fetch(scraper, server.ask(context=pair.client, headers=headers))
    assert len(server.requests[0]) > 48_000


async def test_an_ask_with_another_context_uses_another_connection(scraper: engine.Engine, pair: Pair) -> None:
    other = Pair()
    other.client.check_hostname = False
    other.client.verify_mode = ssl.CERT_NONE
    async with Server([answer()], tls=pair.server) as server:
        asks = [server.ask(context=context) for context in (pair.client, other.client)]
        for ask in (*asks, *asks):
            assert isinstance(await scraper.fetch(ask, 5), page.FetchedPage)
    assert server.connections == 2


@pytest.mark.parametrize("name", [".example", "pod\0.example"])
async def test_a_name_that_tls_cannot_check_is_named(scraper: engine.Engine, pair: Pair, name: str) -> None:
    async with Server([answer()], tls=pair.server) as server:
        failure = await fail(scraper, server.ask(context=pair.client, server_name=name))
        assert failure == Failure(Reason.TLS_NAME)
        await fetch(scraper, server.ask(context=pair.client))
