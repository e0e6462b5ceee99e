"""The grammar of HTTP/1.1 as a client meets it: request bytes out, the head of an answer in.

Called by `net.engine` and `net.answer`.

Strict on purpose: whatever could be read in two ways (bare line feeds, folded lines, two lengths, a length beside
chunks) is refused, so a page is right or missing, never cut short. Fuzzed against llhttp in the tests.
"""

import re
from dataclasses import dataclass

from podtide.core.model.reading import Failure, Reason
from podtide.net.page import Ask


class Refused(Exception):
    """The answer breaks the protocol or a limit; `failure` says how."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.failure = Failure(reason, detail)


@dataclass(frozen=True, slots=True)
class Head:
    """What the first lines of an answer say, as far as a scrape needs it."""

    status: int
    keep_alive: bool
    length: int | None
    """Content-Length."""
    chunked: bool
    content_type: str
    encoding: str
    """Content-Encoding in lower case; empty for identity."""
    location: str
    www_authenticate: str
    server: str
    is_simple: bool
    """Whether a final answer with a body that is the page as it stands, of a known length or in chunks."""


TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_TEXT = rb"[\t -~\x80-\xff]*+"
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: " + _TEXT + rb")?")
_FIELD_LINE = re.compile(rb"(" + TOKEN + rb"):[ \t]*+(" + _TEXT + rb")")
_NAME = re.compile(TOKEN.decode("latin-1"))
_VALUE = re.compile(_TEXT.decode("latin-1"))
_PATH = re.compile(r"/[!-~]*")

NO_BODY = frozenset((204, 304))
"""Statuses whose answers end with their head, whatever it says."""

_WANTED = frozenset(
    (
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"location",
        b"server",
        b"transfer-encoding",
        b"www-authenticate",
    )
)

Field = tuple[bytes, str] | tuple[()]
"""A wanted field's name in lower case and its value, or nothing for a field that is of no interest."""
Line = tuple[bool, int] | Field | None
"""What a line means: the status line persistence and status, another line its field, the empty line None."""

# Servers repeat themselves: a line that the strict patterns have read once need not be read again, nor a head whose
# lines mean the same as those of an earlier one. Half the cost of a head goes with that. What is remembered is
# bounded in count and in size, so no server can make it grow.
_REMEMBERED = 1024
_LINE_BYTES = 160
_LINES = 40
_lines: dict[bytes, Line] = {}
_heads: dict[tuple[Line, ...], Head] = {}


def request_bytes(ask: Ask) -> bytes:
    """The whole request. Raises ValueError when a header or the path would break out of its line."""
    if not _PATH.fullmatch(ask.path):
        raise ValueError(f"path {ask.path!r} must start with / and be percent-encoded")
    fields = {
        "host": ("Host", _authority(ask)),
        "user-agent": ("User-Agent", "podtide"),
        "accept": ("Accept", "*/*"),
        "accept-encoding": ("Accept-Encoding", "identity"),
    }
    for name, value in ask.headers:
        # The value may be a secret: it is never part of the message.
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"header {name!r} holds a character no HTTP header may hold; is there a line break in it?")
        fields[name.lower()] = (name, value)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.values())
    return f"GET {ask.path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def read_head(raw: bytes) -> Head:
    """Read status line and fields; `raw` ends with the empty line. Raises `Refused`."""
    return known_head(raw) or _read_head(raw)


def known_head(raw: bytes) -> Head | None:
    """The head, if an equal one has been read before."""
    # A line that has not been met is None here, as the empty line is: no head has that but at its end.
    return _heads.get(tuple(map(_lines.get, raw.split(b"\r\n"))))


def _read_head(raw: bytes) -> Head:
    lines = raw.split(b"\r\n")
    persistent, status = _read_status(lines[0])
    meant: list[Line] = [(persistent, status)]
    found: dict[bytes, str] = {}
    for line in lines[1:-2]:
        field = _read_field(line)
        meant.append(field)
        if field:
            name, value = field
            found[name] = value if name not in found else _joined(name, found[name], value)
    head = _head(status, found, persistent=persistent)
    if len(lines) <= _LINES and max(map(len, lines)) <= _LINE_BYTES:
        for memory in (_lines, _heads):
            if len(memory) >= _REMEMBERED:
                memory.clear()
        _lines.update(zip(lines, meant, strict=False))
        _heads[(*meant, None, None)] = head
    return head


def _head(status: int, found: dict[bytes, str], *, persistent: bool) -> Head:
    length = found.get(b"content-length")
    coding = found.get(b"transfer-encoding")
    if coding is not None:
        _check_coding(coding, length, persistent=persistent)
    if connection := found.get(b"connection"):
        options = [option.strip() for option in connection.lower().split(",")]
        persistent = "close" not in options and (persistent or "keep-alive" in options)
    encoding = found.get(b"content-encoding", "").lower()
    encoding = "" if encoding == "identity" else encoding
    return Head(
        status=status,
        keep_alive=persistent,
        length=None if length is None else _number(length),
        chunked=coding is not None,
        content_type=found.get(b"content-type", ""),
        encoding=encoding,
        location=found.get(b"location", ""),
        www_authenticate=found.get(b"www-authenticate", ""),
        server=found.get(b"server", ""),
        is_simple=(length is not None or coding is not None)
        and not encoding
        and status >= 200
        and status not in NO_BODY,
    )


def fields(raw: bytes) -> list[tuple[bytes, bytes]]:
    """Every field of a head that `read_head` accepted, in order."""
    found = (_FIELD_LINE.fullmatch(line) for line in raw.split(b"\r\n")[1:-2])
    return [(field[1], field[2].rstrip(b" \t")) for field in found if field]


def check_field(line: bytes) -> None:
    """Refuse a trailer that is not one."""
    if not _FIELD_LINE.fullmatch(line):
        raise Refused(Reason.PROTOCOL, f"not a header field: {excerpt(line)}")


def excerpt(data: bytes | bytearray | memoryview) -> str:
    """The beginning of what a server sent, for an error message."""
    return repr(bytes(data[:40]))


def _authority(ask: Ask) -> str:
    host = f"[{ask.host}]" if ":" in ask.host else ask.host
    return host if ask.port == (443 if ask.context else 80) else f"{host}:{ask.port}"


def _read_status(line: bytes) -> tuple[bool, int]:
    match = _STATUS_LINE.fullmatch(line)
    if not match:
        raise Refused(Reason.PROTOCOL, f"not an HTTP/1.1 status line: {excerpt(line)}")
    return match[1] == b"1", int(match[2])


def _read_field(line: bytes) -> Field:
    match = _FIELD_LINE.fullmatch(line)
    if not match:
        raise Refused(Reason.PROTOCOL, f"not a header field: {excerpt(line)}")
    name = match[1].lower()
    return (name, match[2].rstrip(b" \t").decode("latin-1")) if name in _WANTED else ()


def _joined(name: bytes, first: str, second: str) -> str:
    if name in (b"content-length", b"transfer-encoding"):
        raise Refused(Reason.PROTOCOL, f"more than one {name.decode()} header: {first!r} and {second!r}")
    return f"{first}, {second}" if name == b"connection" else first


def _check_coding(coding: str, length: str | None, *, persistent: bool) -> None:
    if length is not None:
        raise Refused(Reason.PROTOCOL, "both Content-Length and Transfer-Encoding")
    if coding.lower() != "chunked" or not persistent:
        raise Refused(Reason.PROTOCOL, f"Transfer-Encoding {coding!r} was not asked for")


def _number(length: str) -> int:
    if not (length.isascii() and length.isdigit() and len(length) <= 18):
        raise Refused(Reason.PROTOCOL, f"Content-Length {length[:40]!r} is not a length")
    return int(length)
