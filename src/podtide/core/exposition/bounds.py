"""How much of one page is read: all wanted names and their labels together. The reader searches a page through it."""

from collections.abc import Sequence

from podtide.core.exposition import grammar
from podtide.core.exposition.hits import MOST, Anchor, Buffer, Line

MOST_LABELS = 100_000
"""Labels of the series of one search: a label costs up to two microseconds, and five bytes are one."""
MANY = 3
"""All wanted names together may have so many times as much of series and of labels: there can be dozens on one page."""
_SHORTEST_LABEL = len(b'a="",')
_ESCAPES_PER_QUOTE = 8
"""So many escapes in values cost as much as half a label."""


def search(page: Buffer, start: int, stop: int, anchors: Sequence[Anchor]) -> list[tuple[Anchor, list[Line]]]:
    """What each search finds. Raises `TooMany`."""
    found: list[tuple[Anchor, list[Line]]] = []
    left = MANY * MOST
    for anchor in anchors:
        lines = anchor.lines(page, start, stop)
        left -= len(lines)
        if left < 0:
            name, first, _ = lines[left]
            cause = f"more than {MANY * MOST} series of wanted names, up to this one named {name}"
            raise grammar.TooMany(grammar.line_number(page, start, first), cause)
        found.append((anchor, lines))
    # Nearly every page is too short to hold so many labels.
    if stop - start > MOST_LABELS * _SHORTEST_LABEL:
        quotes = sum(_quotes(page, start, lines) for _, lines in found)
        if quotes > 2 * MANY * MOST_LABELS:
            raise grammar.TooMany(1, f"more than {MANY * MOST_LABELS} labels in the series of wanted names")
    return found


def _quotes(page: Buffer, start: int, lines: Sequence[Line]) -> int:
    """The quotes in the lines of one search, two of which are a label. Raises `TooMany`."""
    quotes = 0
    for name, first, last in lines:
        quotes += page.count(b'"', first, last) + page.count(b"\\", first, last) // _ESCAPES_PER_QUOTE
        if quotes > 2 * MOST_LABELS:
            cause = f"more than {MOST_LABELS} labels, up to this series named {name}"
            raise grammar.TooMany(grammar.line_number(page, start, first), cause)
    return quotes
