"""Where on a page the wanted series stand: the search that the reader's speed rests on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from podtide.core.exposition import grammar

Buffer = bytes | bytearray

_NEWLINE, _SPACE, _QUOTE, _DELETE = 10, 32, 34, 127
_GAPS = frozenset(b" \t")
_IN_NAMES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:")

_SHARED = 12
"""Characters that names must have in common to be searched for together; the search for shorter texts is slower."""

_FEW = 16
"""Names that are compared with each other; with more, comparing would cost more than it saves."""

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

    def lines(self, page: Buffer, start: int, stop: int) -> Iterator[tuple[str, int, int]]:
        """Every line that may be a series of one of the names: the name, the line's first byte, the one after its last.

        May be, because a quoted name can be a label's value as well; the caller parses the line.
        """
        text, members = self.text, self.members
        self.wasted = 0
        hit = page.find(text, start, stop)
        while hit >= 0:
            for offset, name_text, name in members:
                first = hit - offset
                if first < start or not page.startswith(name_text, first, stop):
                    continue
                end = first + len(name_text)
                if first > start and page[first - 1] != _NEWLINE:
                    first = _line(page, start, stop, first, end)
                    if first < 0:
                        continue
                elif end < stop and page[end] in _IN_NAMES:
                    continue
                last = page.find(b"\n", end, stop)
                if last < 0:
                    last = stop
                yield name, first, last
                # The next line is most often of the same name: looking there first spares the set-up of a search.
                follows = page.startswith(name_text, last + 1, stop)
                hit = last + 1 + offset if follows else page.find(text, last, stop)
                break
            else:
                self.wasted += 1
                hit = page.find(text, hit + 1, stop)


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
    """Where the line begins, if the name found inside it from `place` to `end` may be its metric's; else -1."""
    before = page[place - 1]
    after = page[end] if end < stop else _NEWLINE
    if before == _QUOTE:
        if after != _QUOTE:
            return -1
        first = page.rfind(b"\n", start, place) + 1 or start
        return first if page[first:place].decode("utf-8", "replace").lstrip().startswith("{") else -1
    if after in _IN_NAMES:
        return -1
    # Over the white space before the name: mostly there is one space, and a HELP or TYPE before it.
    place -= 1
    while place >= start and page[place] in _GAPS:
        place -= 1
    if place >= start and _SPACE < page[place] < _DELETE:
        return -1
    first = page.rfind(b"\n", start, place + 1) + 1 or start
    return -1 if page[first : place + 1].decode("utf-8", "replace").strip() else first
