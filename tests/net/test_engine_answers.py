"""Answers as they arrive: every framing, cut at every place, equal to what llhttp reads; and limits."""

import gzip
import itertools
import tracemalloc
import zlib

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtide.core.model.reading import Reason
from podtide.net import answer, buffers, inflate, page, wire

LIMITS = page.Limits(page_bytes=4096, header_bytes=512)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"


def sized(body: bytes, length: int | None = None, extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n" % (len(body) if length is None else length, extra) + body


class Result:
    """A complete answer."""

    def __init__(self, body: answer.Body, lease: buffers.Lease) -> None:
        self.is_reusable = body.is_reusable(lease)
        read = body.page(lease, 0.0)
        self.status = read.status
        self.body = bytes(read.body)


def receive(*pieces: bytes, closes: bool = False, gzipped: bool = False, limits: page.Limits = LIMITS) -> Result | None:
    """Play the pieces; None means that the answer was not complete when they were over."""
    lease = buffers.Lease(1 << 16)
    reading = answer.Answer(limits, accepts_gzip=gzipped)
    whole = None
    for piece in pieces:
        assert whole is None
        lease.view[lease.filled : lease.filled + len(piece)] = piece
        lease.filled += len(piece)
        whole = reading.feed(lease)
    if whole is None and closes:
        whole = reading.eof()
    return None if whole is None else Result(whole, lease)


def refused(*pieces: bytes, gzipped: bool = False) -> Reason:
    with pytest.raises(wire.Refused) as refusal:
        receive(*pieces, gzipped=gzipped)
    return refusal.value.failure.reason


WHOLE = [
    pytest.param(sized(b"up 1\n"), b"up 1\n", id="length"),
    pytest.param(sized(b""), b"", id="length 0"),
    pytest.param(CHUNKED + b"5\r\nup 1\n\r\n0\r\n\r\n", b"up 1\n", id="one chunk"),
    pytest.param(CHUNKED + b"2\r\nup\r\n3;a=b;c\r\n 1\n\r\n00\r\n\r\n", b"up 1\n", id="chunks with extensions"),
    pytest.param(CHUNKED + b"0\r\n\r\n", b"", id="no chunk"),
    pytest.param(CHUNKED + b"005\r\nup 1\n\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n", b"up 1\n", id="trailers"),
    pytest.param(CHUNKED + b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2, id="hexadecimal"),
    pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", id="204"),
    pytest.param(
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"", id="304 tells a length and has no body"
    ),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + sized(b"up 1\n"), b"up 1\n", id="after 100"),
    pytest.param(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
        + CHUNKED
        + b"1\r\nx\r\n0\r\n\r\n",
        b"x",
        id="after two informational heads",
    ),
]


@pytest.mark.parametrize(("raw", "body"), WHOLE)
def test_an_answer_is_whole_exactly_at_its_last_byte_however_it_is_cut(raw: bytes, body: bytes) -> None:
    for first in range(1, len(raw)):
        assert receive(raw[:first], closes=True) is None, f"complete too early, at {first}"
        result = receive(raw[:first], raw[first:])
        assert result is not None
        assert (result.body, result.is_reusable) == (body, True)
    result = receive(*(raw[at : at + 1] for at in range(len(raw))))
    assert result is not None
    assert result.body == body


@pytest.mark.parametrize("cut", range(len(UNTIL_CLOSE), len(UNTIL_CLOSE) + 6))
def test_without_a_length_the_body_ends_with_the_connection(cut: int) -> None:
    raw = UNTIL_CLOSE + b"up 1\n"
    assert receive(raw[:cut]) is None
    result = receive(*filter(None, (raw[:cut], raw[cut:])), closes=True)
    assert result is not None
    assert (result.body, result.is_reusable) == (b"up 1\n", False)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.lists(st.integers(1, 2500), max_size=20))
def test_chunks_in_any_cut_are_their_text(chunks: list[bytes], cuts: list[int]) -> None:
    raw = CHUNKED + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    places = [0, *sorted({cut for cut in cuts if cut < len(raw)}), len(raw)]
    result = receive(*(raw[a:b] for a, b in itertools.pairwise(places)))
    assert result is not None
    assert result.body == b"".join(chunks)


class Whole:
    """What llhttp makes of a whole answer."""

    def __init__(self, raw: bytes) -> None:
        self.body = b""
        self.is_complete = False
        self.accepted = True
        try:
            httptools.HttpResponseParser(self).feed_data(raw)
        except httptools.HttpParserError:
            self.accepted = False

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.is_complete = True


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([case.values[0] for case in WHOLE]), st.data())
def test_a_damaged_answer_is_refused_or_read_as_llhttp_reads_it(raw: object, data: st.DataObject) -> None:
    assert isinstance(raw, bytes)
    at = data.draw(st.integers(0, len(raw) - 1))
    piece = data.draw(st.one_of(st.binary(max_size=2), st.sampled_from([b"\r\n", b"\n", b"0", b" ", b";"])))
    raw = raw[:at] + piece + raw[at + data.draw(st.integers(0, 2)) :]
    try:
        result = receive(raw, closes=False)
    except wire.Refused:
        return
    if result is None or not result.is_reusable:
        return
    heard = Whole(raw)
    assert heard.accepted
    assert heard.is_complete
    assert heard.body == result.body


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"x\r\n", id="no number"),
        pytest.param(b"-5\r\nup 1\n\r\n", id="negative"),
        pytest.param(b"5 \r\nup 1\n\r\n", id="a space"),
        pytest.param(b"5\nup 1\n\r\n", id="a bare line feed"),
        pytest.param(b"\r\n", id="nothing"),
        pytest.param(b"5\r\nup 1\n0\r\n\r\n", id="a chunk that is longer than its size"),
        pytest.param(b"0\r\nno trailer\r\n\r\n", id="a trailer that is none"),
        pytest.param(b"0\r\nX: 1\n\r\n", id="a trailer with a bare line feed"),
        pytest.param(b"1" * 5000, id="an endless size"),
        pytest.param(b"5;" + b"x" * 5000, id="an endless extension"),
    ],
)
def test_wrong_chunks_are_refused(rest: bytes) -> None:
    assert refused(CHUNKED + rest) == Reason.PROTOCOL


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([sized(b"x", length=4097)], id="a length"),
        pytest.param([sized(b"x", length=10**17)], id="a huge length"),
        pytest.param([CHUNKED + b"fffffffff\r\n"], id="a huge chunk"),
        pytest.param([CHUNKED + b"800\r\n" + b"x" * 2048 + b"\r\n801\r\n"], id="chunks together"),
        pytest.param([UNTIL_CLOSE, b"x" * 4097], id="until close"),
        pytest.param([b"HTTP/1.1 200 OK\r\nX: " + b"x" * 600], id="an endless header"),
        pytest.param([b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100 + b"\r\n"], id="many headers"),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n" * 30], id="endless informational heads"),
        pytest.param([CHUNKED + b"0\r\n" + b"X: y\r\n" * 100], id="many trailers"),
        pytest.param([CHUNKED + b"0\r\nX: " + b"y" * 600], id="an endless trailer"),
    ],
)
def test_what_is_over_a_limit_is_refused_before_it_has_arrived(pieces: list[bytes]) -> None:
    assert refused(*pieces) == Reason.TOO_LARGE


@pytest.mark.parametrize("body", [b"x" * 4096])
@pytest.mark.parametrize("start", [sized(b"", length=4096), UNTIL_CLOSE, CHUNKED + b"1000\r\n"])
def test_a_body_at_the_limit_is_taken(start: bytes, body: bytes) -> None:
    end = b"\r\n0\r\n\r\n" if start.startswith(CHUNKED) else b""
    result = receive(start + body + end, closes=True)
    assert result is not None
    assert result.body == body


@pytest.mark.parametrize(
    "begin",
    [
        b"\x15\x03\x03\x00\x02\x02\x46",
        b"SSH-2.0-OpenSSH\r\n",
        b"<html>",
        b"\r\nHTTP/1.1 200",
        b"HTTP/2 200 OK",
        b"\x00",
    ],
)
def test_what_is_no_http_is_refused_at_once(begin: bytes) -> None:
    assert refused(begin) == Reason.PROTOCOL


def test_a_tls_record_in_plain_http_names_the_remedy() -> None:
    with pytest.raises(wire.Refused, match="use https"):
        receive(b"\x15\x03\x03\x00\x02\x02\x46")


def test_a_switch_of_protocols_is_refused() -> None:
    assert refused(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n") == Reason.PROTOCOL


def test_more_than_the_length_is_refused_as_the_page_may_be_cut() -> None:
    assert refused(sized(b"requests 1234\n", length=11)) == Reason.PROTOCOL


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(sized(b"up 1\n") + b"\r\n", id="an empty line behind a length"),
        pytest.param(CHUNKED + b"5\r\nup 1\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n", id="anything behind the last chunk"),
    ],
)
def test_garbage_behind_a_whole_page_costs_only_the_connection(raw: bytes) -> None:
    result = receive(raw)
    assert result is not None
    assert (result.body, result.is_reusable) == (b"up 1\n", False)


# --- gzip -------------------------------------------------------------------------------------------------------------

GZIP = b"Content-Encoding: gzip\r\n"


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_gzip_that_was_asked_for_is_read_in_any_cut(framing: str) -> None:
    text = b"".join(b'requests{code="%d"} %d\n' % (at, at * at) for at in range(150))
    packed = gzip.compress(text)
    head = b"HTTP/1.1 200 OK\r\n" + GZIP
    raw = {
        "length": head + b"Content-Length: %d\r\n\r\n" % len(packed) + packed,
        "chunked": head + b"Transfer-Encoding: chunked\r\n\r\n7\r\n" + packed[:7] + b"\r\n%x\r\n" % (len(packed) - 7)
        + packed[7:] + b"\r\n0\r\n\r\n",
        "close": head + b"\r\n" + packed,
    }[framing]  # fmt: skip
    for cut in range(1, len(raw)):
        result = receive(raw[:cut], raw[cut:], closes=True, gzipped=True)
        assert result is not None
        assert result.body == text


def test_gzip_that_was_not_asked_for_is_refused() -> None:
    assert refused(sized(gzip.compress(b"up 1\n"), extra=GZIP)) == Reason.CONTENT
    assert refused(sized(b"x", extra=b"Content-Encoding: br\r\n"), gzipped=True) == Reason.CONTENT


def test_identity_is_no_encoding() -> None:
    result = receive(sized(b"up 1\n", extra=b"Content-Encoding: identity\r\n"))
    assert result is not None
    assert result.body == b"up 1\n"


def test_an_error_page_without_a_body_may_say_gzip() -> None:
    result = receive(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n" + GZIP + b"\r\n", gzipped=True)
    assert result is not None
    assert (result.status, result.body) == (500, b"")


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        pytest.param(gzip.compress(b"0" * 50_000_000), Reason.TOO_LARGE, id="a bomb"),
        pytest.param(gzip.compress(b"0" * 4097), Reason.TOO_LARGE, id="one byte over the limit"),
        pytest.param(gzip.compress(b"up 1\n")[:-1], Reason.CONTENT, id="cut"),
        pytest.param(b"up 1\n", Reason.CONTENT, id="no gzip"),
        pytest.param(zlib.compress(b"up 1\n"), Reason.CONTENT, id="deflate"),
        pytest.param(gzip.compress(b"up 1\n") + b"more", Reason.CONTENT, id="bytes behind it"),
        pytest.param(gzip.compress(b"up 1\n")[:-5] + b"\0\0\0\0\0", Reason.CONTENT, id="a wrong checksum"),
        pytest.param(b"", Reason.CONTENT, id="nothing in chunks"),
    ],
)
def test_gzip_is_bounded_and_checked(packed: bytes, reason: Reason) -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + GZIP + b"\r\n"
    raw += b"%x\r\n%s\r\n" % (len(packed), packed) if packed else b""
    limits = page.Limits(page_bytes=4096 if len(packed) < 4096 else 60_000, header_bytes=512)
    with pytest.raises(wire.Refused) as refusal:
        receive(raw + b"0\r\n\r\n", gzipped=True, limits=limits)
    assert refusal.value.failure.reason == reason


def test_a_bomb_is_given_up_before_it_is_unpacked() -> None:
    packed = gzip.compress(b"0" * 50_000_000)
    unpacking = inflate.Inflater(4096)
    tracemalloc.start()
    try:
        with pytest.raises(wire.Refused):
            unpacking.feed(memoryview(packed))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_gzip_at_the_limit_is_taken() -> None:
    result = receive(sized(gzip.compress(b"0" * 4096), extra=GZIP), gzipped=True)
    assert result is not None
    assert len(result.body) == 4096


# --- the short way ----------------------------------------------------------------------------------------------------


def at_once(raw: bytes) -> tuple[page.Page, bool] | None:
    lease = buffers.Lease(1 << 16)
    lease.view[: len(raw)] = raw
    lease.filled = len(raw)
    return answer.at_once(lease, LIMITS, 0.0)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(sized(b"up 1\n", extra=b"X-First: yes\r\n"), id="length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nX-First: no\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nup 1\n\r\n0\r\n\r\n",
            id="one chunk",
        ),
    ],
)
def test_the_short_way_is_taken_for_what_has_been_read_before(raw: bytes) -> None:
    assert at_once(raw) is None
    receive(raw)
    simple = at_once(raw)
    assert simple is not None
    read = simple[0]
    assert (read.status, bytes(read.body)) == (200, b"up 1\n")
    assert isinstance(read.body.obj, bytearray)
    assert read.body.obj[read.start : read.start + len(read.body)] == b"up 1\n"


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No", b"HTTP/1.1 100 Go", b"HTTP/1.1 302 X"]
    ),
    st.lists(
        st.sampled_from(
            [
                b"Content-Length: 5",
                b"content-length: 5",
                b"Content-Length: 0",
                b"Content-Length: 4097",
                b"Transfer-Encoding: chunked",
                b"Connection: close",
                b"Connection: keep-alive",
                b"Content-Encoding: gzip",
                b"X-Pad: " + b"x" * 300,
                b"HTTP/1.1 200 OK",
                b"",
                b" folded",
            ]
        ),
        max_size=3,
    ),
    st.sampled_from(
        [
            b"",
            b"up 1\n",
            b"up 1\n\r\n",
            b"up 1",
            b"5\r\nup 1\n\r\n0\r\n\r\n",
            b"5\r\nup 1\n\r\n0\r\n",
            b"4\r\nup 1\n\r\n0\r\n\r\n",
            b"x" * 4097,
        ]
    ),
)
def test_the_short_way_and_the_strict_one_agree(first: bytes, fields: list[bytes], body: bytes) -> None:
    raw = b"\r\n".join([first, *fields, b"", b""]) + body
    try:
        result = receive(raw)
    except wire.Refused:
        result = None
    simple = at_once(raw)
    if simple is not None:
        read, is_reusable = simple
        assert result is not None
        assert (result.status, result.body, result.is_reusable) == (read.status, bytes(read.body), is_reusable)
    elif result is not None and result.is_reusable:
        assert result.status == 204 or b"100 Go" in raw or b"x" * 300 in raw
