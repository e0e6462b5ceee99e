"""Pages in thousands of chunks: each turn takes some, so that others get theirs, and millions are refused."""

import gzip
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podtide.core.model.reading import Reason
from podtide.net import answer, buffers, engine, page, wire
from tests.net import scripted
from tests.net.authority import Authority
from tests.net.scripted import Server, fetch

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
BODY = bytes(48 + at % 10 for at in range(10_000))


def in_chunks(body: bytes, *, size: int = 1, fields: bytes = b"") -> bytes:
    """A whole answer in chunks of this size."""
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return HEAD + fields + b"\r\n" + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def turns(raw: bytes) -> tuple[int, bytes]:
    """How many turns an answer that has arrived takes, and its text."""
    lease = buffers.Lease(1 << 21)
    lease.view[: len(raw)] = raw
    lease.filled = len(raw)
    reading = answer.Answer(page.Limits(), accepts_gzip=True)
    count = 1
    while (whole := reading.feed(lease)) is None:
        assert reading.is_behind
        count += 1
    return count, bytes(whole.page(lease, 0.0).body)


def test_the_extensions_of_all_chunks_keep_the_header_limit() -> None:
    def raw(count: int) -> bytes:
        return HEAD + b"\r\n" + (b"1" + b";a=b" * 500 + b"\r\nx\r\n") * count + b"0\r\n\r\n"

    assert turns(raw(32)) == (1, b"x" * 32)
    with pytest.raises(wire.Refused, match="extensions of the chunks are over the header limit"):
        turns(raw(33))


def test_a_turn_takes_hundreds_of_chunks_and_leaves_the_rest_to_the_next() -> None:
    assert turns(in_chunks(BODY[:500])) == (1, BODY[:500])
    assert turns(in_chunks(BODY)) == (20, BODY)


def test_gzip_in_chunks_takes_its_turns_too() -> None:
    packed = gzip.compress(BODY, 0)
    assert turns(in_chunks(packed, size=2, fields=b"Content-Encoding: gzip\r\n")) == (10, BODY)


@pytest.mark.parametrize(
    ("count", "size"),
    [pytest.param(16_000, 1, id="a small page byte by byte"), pytest.param(40_000, 24, id="a page line by line")],
)
def test_servers_that_do_not_buffer_are_read(count: int, size: int) -> None:
    body = b"x" * (count * size)
    assert turns(in_chunks(body, size=size))[1] == body


def test_tens_of_thousands_of_bytes_one_by_one_are_refused() -> None:
    with pytest.raises(wire.Refused) as refusal:
        turns(in_chunks(b"x" * 20_000))
    assert refusal.value.failure.reason is Reason.PROTOCOL
    assert "bytes on average" in refusal.value.failure.detail


@pytest.fixture
async def scraper() -> AsyncIterator[engine.Engine]:
    made = engine.Engine()
    yield made
    await made.aclose()
    assert made.buffers.leased == 0


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("ends", [False, True], ids=["kept", "closed"])
async def test_a_page_in_thousands_of_chunks_comes_whole(
    scraper: engine.Engine, tmp_path: Path, *, secured: bool, ends: bool
) -> None:
    authority = Authority()
    whole = in_chunks(BODY, fields=b"Connection: close\r\n" if ends else b"")
    script = scripted.then_close(whole) if ends else whole
    context = ssl.create_default_context(cadata=authority.pem.decode()) if secured else None
    async with Server([script], authority.issue("127.0.0.1").server(tmp_path) if secured else None) as server:
        for _ in range(3):
            assert (await fetch(scraper, server.ask(context=context))).body == BODY
    assert server.connections == (3 if ends else 1)
