"""One line of a page: the grammar of the Prometheus text format 0.0.4 and of OpenMetrics 1.0, read strictly.

`reader` hands over the lines it wants, `check` all of them.
"""

import re
from dataclasses import dataclass


class Defect(ValueError):
    """What is wrong with a line; whoever knows the line's number makes a `Malformed` of it."""


class Malformed(Exception):
    """A page that cannot be trusted for the wanted series."""

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(f"line {line}: {cause}")
        self.line = line
        """The first line at fault, counted from 1."""
        self.cause = cause
        """What is wrong with it, for a person."""


class TooMany(Malformed):
    """A page with more series of wanted names than are read of one page."""


@dataclass(frozen=True, slots=True)
class Series:
    """What one sample line says."""

    name: str
    labels: dict[str, str]
    value: float
    at: float | None
    """The line's own time stamp in seconds."""
    head: bytes
    """The text of name and labels as it stands."""
    exemplar: int | None = None
    """Characters in the labels of the line's exemplar; None where there is none."""


# Groups are atomic, `(?>…)`: before Python 3.11.5 one that is repeated possessively can match what it must not.
# What needs no escape is taken as a whole: one character at a time costs a hundred times as much.
_STRING = rb'"((?>[^"\\\n]*+(?>(?:\\[\\n"][^"\\\n]*+)*)))"'
# Digits are taken once and for all (`++`): trying shorter runs of them would cost the square of a hostile line's
# length.
_DECIMAL = rb"[+-]?(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)(?>(?:[eE][+-]?[0-9]++)?)"
_NUMBER = rb"(" + _DECIMAL + rb"|[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[+-]?[nN][aA][nN])"

_NAME = re.compile(rb"[a-zA-Z_:][a-zA-Z0-9_:]*+")
_TERM = rb"[ \t]*(?:([a-zA-Z_][a-zA-Z0-9_]*+)|%s)[ \t]*(=?)[ \t]*(?:%s[ \t]*)?"
_TEXT_TERM = re.compile(_TERM % (_STRING, _STRING))
# OpenMetrics says that a backslash before any other character stands for itself.
_LOOSE = rb'"((?>[^"\\\n]*+(?>(?:\\[^\n][^"\\\n]*+)*)))"'
_OPENMETRICS_TERM = re.compile(_TERM % (_LOOSE, _LOOSE))
_GAP = re.compile(rb"[ \t]*")
_TEXT_REST = re.compile(rb"[ \t]*+" + _NUMBER + rb"(?:[ \t]++([+-]?[0-9]++))?[ \t]*+\r?")
# Seconds, with a fraction or an exponent; a time that is not finite is no time.
_SECONDS = rb"(" + _DECIMAL + rb")"
_OPENMETRICS_REST = re.compile(rb" " + _NUMBER + rb"(?: " + _SECONDS + rb")?(?= # |$)")
_LATEST = 1e290
"""Seconds. OpenMetrics sets no bound; here is where nanoseconds would be more than a double holds."""
_LONGEST_TIME = 40
"""Characters of a time stamp, leading zeros included."""
_EXEMPLAR_REST = re.compile(rb" " + _NUMBER + rb"(?: " + _SECONDS + rb")?")
# What nearly every line looks like in either format: nothing escaped, nothing but a value behind. `[^"]` ends where the
# quotes do only because the line has matched as a whole.
_PLAIN_TERM = rb'[a-zA-Z_][a-zA-Z0-9_]*+="[^"\\\n]*+"'
_PLAIN = re.compile(
    rb"([a-zA-Z_:][a-zA-Z0-9_:]*+)(?>(?:\{((?>(?:"
    + _PLAIN_TERM
    + rb"(?>(?:,"
    + _PLAIN_TERM
    + rb")*))?))\})?) "
    + _NUMBER
)
_PLAIN_PAIR = re.compile(r'([^",=]+)="([^"]*)"')
_NOWHERE = "\udcff"
"""No text that has been decoded holds it."""


def parse(line: bytes, *, openmetrics: bool) -> Series:
    """The series of a sample line, without its line break.

    In the text format white space before the line and a carriage return after it are skipped, as
    `prometheus_client` does. Raises `Defect`.
    """
    plain = _PLAIN.fullmatch(line)
    series = None if plain is None else _plain(plain)
    return _term_by_term(line, openmetrics=openmetrics) if series is None else series


def _plain(line: re.Match[bytes]) -> Series | None:
    """The series of a plain line; None where `_term_by_term` must say what is wrong."""
    name, terms, value = line.groups()
    labels: dict[str, str] = {}
    if terms:
        try:
            pairs = _PLAIN_PAIR.findall(terms.decode())
        except UnicodeDecodeError:
            return None
        labels = dict(pairs)
        if len(labels) < len(pairs) or "__name__" in labels:
            return None
    return Series(name.decode(), labels, float(value), None, line.string[: line.start(3) - 1])


def _term_by_term(line: bytes, *, openmetrics: bool) -> Series:
    start = 0 if openmetrics else len(line) - len(line.lstrip())
    bare = _NAME.match(line, start)
    position = bare.end() if bare else start
    name = bare.group().decode() if bare else None
    labels: dict[str, str] = {}
    gap = position if openmetrics else _skip(line, position)
    if line[gap : gap + 1] == b"{":
        quoted, labels, position = _labels(line, gap + 1, openmetrics=openmetrics)
        if name is not None and quoted is not None:
            raise Defect("the metric has two names")
        name = quoted if name is None else name
        if name is None:
            raise Defect("a series without a metric name")
    elif name is None:
        raise Defect(f"a metric name cannot begin like this: {_excerpt(line[start:])}")
    elif line[position : position + 1] not in (b" ", b"\t"):
        raise Defect(f"the metric name {name} is followed by {_excerpt(line[position:]) or 'nothing'}")
    head = line[start:position]
    if openmetrics:
        return _openmetrics_rest(line, position, name, labels, head)
    rest = _TEXT_REST.fullmatch(line, position)
    if rest is None:
        raise Defect(f"a value and at most a time stamp in milliseconds must follow, not {_excerpt(line[position:])}")
    value, milliseconds = rest.groups()
    return Series(name, labels, float(value), None if milliseconds is None else _milliseconds(milliseconds), head)


def line_number(page: bytes | bytearray, start: int, position: int) -> int:
    """The number of the line at a position of a page that begins at `start`."""
    return page.count(b"\n", start, position) + 1


def quote(name: str) -> bytes:
    """The one way to write a name inside quotes, without the quotes."""
    return name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").encode("utf-8", "surrogatepass")


def _milliseconds(digits: bytes) -> float:
    """Seconds. A time that no 64 bits hold is refused by the Go parsers, and could be too long for a number at all."""
    if len(digits) > _LONGEST_TIME or not -(2**63) <= int(digits) < 2**63:
        raise Defect(f"a time stamp has 64 bits, which are too few for {_excerpt(digits)}")
    return int(digits) / 1000


def _openmetrics_rest(line: bytes, position: int, name: str, labels: dict[str, str], head: bytes) -> Series:
    rest = _OPENMETRICS_REST.match(line, position)
    if rest is None:
        raise Defect(f"one space, a value, and at most a time stamp must follow, not {_excerpt(line[position:])}")
    value, seconds = rest.groups()
    at = None if seconds is None else float(seconds)
    if at is not None and abs(at) >= _LATEST:
        raise Defect(f"the time stamp {_excerpt(seconds)} is out of bounds")
    if rest.end() == len(line):
        return Series(name, labels, float(value), at, head)
    if line[rest.end() : rest.end() + 4] != b" # {":
        raise Defect(f"an exemplar begins with ' # {{', not {_excerpt(line[rest.end() :])}")
    named, marks, end = _labels(line, rest.end() + 4, openmetrics=True)
    if named is not None:
        raise Defect("an exemplar with a metric name")
    if _EXEMPLAR_REST.fullmatch(line, end) is None:
        raise Defect(f"the exemplar's labels are followed by {_excerpt(line[end:]) or 'nothing'}")
    length = sum(len(key) + len(text) for key, text in marks.items())
    return Series(name, labels, float(value), at, head, length)


def _labels(line: bytes, position: int, *, openmetrics: bool) -> tuple[str | None, dict[str, str], int]:
    """The quoted metric name, the labels, and the place after the brace, of the text after an opening brace."""
    name: str | None = None
    labels: dict[str, str] = {}
    pattern = _OPENMETRICS_TERM if openmetrics else _TEXT_TERM
    end = _skip(line, position)
    if line[end : end + 1] == b"}":
        return None, labels, end + 1
    while True:
        term = pattern.match(line, position)
        if term is None:
            raise Defect(f"a label name, or a string with known escapes, is expected at {_excerpt(line[position:])}")
        key, value = _pair(term)
        if value is not None:
            _add(labels, key, value)
        elif name is None:
            name = key
        else:
            raise Defect("the metric has two names")
        position = term.end() + 1
        mark = line[position - 1 : position]
        if mark == b"}":
            return name, labels, position
        if mark != b",":
            raise Defect(
                f"a comma or a brace must follow label {key}, not {_excerpt(line[position - 1 :]) or 'the end'}"
            )
        end = _skip(line, position)
        if not openmetrics and line[end : end + 1] == b"}":
            return name, labels, end + 1


def _pair(term: re.Match[bytes]) -> tuple[str, str | None]:
    """A label's name and value, or the metric's quoted name and None."""
    bare, quoted, equals, value = term.groups()
    key = _text(quoted) if bare is None else bare.decode()
    if value is None and (equals or bare is not None):
        raise Defect(f"label {key} has no value in quotes: {_excerpt(term.string[term.start() :])}")
    if value is not None and not equals:
        raise Defect(f"'=' is missing after {key}")
    return key, None if value is None else _text(value)


def _add(labels: dict[str, str], key: str, value: str) -> None:
    if key in labels:
        raise Defect(f"label {key} is given twice")
    if not key:
        raise Defect("a label without a name")
    if key == "__name__":
        raise Defect("label __name__ is reserved")
    labels[key] = value


def _skip(line: bytes, position: int) -> int:
    gap = _GAP.match(line, position)
    return position if gap is None else gap.end()


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise Defect(f"not UTF-8: {error.object[error.start : error.start + 8]!r}") from None
    if "\\" not in text:
        return text
    # A substitution would ask back for each of what can be millions.
    text = text.replace("\\\\", _NOWHERE).replace("\\n", "\n").replace('\\"', '"')
    return text.replace(_NOWHERE, "\\")


def _excerpt(text: bytes) -> str:
    """The beginning of some text, quoted, for a message."""
    shown = text[:40].decode("utf-8", "replace")
    return repr(shown + ("…" if len(text) > 40 else "")) if text else ""
