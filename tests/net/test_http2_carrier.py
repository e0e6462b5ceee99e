"""Pods that speak HTTP/2 only: httpx carries their scrapes."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest

from podtide.aio.tasks import Crew
from podtide.core.model.reading import Failure, Reason
from podtide.net import http2, page, tls
from tests.net.authority import Authority
from tests.net.scripted import Server, answer


@asynccontextmanager
async def speaking_http2(secured: ssl.SSLContext | None = None, *, unfinished: int = 0) -> AsyncIterator[int]:
    """A server that understands nothing but HTTP/2; its port. It may send so many bytes and then no more."""

    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    connection.send_headers(event.stream_id, [(":status", "200"), ("content-type", "text/plain")])
                    for at in range(0, unfinished, 10_000):
                        connection.send_data(event.stream_id, b"x" * min(10_000, unfinished - at))
                    if not unfinished:
                        connection.send_data(event.stream_id, b"queue 3\n", end_stream=True)
            writer.write(connection.data_to_send())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=secured)
    async with server:
        yield server.sockets[0].getsockname()[1]
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0)


@pytest.fixture
async def carrier() -> AsyncIterator[http2.Carrier]:
    crew = Crew(logging.getLogger(__name__))
    made = http2.Carrier(page.Limits(), crew)
    yield made
    await crew.aclose()
    await made.aclose()


async def carry(carrier: http2.Carrier, ask: page.Ask, timeout: float = 5) -> tuple[bytes, int] | Failure:
    outcomes: asyncio.Queue[tuple[bytes, int] | Failure] = asyncio.Queue()

    def done(_: page.Ask, outcome: page.Page | Failure) -> None:
        outcomes.put_nowait(outcome if isinstance(outcome, Failure) else (bytes(outcome.body), outcome.status))

    carrier.request(ask, timeout, done)
    return await outcomes.get()


async def test_over_plain_tcp(carrier: http2.Carrier) -> None:
    async with speaking_http2() as port:
        ask = page.Ask("127.0.0.1", port, http2=True)
        assert await carry(carrier, ask) == (b"queue 3\n", 200)
        carrier.forget(ask)


async def test_over_tls(carrier: http2.Carrier, tmp_path: Path) -> None:
    authority = Authority()
    served = authority.issue("127.0.0.1").server(tmp_path)
    served.set_alpn_protocols(["h2"])
    material = tls.Material((tls.Pem("tls.caBundle", authority.pem),), alpn=tls.HTTP2)
    context = tls.Contexts().get(material)
    assert isinstance(context, tls.Context)
    async with speaking_http2(served) as port:
        ask = page.Ask("127.0.0.1", port, context=context, http2=True)
        assert await carry(carrier, ask) == (b"queue 3\n", 200)
        carrier.forget(ask)


async def test_a_server_of_http_1_is_a_failure_with_a_name(carrier: http2.Carrier) -> None:
    async with Server([answer()]) as server:
        outcome = await carry(carrier, page.Ask(server.host, server.port, http2=True), 0.5)
    assert isinstance(outcome, Failure)
    assert outcome.reason in (Reason.PROTOCOL, Reason.TIMEOUT, Reason.RESET)


async def test_credentials_show_in_no_log(carrier: http2.Carrier, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with speaking_http2() as port:
            ask = page.Ask("127.0.0.1", port, headers=(("Authorization", "Bearer b3ar3r-t0ken"),), http2=True)
            assert await carry(carrier, ask) == (b"queue 3\n", 200)
            carrier.forget(ask)
    assert "b3ar3r-t0ken" not in caplog.text


async def test_large_pages_of_many_servers_at_once_have_one_limit() -> None:
    made = http2.Carrier(page.Limits(buffer_bytes=100_000), crew := Crew(logging.getLogger(__name__)))
    async with speaking_http2(unfinished=60_000) as one, speaking_http2(unfinished=30_000) as other:
        asks = [page.Ask("127.0.0.1", port, http2=True) for port in (one, other)]
        asks += [page.Ask("127.0.0.1", one, "/again", http2=True)]
        under_way = [asyncio.create_task(carry(made, ask, 1)) for ask in asks]
        held = 0
        while not all(task.done() for task in under_way):
            await asyncio.sleep(0.005)
            assert made.arriving.held <= 100_000
            held = max(held, made.arriving.held)
    assert held == 90_000
    assert made.arriving.held == 0
    await crew.aclose()
    await made.aclose()
