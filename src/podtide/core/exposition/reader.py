"""The wanted series of a page, straight from the bytes received. Sources call it once per page."""

import re
from collections.abc import Collection

from podtide.core.exposition import grammar
from podtide.core.exposition.grammar import Defect, Malformed
from podtide.core.model.reading import Sample

Buffer = bytes | bytearray

_NEWLINE, _QUOTE = 10, 34
_IN_NAMES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:")

# What no OpenMetrics page may hold before its end; `# EOF` itself is among it.
_STRAY = re.compile(rb"\n(?:\n|#(?! (?:HELP|TYPE|UNIT) ))")

_REMEMBERED = 4096
"""How many texts of name and labels a reader keeps parsed; beyond, it starts afresh."""


class Reader:
    """Reads some series by name from page after page.

    A page is searched as a whole, at the speed of `bytes.find`: families may be interleaved, and no cheaper look could
    prove that a name does not stand elsewhere. What is remembered from page to page is only how a text of name and
    labels parses, so one reader serves any number of endpoints and its answer depends on the page alone.
    """

    __slots__ = ("_heads", "_wanted")

    def __init__(self, names: Collection[str]) -> None:
        self._wanted = tuple((name, grammar.quote(name)) for name in dict.fromkeys(names) if name)
        self._heads: tuple[dict[bytes, dict[str, str]], dict[bytes, dict[str, str]]] = ({}, {})

    def read(
        self, page: bytes | bytearray | memoryview, *, openmetrics: bool = False, start: int = 0, end: int | None = None
    ) -> dict[str, list[Sample]]:
        """Every wanted series between `start` and `end`, by the name the page calls it, in the page's order.

        Names that are not on the page are not in the result. A `bytearray` is read in place, a `memoryview` is copied
        first (there is no search in a view). Raises `Malformed`; see the package for what is noticed.
        """
        text = page if isinstance(page, bytes | bytearray) else bytes(page)
        stop = len(text) if end is None else min(end, len(text))
        frame(text, start, stop, openmetrics=openmetrics)
        found: dict[str, list[Sample]] = {}
        for name, needle in self._wanted:
            samples = self._search(text, start, stop, name, needle, openmetrics)
            if samples:
                found[name] = samples
        return found

    def _search(self, page: Buffer, start: int, stop: int, name: str, needle: bytes, openmetrics: bool) -> list[Sample]:
        samples: list[Sample] = []
        heads = self._heads[openmetrics]
        length = len(needle)
        hit = page.find(needle, start, stop)
        while hit >= 0:
            before = page[hit - 1] if hit > start else _NEWLINE
            if before == _NEWLINE:
                if hit + length < stop and page[hit + length] in _IN_NAMES:
                    hit = page.find(needle, hit + length, stop)
                    continue
                first = hit
            else:
                first = _line_of(page, start, stop, hit, length, before)
                if first < 0:
                    hit = page.find(needle, hit + 1, stop)
                    continue
            last = page.find(b"\n", hit, stop)
            if last < 0:
                last = stop
            line = bytes(page[first:last])
            head, _, tail = line.rpartition(b" ")
            labels = heads.get(head)
            # A head that is known ends where the last space stands: what follows can only be the value.
            if labels is not None and tail and tail[0] > 32 and tail[-1] > 32 and b"_" not in tail:
                try:
                    samples.append(Sample(name, labels, float(tail)))
                except ValueError as error:
                    raise Malformed(_number(page, start, first), f"not a number: {tail[:40]!r}") from error
            else:
                self._parse(page, start, first, line, name, samples, openmetrics)
            hit = last + 1 if page.startswith(needle, last + 1, stop) else page.find(needle, last, stop)
        return samples

    def _parse(
        self, page: Buffer, start: int, first: int, line: bytes, name: str, samples: list[Sample], openmetrics: bool
    ) -> None:
        try:
            series = grammar.parse(line, openmetrics=openmetrics)
        except Defect as defect:
            raise Malformed(_number(page, start, first), str(defect)) from None
        if series.name != name:
            return
        heads = self._heads[openmetrics]
        labels = heads.get(series.head)
        if labels is None:
            if len(heads) >= _REMEMBERED:
                heads.clear()
            labels = heads[series.head] = series.labels
        samples.append(Sample(name, labels, series.value, series.at))


def _line_of(page: Buffer, start: int, stop: int, hit: int, length: int, before: int) -> int:
    """Where the line begins, if the name found inside it may be its metric's; else -1."""
    if before == _QUOTE:
        if hit + length >= stop or page[hit + length] != _QUOTE:
            return -1
        first = page.rfind(b"\n", start, hit) + 1 or start
        return first if page[first:hit].lstrip().startswith(b"{") else -1
    if 32 < before < 128:
        return -1
    first = page.rfind(b"\n", start, hit) + 1 or start
    if page[first:hit].decode("utf-8", "replace").strip():
        return -1
    return -1 if hit + length < stop and page[hit + length] in _IN_NAMES else first


def frame(page: Buffer, start: int, stop: int, *, openmetrics: bool) -> None:
    """Refuses what makes a whole page doubtful whatever is wanted of it."""
    if page.startswith(b"\xef\xbb\xbf", start, stop):
        raise Malformed(1, "the page begins with a byte order mark")
    if not openmetrics:
        return
    if page.startswith(b"\n", start, stop):
        raise Malformed(1, "a blank line")
    last = stop - 1 if stop > start and page[stop - 1] == _NEWLINE else stop
    mark = last - len(b"# EOF")
    if mark < start or not page.startswith(b"# EOF", mark, last) or (mark > start and page[mark - 1] != _NEWLINE):
        raise Malformed(_number(page, start, last), "the page does not end with '# EOF'")
    stray = _STRAY.search(page, start, mark)
    if stray is not None:
        cause = "a blank line" if stray.group()[-1:] == b"\n" else "a comment that is neither HELP, TYPE nor UNIT"
        raise Malformed(_number(page, start, stray.end() - 1), cause)


def _number(page: Buffer, start: int, position: int) -> int:
    return page.count(b"\n", start, position) + 1
