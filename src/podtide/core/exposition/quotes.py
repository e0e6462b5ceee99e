"""Whether a line stands inside another line's label value. The reader asks it before it believes a wanted line.

A server that forgets to escape a line feed in a value, which may be anybody's text, writes what looks like a line of
its own. Prometheus reads it as part of the value, the other parsers refuse the page.
"""

from podtide.core.exposition.hits import Buffer

_COMMENT = 35
_MOST = 100_000
"""Comments with quotes that one page may make us look at, a microsecond each; no page of the field has so many."""


class Quotes:
    """Follows a page from wanted line to wanted line, and looks at each byte once, whatever stands between them."""

    __slots__ = ("_comments", "_open", "_page")

    def __init__(self, page: Buffer) -> None:
        self._page = page
        self._open: int | None = None
        self._comments = 0

    def opened(self, start: int, stop: int) -> int | None:
        """Where the line begins that leaves its quotes open before `stop`; None if none does.

        At `start` a line begins, and what stood before was looked at. Only the last line with quotes of its own counts:
        what a server does not escape can close them, too, and is then as good as what it wrote itself.
        """
        page = self._page
        quote = page.rfind(b'"', start, stop)
        if quote >= 0:
            first = page.rfind(b"\n", start, quote) + 1 or start
            # Nearly always it is a plain line of the series before; this way takes half a microsecond.
            if page[first] > _COMMENT and page.find(b"\\", first, quote) < 0:
                self._open = None if page.count(b'"', first, quote) % 2 else first
            else:
                self._line_by_line(start, stop, quote)
        return self._open

    def _line_by_line(self, start: int, stop: int, quote: int) -> None:
        page, first = self._page, stop
        while quote >= 0:
            first = page.rfind(b"\n", start, quote) + 1 or start
            line = bytes(page[first : page.find(b"\n", quote, stop)])
            if not line.lstrip().startswith(b"#"):
                count = (line.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in line else line).count(b'"')
                if count:
                    self._open = first if count % 2 else None
                    return
            self._comments += 1
            if self._comments >= _MOST:
                self._open = first
                return
            quote = page.rfind(b'"', start, first)
