"""The wanted series of a page, straight from the bytes received. Sources call it once per page."""

import re
from collections.abc import Collection, Iterator, Sequence

from podtide.core.exposition import bounds, families, grammar, hits
from podtide.core.exposition.grammar import Defect, Malformed, Series
from podtide.core.exposition.hits import Anchor, Buffer, Line
from podtide.core.exposition.quotes import Quotes
from podtide.core.model.reading import Sample

# What no OpenMetrics page may hold before its end; `# EOF` itself is among it.
_STRAY = re.compile(rb"\n(?:\n|#(?! (?:HELP|TYPE|UNIT) ))")
_STRAY_START = re.compile(rb"#(?! (?:HELP|TYPE|UNIT) )")
_STRAY_COMMENT = "a comment that is neither HELP, TYPE nor UNIT"

_SEARCHABLE = (bytes, bytearray)
_SPACE = 32

_REMEMBERED = 4096
"""How many texts of name and labels a reader keeps parsed; beyond, it starts afresh."""
_REMEMBERED_BYTES = 2 * 1024 * 1024
"""The length of all these texts; a label's value can be as long as its server likes."""
_LONGEST_VALUE = 32
"""Characters of a value that are kept without counting them; a double needs 24, and may have millions."""


class Reader:
    """Reads some series by name from page after page.

    A page is searched as a whole, at the speed of `bytes.rfind`: families may be interleaved, and no cheaper look could
    prove that a name does not stand elsewhere. What is remembered from page to page is only how a text of name and
    labels parses, so one reader serves any number of endpoints and its answer depends on the page alone.
    """

    __slots__ = ("__weakref__", "_anchors", "_heads", "_is_shared", "_names", "_size")

    def __init__(self, names: Collection[str]) -> None:
        self._names = tuple(name for name in dict.fromkeys(names) if name)
        self._anchors = hits.anchors(self._names, together=True)
        self._is_shared = len(self._anchors) < len(self._names)
        # The text of name and labels → what followed it after one space when it was last read (None if it was not so
        # plain), and what the line said. Lines with the same bytes are the same series with the same value.
        self._heads: dict[bytes, tuple[bytes | None, Sample]] = {}
        self._size = 0

    def read(
        self,
        page: bytes | bytearray | memoryview,
        *,
        openmetrics: bool = False,
        start: int = 0,
        end: int | None = None,
        broken: dict[str, Malformed] | None = None,
    ) -> dict[str, list[Sample]]:
        """Every wanted series between `start` and `end`, by the name the page calls it, in the page's order.

        Names that are not on the page are not in the result. A `bytearray` is read in place, a `memoryview` is copied
        first (there is no search in a view). Raises `Malformed`; see the package for what is noticed. With `broken`, a
        defect in the series of one name is put there, under the name, and costs the other names nothing; what spoils
        the whole page is raised nevertheless.
        """
        text = page if isinstance(page, _SEARCHABLE) else bytes(page)
        stop = len(text) if end is None else min(end, len(text))
        frame(text, start, stop, openmetrics=openmetrics)
        defects: dict[str, Malformed] = {} if broken is None else broken
        found: dict[str, list[Sample]] = {}
        for anchor, lines in bounds.search(text, start, stop, self._anchors):
            if openmetrics:
                _openmetrics(text, start, stop, anchor, lines, found, defects)
            else:
                self._text(text, start, stop, anchor, lines, found, defects)
        if self._is_shared and hits.is_wasteful(self._anchors):
            self._anchors = hits.anchors(self._names, together=False)
            self._is_shared = False
        if defects:
            if broken is None:
                first = min(defects.values(), key=lambda defect: defect.line)
                # A traceback holds this frame, which holds the defects and the page: none of them may hold it.
                raise Malformed(first.line, first.cause)
            for name in defects:
                found.pop(name, None)
        return found

    def _text(
        self,
        page: Buffer,
        start: int,
        stop: int,
        anchor: Anchor,
        lines: Sequence[Line],
        found: dict[str, list[Sample]],
        defects: dict[str, Malformed],
    ) -> None:
        heads = self._heads
        doubtful: dict[str, list[tuple[int, Series]]] = {}
        for name, first, last in _outside(page, start, lines, defects):
            line = bytes(page[first:last])
            head, _, tail = line.rpartition(b" ")
            known = heads.get(head)
            sample: Sample | None = None
            if known is not None:
                # The name found may be the value of a label here, and the metric another one.
                if known[1].name != name and not anchor.has(known[1].name):
                    continue
                name = known[1].name
                sample = known[1] if known[0] == tail else self._renewed(known[1], head, tail)
            if sample is None:
                series = _series(page, start, anchor, name, first, line, defects, openmetrics=False)
                if series is None:
                    continue
                name = series.name
                sample = Sample(name, series.labels, series.value, series.at)
                if families.is_doubtful(series):
                    doubtful.setdefault(name, []).append((first, series))
                else:
                    self._remember(series, line, sample, among=len(lines))
            samples = found.get(name)
            if samples is None:
                found[name] = [sample]
            else:
                samples.append(sample)
        for name, series_of in doubtful.items():
            try:
                families.text(page, start, stop, name, series_of)
            except Malformed as malformed:
                defects.setdefault(name, _bare(malformed))

    def _renewed(self, sample: Sample, head: bytes, tail: bytes) -> Sample | None:
        """The series whose name and labels are known, with a new value; None where that takes a closer look."""
        if len(tail) > _LONGEST_VALUE:
            return None
        # A head that is known ends where the last space stands: what follows can only be the value.
        try:
            value = float(tail)
        except ValueError:
            return None
        # `float` takes white space around a number and underscores within; and a negative number may be a wrong one.
        if value < 0 or tail[0] <= _SPACE or tail[-1] <= _SPACE or b"_" in tail:
            return None
        renewed = Sample(sample.name, sample.labels, value)
        self._heads[head] = tail, renewed
        return renewed

    def _remember(self, series: Series, line: bytes, sample: Sample, *, among: int) -> None:
        # Of so many lines the last would drive out the first before these come again.
        if among > _REMEMBERED:
            return
        # The tail is kept, too, and can be as long as the line.
        if series.at is not None or len(line) > _REMEMBERED_BYTES:
            return
        if len(self._heads) >= _REMEMBERED or self._size + len(line) > _REMEMBERED_BYTES:
            self._heads.clear()
            self._size = 0
        self._size += len(line)
        head, _, tail = line.rpartition(b" ")
        self._heads[series.head] = (tail if head == series.head else None), sample


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
    if start < mark and _STRAY_START.match(page, start, mark):
        raise Malformed(1, _STRAY_COMMENT)
    stray = _STRAY.search(page, start, mark)
    if stray is not None:
        cause = "a blank line" if stray.group()[-1:] == b"\n" else _STRAY_COMMENT
        raise Malformed(grammar.line_number(page, start, stray.end() - 1), cause)


def _openmetrics(
    page: Buffer,
    start: int,
    stop: int,
    anchor: Anchor,
    lines: Sequence[Line],
    found: dict[str, list[Sample]],
    defects: dict[str, Malformed],
) -> None:
    read: dict[str, list[tuple[int, Series]]] = {}
    for name, first, last in _outside(page, start, lines, defects):
        series = _series(page, start, anchor, name, first, bytes(page[first:last]), defects, openmetrics=True)
        if series is not None:
            read.setdefault(series.name, []).append((first, series))
    for name, series_of in read.items():
        try:
            wanted = families.openmetrics(page, start, stop, name, series_of)
            found[name] = [Sample(series.name, series.labels, series.value, series.at) for series in wanted]
        except Malformed as malformed:
            defects.setdefault(name, _bare(malformed))


def _bare(malformed: Malformed) -> Malformed:
    """The same without its traceback, whose frames hold what it is kept in, and the page."""
    return Malformed(malformed.line, malformed.cause)


def _outside(page: Buffer, start: int, lines: Sequence[Line], defects: dict[str, Malformed]) -> Iterator[Line]:
    """The lines that are no part of another's label value; one that may be is a defect of its name."""
    quotes, after = Quotes(page), start
    for wanted in lines:
        name, first, last = wanted
        place = quotes.opened(after, first) if after < first else None
        if place is None:
            after = last + 1
            yield wanted
            continue
        after = first
        if name not in defects:
            cause = f"quotes stay open, so that what looks like {name} further down may be a label's value"
            defects[name] = Malformed(grammar.line_number(page, start, place), cause)


def _series(
    page: Buffer,
    start: int,
    anchor: Anchor,
    name: str,
    first: int,
    line: bytes,
    defects: dict[str, Malformed],
    *,
    openmetrics: bool,
) -> Series | None:
    """The series of a line; None if it is no wanted metric's, or has a defect.

    A line in braces cannot be told to be another metric's before it parses: one with a defect spoils the name found.
    """
    if name in defects and not line.lstrip().startswith(b"{"):
        return None
    try:
        series = grammar.parse(line, openmetrics=openmetrics)
    except Defect as defect:
        if name not in defects:
            defects[name] = Malformed(grammar.line_number(page, start, first), str(defect))
        return None
    return series if anchor.has(series.name) else None
