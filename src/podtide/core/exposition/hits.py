"""Where on a page the wanted series stand: the search that the reader's speed rests on."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from podtide.core.exposition import grammar

Buffer = bytes | bytearray
Line = tuple[str, int, int]
"""The name that may be its metric's, its first byte, the one after its last."""

_NEWLINE, _SPACE, _QUOTE, _COMMENT, _DELETE = 10, 32, 34, 35, 127
_NO_NAME, _NO_LINE = -1, -2
_GAPS = frozenset(b" \t")
_IN_NAMES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:")

_SHARED = 12
"""Characters that names must have in common to be searched for together; the search for shorter texts is slower."""

_FEW = 16
"""Names that are compared with each other; with more, comparing would cost more than it saves."""

_FLOOD = 2000
"""Hits on other names in one search, a microsecond each, after which the rest of the page is swept by line."""

MOST = 10_000
"""Lines of one wanted name on one page. A series costs up to ten microseconds, 10 MB could be a million of them, and
while a page is read nothing else is done."""

_WASTED = 64
"""Hits on other names, per page, that a common search may cost before each name is searched for by itself again."""


@dataclass(slots=True)
class Anchor:
    """A text that some wanted names contain: where it does not stand, none of them stands."""

    text: bytes
    members: list[tuple[int, bytes, str]] = field(default_factory=list)
    """Where the text stands in the name, the name as a page writes it, the name."""
    wasted: int = 0
    """Hits of the last search that were none of the names, such as their HELP and TYPE lines."""

    def has(self, name: str) -> bool:
        """Whether this search is for the name, too."""
        return any(member[2] == name for member in self.members)

    def lines(self, page: Buffer, start: int, stop: int) -> list[Line]:
        """Every line that may be a series of one of the names: the name, the line's first byte, the one after its last.

        May be, because a quoted name can be a label's value as well, and the metric another of the names: the caller
        parses the line. They come in the page's order but are searched for from its end, for CPython's `rfind` goes
        through a page two to three times as fast as its `find`. Raises `TooMany`.
        """
        found: list[Line] = []
        self.wasted = 0
        hit = page.rfind(self.text, start, stop)
        while hit >= 0:
            # Whatever the line is, it is looked over only once: a hostile one may be as long as the page.
            first = page.rfind(b"\n", start, hit) + 1 or start
            if page[first] == _COMMENT:
                self.wasted += 1
            else:
                end = page.find(b"\n", hit, stop)
                last = stop if end < 0 else end
                name = self._name(page, first, last)
                if name is not None:
                    found.append((name, first, last))
                    if len(found) > MOST:
                        break
            if self.wasted > _FLOOD:
                found += reversed([*itertools.islice(self._flooded(page, start, first), MOST + 1)])
                break
            hit = page.rfind(self.text, start, first)
        if len(found) > MOST:
            name, first, _ = found[MOST]
            raise grammar.TooMany(grammar.line_number(page, start, first), f"more than {MOST} series named {name}")
        found.reverse()
        return found

    def _name(self, page: Buffer, start: int, stop: int) -> str | None:
        """The first of the names in a line that may be its metric's."""
        for _, text, name in self.members:
            if page.startswith(text, start, stop):
                end = start + len(text)
                if end == stop or page[end] not in _IN_NAMES:
                    return name
        hit = page.find(self.text, start, stop)
        while hit >= 0:
            for offset, text, name in self.members:
                place = hit - offset
                if place > start and page.startswith(text, place, stop):
                    first = _line(page, start, stop, place, place + len(text))
                    if first == start:
                        return name
                    if first == _NO_LINE:
                        self.wasted += 1
                        return None
            self.wasted += 1
            if self.wasted > _FLOOD:
                return next((name for name, _, _ in self._flooded(page, start, stop)), None)
            hit = page.find(self.text, hit + 1, stop)
        return None

    def _flooded(self, page: Buffer, start: int, stop: int) -> Iterator[Line]:
        """The same from the line that begins at `start`, in one sweep whose cost does not depend on the hits."""
        names = b"|".join(re.escape(name_text) for _, name_text, _ in self.members)
        # Whatever is not printable may be white space; if it is not, the line is refused when it is parsed.
        begins = rb"[^\n!-~]*+(?:(" + names + rb")(?![a-zA-Z0-9_:])|\{[^\n]*?" + rb'"(' + names + rb')")'
        spelled = {name_text: name for _, name_text, name in self.members}
        second = page.find(b"\n", start, stop)
        lines = re.compile(rb"\n" + begins).finditer(page, second if second >= 0 else stop, stop)
        for line in itertools.chain((re.compile(begins).match(page, start, stop),), lines):
            if line is not None:
                first = max(start, page.rfind(b"\n", start, line.end()) + 1)
                last = page.find(b"\n", line.end(), stop)
                yield spelled[line[1] or line[2]], first, stop if last < 0 else last


def anchors(names: Sequence[str], *, together: bool) -> list[Anchor]:
    """The searches that find these names: one each, or, `together`, one for names that are much alike."""
    found: list[Anchor] = []
    for name in names:
        text = grammar.quote(name)
        for anchor in found if together and len(names) <= _FEW else ():
            common = _common(anchor.text, text)
            if len(common) >= _SHARED:
                anchor.text = common
                anchor.members = [(other.find(common), other, known) for _, other, known in anchor.members]
                anchor.members.append((text.find(common), text, name))
                break
        else:
            found.append(Anchor(text, [(0, text, name)]))
    return found


def is_wasteful(searches: Sequence[Anchor]) -> bool:
    """Whether a search for several names at once has met too many others."""
    return any(anchor.wasted > _WASTED and len(anchor.members) > 1 for anchor in searches)


def _common(one: bytes, other: bytes) -> bytes:
    """The longest text that both contain."""
    best = b""
    for first in range(len(one)):
        while first + len(best) < len(one) and one[first : first + len(best) + 1] in other:
            best = one[first : first + len(best) + 1]
    return best


def _line(page: Buffer, start: int, stop: int, place: int, end: int) -> int:
    """Where the line begins, if the name found inside it from `place` to `end` may be its metric's.

    Else `_NO_NAME`, or `_NO_LINE` where no other place in the line can be, either.
    """
    before = page[place - 1]
    after = page[end] if end < stop else _NEWLINE
    if before == _QUOTE:
        if after != _QUOTE:
            return _NO_NAME
    elif _SPACE < before < _DELETE or after in _IN_NAMES:
        return _NO_NAME
    else:
        # Over the white space before the name: mostly there is one space, and a HELP or TYPE before it.
        place -= 1
        while place >= start and page[place] in _GAPS:
            place -= 1
        if place >= start and _SPACE < page[place] < _DELETE:
            return _NO_NAME
        place += 1
    first = page.rfind(b"\n", start, place) + 1 or start
    left = page[first:place].decode("utf-8", "replace").lstrip()
    return first if not left or left.startswith("{") else _NO_LINE
