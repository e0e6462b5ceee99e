"""Whether a line stands inside another line's label value. The reader asks it before it believes a wanted line.

A server that forgets to escape a line feed in a value, which may be anybody's text, writes what looks like a line of
its own. Prometheus reads it as part of the value, the other parsers refuse the page.
"""

import re

from podtide.core.exposition.hits import Buffer

_COMMENT = 35
_ESCAPED = re.compile(rb"\\.")
_MOST = 10_000
"""Lines that are looked at one by one, a microsecond each; no page has so many comments with quotes in a row."""


def opened(page: Buffer, start: int, stop: int) -> int | None:
    """Where the line begins that leaves its quotes open before `stop`; None if none does.

    At `start` a line begins that stands in no quotes. Only the last line with quotes of its own is looked at: what a
    server does not escape can close them, too, and is then as good as what it wrote itself.
    """
    quote = page.rfind(b'"', start, stop)
    if quote < 0:
        return None
    first = page.rfind(b"\n", start, quote) + 1 or start
    # Nearly always it is a plain line of the series before; this way takes half a microsecond.
    if page[first] > _COMMENT and page.find(b"\\", first, quote) < 0:
        return None if page.count(b'"', first, quote) % 2 else first
    return _line_by_line(page, start, stop)


def _line_by_line(page: Buffer, start: int, stop: int) -> int | None:
    first, quote = stop, page.rfind(b'"', start, stop)
    for _ in range(_MOST):
        if quote < 0:
            return None
        first = page.rfind(b"\n", start, quote) + 1 or start
        line = bytes(page[first : page.find(b"\n", quote, stop)])
        if not line.lstrip().startswith(b"#"):
            count = (_ESCAPED.sub(b"", line) if b"\\" in line else line).count(b'"')
            if count:
                return first if count % 2 else None
        quote = page.rfind(b'"', start, first)
    return first
