"""The wanted series of a page, straight from the bytes received. Sources call it once per page."""

import re
from collections.abc import Collection

from podtide.core.exposition import families, grammar, hits
from podtide.core.exposition.grammar import Defect, Malformed, Series
from podtide.core.exposition.hits import Anchor, Buffer
from podtide.core.model.reading import Sample

# What no OpenMetrics page may hold before its end; `# EOF` itself is among it.
_STRAY = re.compile(rb"\n(?:\n|#(?! (?:HELP|TYPE|UNIT) ))")

_SPACE = 32

_REMEMBERED = 4096
"""How many texts of name and labels a reader keeps parsed; beyond, it starts afresh."""


class Reader:
    """Reads some series by name from page after page.

    A page is searched as a whole, at the speed of `bytes.find`: families may be interleaved, and no cheaper look could
    prove that a name does not stand elsewhere. What is remembered from page to page is only how a text of name and
    labels parses, so one reader serves any number of endpoints and its answer depends on the page alone.
    """

    __slots__ = ("_anchors", "_heads", "_names")

    def __init__(self, names: Collection[str]) -> None:
        self._names = tuple(name for name in dict.fromkeys(names) if name)
        self._anchors = hits.anchors(self._names, together=True)
        # The text of name and labels → what followed it after one space when it was last read (None if it was not so
        # plain), and what the line said. Lines with the same bytes are the same series with the same value.
        self._heads: dict[bytes, tuple[bytes | None, Sample]] = {}

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
        for anchor in self._anchors:
            if openmetrics:
                _openmetrics(text, start, stop, anchor, found)
            else:
                self._text(text, start, stop, anchor, found)
        if hits.is_wasteful(self._anchors):
            self._anchors = hits.anchors(self._names, together=False)
        return found

    def _text(self, page: Buffer, start: int, stop: int, anchor: Anchor, found: dict[str, list[Sample]]) -> None:
        heads = self._heads
        for name, first, last in anchor.lines(page, start, stop):
            line = bytes(page[first:last])
            head, _, tail = line.rpartition(b" ")
            known = heads.get(head)
            sample: Sample | None
            if known is None:
                sample = self._parse(page, start, stop, name, first, line)
            elif known[1].name != name:
                # The wanted name is the value of a label here.
                continue
            elif known[0] == tail:
                sample = known[1]
            else:
                # A head that is known ends where the last space stands: what follows can only be the value.
                try:
                    value = float(tail)
                except ValueError:
                    value = -1.0
                # `float` takes white space around a number and underscores within; both need a closer look, and so
                # does what may not be negative.
                if value < 0 or tail[0] <= _SPACE or tail[-1] <= _SPACE or b"_" in tail:
                    sample = self._parse(page, start, stop, name, first, line)
                else:
                    sample = Sample(name, known[1].labels, value)
                    heads[head] = tail, sample
            if sample is not None:
                samples = found.get(name)
                if samples is None:
                    found[name] = [sample]
                else:
                    samples.append(sample)

    def _parse(self, page: Buffer, start: int, stop: int, name: str, first: int, line: bytes) -> Sample | None:
        """The series of a line that takes a closer look; None if it is another metric's."""
        series = _series(page, start, first, line, openmetrics=False)
        if series.name != name:
            return None
        sample = Sample(name, series.labels, series.value, series.at)
        if families.is_doubtful(series):
            cause = families.text_defect(families.family(page, start, stop, name), series)
            if cause is not None:
                raise Malformed(grammar.line_number(page, start, first), cause)
        elif series.at is None:
            if len(self._heads) >= _REMEMBERED:
                self._heads.clear()
            head, _, tail = line.rpartition(b" ")
            self._heads[series.head] = (tail if head == series.head else None), sample
        return sample


def frame(page: Buffer, start: int, stop: int, *, openmetrics: bool) -> None:
    """Refuses what makes a whole page doubtful whatever is wanted of it."""
    if page.startswith(b"\xef\xbb\xbf", start, stop):
        raise Malformed(1, "the page begins with a byte order mark")
    if not openmetrics:
        return
    if page.startswith(b"\n", start, stop):
        raise Malformed(1, "a blank line")
    last = stop - 1 if page.endswith(b"\n", start, stop) else stop
    mark = last - len(b"# EOF")
    if mark < start or not page.startswith(b"# EOF", mark, last) or (mark > start and page[mark - 1] != ord("\n")):
        raise Malformed(grammar.line_number(page, start, last), "the page does not end with '# EOF'")
    stray = _STRAY.search(page, start, mark)
    if stray is not None:
        cause = "a blank line" if stray.group()[-1:] == b"\n" else "a comment that is neither HELP, TYPE nor UNIT"
        raise Malformed(grammar.line_number(page, start, stray.end() - 1), cause)


def _openmetrics(page: Buffer, start: int, stop: int, anchor: Anchor, found: dict[str, list[Sample]]) -> None:
    lines: dict[str, list[tuple[int, Series]]] = {}
    for name, first, last in anchor.lines(page, start, stop):
        series = _series(page, start, first, bytes(page[first:last]), openmetrics=True)
        if series.name == name:
            lines.setdefault(name, []).append((first, series))
    for name, series_of in lines.items():
        wanted = families.openmetrics(page, start, stop, name, series_of)
        found[name] = [Sample(series.name, series.labels, series.value, series.at) for series in wanted]


def _series(page: Buffer, start: int, first: int, line: bytes, *, openmetrics: bool) -> Series:
    try:
        return grammar.parse(line, openmetrics=openmetrics)
    except Defect as defect:
        raise Malformed(grammar.line_number(page, start, first), str(defect)) from None
