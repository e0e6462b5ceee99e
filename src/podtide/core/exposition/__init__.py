"""Pages in the Prometheus text format 0.0.4 and in OpenMetrics 1.0: the wanted series, and nothing else of it.

What is noticed of a broken page:

- In lines of a wanted series, everything: they are read strictly, by the format's grammar and by their family's type.
- Elsewhere nothing, for the sake of speed: the numbers of the wanted series do not depend on it. `check` looks at all.
- More than 10,000 series of a wanted name, or 100,000 labels of them, or three times as much of all wanted names: the
  page is refused before they are parsed.
- A byte order mark and, in OpenMetrics, a missing `# EOF`, a blank line or a free comment: the page is refused.

A line in braces whose metric name cannot be told because the line is broken counts as a wanted one if it holds a wanted
name in quotes. A line ends at a line feed, inside quotes as well; a wanted line that may so be part of another's label
value is refused. The text format has no end mark: that a page was not cut off is for the connection to know.
"""

from collections.abc import Collection

from podtide.core.exposition.check import beginning, check
from podtide.core.exposition.grammar import Malformed, TooMany
from podtide.core.exposition.reader import Reader
from podtide.core.model.reading import Sample

__all__ = ["Malformed", "Reader", "TooMany", "beginning", "check", "read"]


def read(
    page: bytes | bytearray | memoryview, names: Collection[str], *, openmetrics: bool = False
) -> dict[str, list[Sample]]:
    """Every wanted series of one page, once: for a page that is not read again and again.

    As `Reader.read`; besides, a page that lacks a wanted name is checked whole, so that a broken page is not taken for
    one without the metric.
    """
    found = Reader(names).read(page, openmetrics=openmetrics)
    if len(found) < len(set(names)):
        broken = check(page, openmetrics=openmetrics)
        if broken is not None:
            raise Malformed(broken.line, broken.cause)
    return found
