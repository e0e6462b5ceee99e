"""The first defect of a whole page. Called where a wanted name is missing: is the page broken, or without it?

Too slow for every scrape: it looks at every line.
"""

import re

from podtide.core.exposition import families, grammar
from podtide.core.exposition.grammar import Defect, Malformed
from podtide.core.exposition.reader import frame

_NAME = re.compile(rb'[a-zA-Z_:][a-zA-Z0-9_:]*|"(?:[^"\\\n]|\\[\\n"])+"')
_TEXT_NOTE = re.compile(rb"#[ \t]+(HELP|TYPE)(?:[ \t]+([^ \t]\S*|\"(?:[^\"\\]|\\.)*\"))?(?:[ \t]+(.*))?[ \t\r]*")
_OPENMETRICS_NOTE = re.compile(rb'# (HELP|TYPE|UNIT) ([^" ]\S*|"(?:[^"\\]|\\.)*") (.*)')


def check(
    page: bytes | bytearray | memoryview, *, openmetrics: bool = False, most: int | None = None
) -> Malformed | None:
    """What is wrong with the first line that no reference parser takes; None for a sound page.

    With `most`, lines are looked at only within so many bytes from the page's beginning.
    """
    text = bytes(page)
    try:
        frame(text, 0, len(text), openmetrics=openmetrics)
    except Malformed as found:
        return found.with_traceback(None)
    for number, line in enumerate(beginning(text, most).split(b"\n"), 1):
        try:
            _line(line, openmetrics=openmetrics)
        except Defect as defect:
            return Malformed(number, str(defect))
    return None


def beginning(page: bytes, most: int | None) -> bytes:
    """The whole lines within the first `most` bytes; the whole page without a limit."""
    return page if most is None or len(page) <= most else page[: page.rfind(b"\n", 0, most) + 1]


def _line(line: bytes, *, openmetrics: bool) -> None:
    start = line if openmetrics else line.lstrip()
    if start.startswith(b"#"):
        _note(start, openmetrics=openmetrics)
    elif start:
        grammar.parse(line, openmetrics=openmetrics)


def _note(line: bytes, *, openmetrics: bool) -> None:
    if openmetrics and line == b"# EOF":
        return
    note = (_OPENMETRICS_NOTE if openmetrics else _TEXT_NOTE).fullmatch(line)
    if note is None:
        if openmetrics:
            raise Defect("a comment must be HELP, TYPE or UNIT with a name and a text")
        return
    kind, name, rest = note.groups()
    if name is None and kind == b"HELP":
        return
    if name is None or _NAME.fullmatch(name) is None:
        raise Defect(f"{kind.decode()} of no valid metric name")
    if kind == b"TYPE":
        word = rest or b"" if openmetrics else (rest or b"").rstrip(b" \t\r")
        if word not in (families.OPENMETRICS_TYPES if openmetrics else families.TYPES):
            raise Defect(f"unknown metric type {word.decode('utf-8', 'replace')!r}")
    if kind == b"UNIT" and rest and not name.strip(b'"').endswith(b"_" + rest):
        raise Defect("the unit is not the end of the metric's name")
