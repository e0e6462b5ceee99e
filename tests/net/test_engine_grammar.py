"""The head of an answer and the request: what is accepted, what is refused, and llhttp's reading of it."""

import httptools
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from podtide.core.model.reading import Reason
from podtide.net import page, wire


def head(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")


def refusal(raw: bytes) -> str:
    with pytest.raises(wire.Refused) as refused:
        wire.read_head(raw)
    assert refused.value.failure.reason == Reason.PROTOCOL
    return refused.value.failure.detail


def test_everything_a_scrape_needs_is_read() -> None:
    raw = head(
        "HTTP/1.1 401 Unauthorized",
        "CONTENT-length: 12",
        "Content-Type:text/plain; version=0.0.4 \t",
        "Content-Encoding: GZip",
        "Location: https://elsewhere/",
        'WWW-Authenticate: Bearer realm="pods"',
        "Server: istio-envoy",
        "X-Other: 1",
    )
    read = wire.read_head(raw)
    assert (read.status, read.length, read.chunked, read.keep_alive) == (401, 12, False, True)
    assert (read.content_type, read.encoding, read.location) == (
        "text/plain; version=0.0.4",
        "gzip",
        "https://elsewhere/",
    )
    assert (read.www_authenticate, read.server) == ('Bearer realm="pods"', "istio-envoy")
    assert wire.read_head(raw) == read, "a head that is met again reads the same"
    assert (b"X-Other", b"1") in wire.fields(raw)


@pytest.mark.parametrize(
    ("line", "connection", "expected"),
    [
        pytest.param("HTTP/1.1 200 OK", None, True, id="1.1 stays open"),
        pytest.param("HTTP/1.1 200 OK", "close", False, id="1.1 may close"),
        pytest.param("HTTP/1.1 200 OK", "Foo, CLOSE", False, id="close among other options"),
        pytest.param("HTTP/1.0 200 OK", None, False, id="1.0 closes"),
        pytest.param("HTTP/1.0 200 OK", "Keep-Alive", True, id="1.0 may stay open"),
        pytest.param("HTTP/1.0 200 OK", "keep-alive, close", False, id="close wins"),
    ],
)
def test_whether_the_connection_stays_open(line: str, connection: str | None, expected: bool) -> None:
    lines = [line] if connection is None else [line, f"Connection: {connection}"]
    assert wire.read_head(head(*lines)).keep_alive is expected


def test_two_connection_headers_are_one_list() -> None:
    assert not wire.read_head(head("HTTP/1.1 200 OK", "Connection: keep-alive", "Connection: close")).keep_alive


@pytest.mark.parametrize(
    "line",
    [
        "HTTP/2 200",
        "HTTP/1.2 200 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 099 No",
        "http/1.1 200 OK",
        "HTTP/1.1 200 O\x00K",
        " HTTP/1.1 200 OK",
        "ICY 200 OK",
        "",
    ],
)
def test_a_wrong_status_line_is_refused(line: str) -> None:
    assert "status line" in refusal(head(line))


@pytest.mark.parametrize(
    "line",
    [
        "No-Colon",
        "Space : 1",
        " Folded: 1",
        "\tFolded",
        ": nameless",
        "N\x00ul: 1",
        "Nul: \x00",
        "Bare: a\nB: b",
        "Bare: a\rB: b",
        "Del: \x7f",
        "Ümlaut: 1",
    ],
)
def test_a_wrong_field_is_refused(line: str) -> None:
    assert "not a header field" in refusal(head("HTTP/1.1 200 OK", line))


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["Content-Length: 5", "Content-Length: 5"], id="a length twice"),
        pytest.param(["Content-Length: 5, 5"], id="a list of lengths"),
        pytest.param(["Content-Length: +5"], id="a signed length"),
        pytest.param(["Content-Length: 0x5"], id="a hexadecimal length"),
        pytest.param(["Content-Length: 5 5"], id="two numbers"),
        pytest.param(["Content-Length:"], id="no number"),
        pytest.param(["Content-Length: " + "9" * 19], id="more digits than any size has"),
        pytest.param(["Content-Length: ²"], id="a digit that is none"),
        pytest.param(["Transfer-Encoding: chunked", "Content-Length: 5"], id="chunks and a length"),
        pytest.param(["Transfer-Encoding: gzip, chunked"], id="a coding nobody asked for"),
        pytest.param(["Transfer-Encoding: identity"], id="identity"),
        pytest.param(["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], id="chunked twice"),
    ],
)
def test_a_body_that_could_be_read_in_two_ways_is_refused(lines: list[str]) -> None:
    refusal(head("HTTP/1.1 200 OK", *lines))


def test_chunks_are_not_for_http_1_0() -> None:
    refusal(head("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"))


# --- against llhttp ---------------------------------------------------------------------------------------------------


class Heard:
    """What llhttp makes of an answer."""

    def __init__(self, raw: bytes) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.is_complete = False
        self.accepted = True
        self.keep_alive = False
        self._parser = httptools.HttpResponseParser(self)
        try:
            self._parser.feed_data(raw)
        except httptools.HttpParserError:
            self.accepted = False
        self.status = self._parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.is_complete = True
        self.keep_alive = self._parser.should_keep_alive()


_NAMES = st.sampled_from(
    [b"Content-Length", b"content-type", b"Connection", b"Transfer-Encoding", b"Server", b"X-Y", b"Keep-Alive", b""]
)
_VALUES = st.one_of(
    st.sampled_from([b"0", b"5", b" 12 ", b"chunked", b"close", b"keep-alive", b"text/plain", b"a, b", b""]),
    st.binary(max_size=12),
)
_FIELDS = st.tuples(_NAMES, st.sampled_from([b": ", b":", b" : ", b""]), _VALUES).map(b"".join)
_LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 404 Not Found",
        b"HTTP/1.1 200",
        b"HTTP/1.1 204 ",
        b"HTTP/1.1 599 x y",
        b"HTTP/2 200",
    ]
)
_HEADS = st.builds(
    lambda first, fields, end: end.join([first, *fields, b"", b""]),
    _LINES,
    st.lists(_FIELDS, max_size=5),
    st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"]),
)


@settings(max_examples=300, deadline=None)
@given(_HEADS, st.data())
@example(b"HTTP/1.1 200 OK\r\nX-Y:a\r\n b\r\n\r\n", None)
def test_what_is_accepted_llhttp_reads_the_same(raw: bytes, data: st.DataObject | None) -> None:
    if data is not None and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw = raw[:at] + data.draw(st.binary(max_size=2)) + raw[at + data.draw(st.integers(0, 2)) :]
    end = raw.find(b"\r\n\r\n") + 4
    if end < 4:
        return
    raw = raw[:end]
    try:
        read = wire.read_head(raw)
    except wire.Refused:
        return
    heard = Heard(raw)
    assert heard.accepted
    assert heard.is_complete
    assert heard.status == read.status
    assert heard.fields == wire.fields(raw)
    if read.length is not None or read.chunked or read.status in (204, 304):
        assert heard.keep_alive == read.keep_alive


@given(
    st.integers(200, 599),
    st.lists(
        st.tuples(
            st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True).filter(
                lambda name: name.lower() not in ("content-length", "transfer-encoding", "connection", "upgrade")
            ),
            st.from_regex(r"([!-~\x80-\xff]([ -~\t]{0,20}[!-~])?)?", fullmatch=True),
        ),
        max_size=6,
    ),
    st.integers(0, 10**9),
)
def test_what_llhttp_accepts_of_proper_heads_is_accepted(
    status: int, fields: list[tuple[str, str]], length: int
) -> None:
    raw = head(f"HTTP/1.1 {status} Yes", *(f"{name}: {value}" for name, value in fields), f"Content-Length: {length}")
    heard = Heard(raw)
    assert heard.accepted
    read = wire.read_head(raw)
    assert (read.status, read.length) == (status, length)
    assert wire.fields(raw) == heard.fields


# --- requests ---------------------------------------------------------------------------------------------------------


def test_a_request_is_plain_http_1_1() -> None:
    ask = page.Ask("fd00::1", 8000, "/metrics?x=1", headers=(("Authorization", "Bearer t"), ("ACCEPT", "text/plain")))
    lines = wire.request_bytes(ask).split(b"\r\n")
    assert lines[0] == b"GET /metrics?x=1 HTTP/1.1"
    assert set(lines[1:-2]) == {
        b"Host: [fd00::1]:8000",
        b"User-Agent: podtide",
        b"ACCEPT: text/plain",
        b"Accept-Encoding: identity",
        b"Authorization: Bearer t",
    }
    assert lines[-2:] == [b"", b""]


def test_the_host_header_is_the_one_that_was_given() -> None:
    request = wire.request_bytes(page.Ask("10.0.0.1", 80, headers=(("host", "web.default"),)))
    assert request.lower().count(b"\r\nhost:") == 1
    assert b"host: web.default\r\n" in request
    assert b"Host: 10.0.0.1\r\n" in wire.request_bytes(page.Ask("10.0.0.1", 80))


@pytest.mark.parametrize(
    "ask",
    [
        page.Ask("10.0.0.1", 80, "/a\r\nX: y"),
        page.Ask("10.0.0.1", 80, "/a b"),
        page.Ask("10.0.0.1", 80, "metrics"),
        page.Ask("10.0.0.1", 80, headers=(("X", "secret\n"),)),
        page.Ask("10.0.0.1", 80, headers=(("X: y\r\nZ", "secret"),)),
        page.Ask("10.0.0.1", 80, headers=(("X", "sécrét\u2028"),)),
    ],
)
def test_nothing_breaks_out_of_its_line(ask: page.Ask) -> None:
    with pytest.raises(ValueError, match=r"path|header") as error:
        wire.request_bytes(ask)
    assert "secret" not in str(error.value)
