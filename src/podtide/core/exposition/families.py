"""What a series must be because of its family's type. The reader calls it for the series it found.

Only rules that the wanted series of one name can break are looked at: that a histogram lacks its `_sum` says nothing
about the number of its `_count`.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from podtide.core.exposition import grammar
from podtide.core.exposition.grammar import Defect, Malformed, Series
from podtide.core.exposition.hits import Buffer

TYPES = frozenset(
    {b"counter", b"gauge", b"histogram", b"summary", b"untyped", b"unknown", b"gaugehistogram", b"info", b"stateset"}
)
"""What a TYPE line of the text format may say."""
OPENMETRICS_TYPES = TYPES - {b"untyped"}
_SUFFIXES = {
    b"counter": ("_total", "_created"),
    b"summary": ("", "_count", "_sum", "_created"),
    b"histogram": ("_count", "_sum", "_bucket", "_created"),
    b"gaugehistogram": ("_gcount", "_gsum", "_bucket"),
    b"info": ("_info",),
}
_ALL_SUFFIXES = ("", "_total", "_created", "_count", "_sum", "_bucket", "_gcount", "_gsum", "_info")
_NEWLINE = 10
_WORD = re.compile(rb"[^ \t\r\n]*")
_COUNTING = ("_total", "_sum", "_count", "_bucket", "_gcount", "_gsum")
_LONGEST_EXEMPLAR = 128
"""Characters in an exemplar's labels that OpenMetrics allows."""


@dataclass(frozen=True, slots=True)
class Family:
    """The family of one series name, as the page declares it."""

    name: str
    kind: bytes
    suffix: str
    """What the series name adds to the family's."""

    @property
    def is_histogram(self) -> bool:
        """Whether its buckets are cumulative counts by `le`."""
        return self.kind in (b"histogram", b"gaugehistogram")


def family(page: Buffer, start: int, stop: int, name: str) -> Family:
    """The family of the series called `name`.

    Its kind is `unknown` where no TYPE line declares one, `alien` where one does whose type has no such series.
    """
    kind = b"unknown"
    for suffix in _ALL_SUFFIXES:
        base = name.removesuffix(suffix)
        if suffix and base == name:
            continue
        note = next(_notes(page, start, stop, b"TYPE", base), None)
        if note is None:
            continue
        declared = _WORD.match(page, note[1], stop)
        kind = declared[0] if declared is not None else b""
        if not suffix or suffix in _SUFFIXES.get(kind, ()):
            return Family(base, kind, suffix)
        kind = b"alien"
    return Family(name, kind, "")


def _notes(page: Buffer, start: int, stop: int, kind: bytes, base: str) -> Iterator[tuple[int, int]]:
    """Where lines such as `# TYPE base ` begin, and where what they say does.

    The text format allows other white space there, which no known server writes; such a line is not seen, and then its
    rules are not applied.
    """
    name = grammar.quote(base)
    for spelled in (name, b'"' + name + b'"'):
        head = b"# " + kind + b" " + spelled + b" "
        place = page.find(head, start, stop)
        while place >= 0:
            if place == start or page[place - 1] == _NEWLINE:
                yield place, place + len(head)
            place = page.find(head, place + len(head), stop)


def is_doubtful(series: Series) -> bool:
    """Whether it takes the family to tell that a series of the text format is sound; rare, so that it may cost."""
    labels = series.labels
    return (
        (series.value < 0 and series.name.endswith(("_bucket", "_count")))
        or ("le" in labels and series.name.endswith("_bucket") and not _is_bound(labels["le"]))
        or ("quantile" in labels and not _is_bound(labels["quantile"]))
    )


def text(page: Buffer, start: int, stop: int, name: str, found: Sequence[tuple[int, Series]]) -> None:
    """Raises `Malformed` for the first of some doubtful series, all called `name`, that its family's type forbids."""
    of = family(page, start, stop, name)
    for position, series in found:
        cause = _text_defect(of, series)
        if cause is not None:
            raise Malformed(grammar.line_number(page, start, position), cause)


def _text_defect(of: Family, series: Series) -> str | None:
    """What a series of the text format breaks of its family's rules; those of Go's `expfmt`."""
    if of.kind == b"histogram" and of.suffix == "_bucket" and not _is_bound(series.labels.get("le", "0")):
        return f"le={series.labels.get('le')!r} is no bound of a histogram's bucket"
    if of.kind == b"summary" and not of.suffix and not _is_bound(series.labels.get("quantile", "0")):
        return f"quantile={series.labels.get('quantile')!r} is not a number"
    if of.is_histogram and of.suffix in ("_bucket", "_count") and series.value < 0:
        return f"a histogram counts {series.value}"
    return None


def openmetrics(
    page: Buffer, start: int, stop: int, name: str, found: Sequence[tuple[int, Series]]
) -> Iterator[Series]:
    """The wanted series of an OpenMetrics page without those that repeat a time stamp; raises `Malformed`.

    `found` holds every series called `name` with the position of its line.
    """
    of = family(page, start, stop, name)
    _metadata(page, start, stop, of, found[0][0])
    run = _Run(of)
    for position, series in found:
        try:
            for rule in _RULES:
                cause = rule(of, series)
                if cause is not None:
                    raise Defect(cause)
            is_new = run.take(series)
        except Defect as defect:
            raise Malformed(grammar.line_number(page, start, position), str(defect)) from None
        if is_new:
            yield series
    if not run.is_complete:
        raise Malformed(grammar.line_number(page, start, found[-1][0]), f"{name} ends without the bucket for +Inf")


def _metadata(page: Buffer, start: int, stop: int, of: Family, first: int) -> None:
    for kind in (b"HELP", b"TYPE", b"UNIT"):
        for index, (place, text) in enumerate(_notes(page, start, stop, kind, of.name)):
            line = grammar.line_number(page, start, place)
            if index:
                raise Malformed(line, f"a second {kind.decode()} of {of.name}")
            if place > first:
                raise Malformed(line, f"{kind.decode()} of {of.name} comes after its samples")
            cause = _declaration(page, text, stop, kind, of.name)
            if cause is not None:
                raise Malformed(line, cause)


def _declaration(page: Buffer, text: int, stop: int, kind: bytes, name: str) -> str | None:
    """What is wrong with what a TYPE or UNIT line says at `text`."""
    if kind == b"HELP":
        return None
    end = page.find(b"\n", text, stop)
    word = bytes(page[text : stop if end < 0 else end])
    if kind == b"TYPE" and word not in OPENMETRICS_TYPES:
        return f"unknown metric type {word.decode('utf-8', 'replace')!r} of {name}"
    if kind == b"UNIT" and word and not name.encode().endswith(b"_" + word):
        return f"the unit of {name} is not the end of its name"
    return None


def _value(of: Family, series: Series) -> str | None:
    value = series.value
    if of.suffix in _COUNTING and math.isnan(value):
        return f"{series.name} is NaN, and counts"
    if of.suffix in _COUNTING and of.suffix != "_gsum" and value < 0:
        return f"{series.name} is {value}, and counts"
    if of.suffix in ("_bucket", "_count", "_gcount") and not value.is_integer():
        return f"{series.name} is {value}, and counts whole things"
    if of.kind == b"info" and value != 1:
        return f"{series.name} is an info and must be 1, not {value}"
    if of.kind == b"stateset" and value not in (0, 1):
        return f"{series.name} is a state and must be 0 or 1, not {value}"
    if of.kind == b"summary" and not of.suffix and value < 0:
        return f"a quantile of {series.name} is {value}"
    return None


def _label(of: Family, series: Series) -> str | None:
    if of.kind == b"stateset" and of.name not in series.labels:
        return f"{series.name} is a state without the label {of.name}"
    if of.suffix == "_bucket" and not _is_canonical(series.labels.get("le", "")):
        return f"le={series.labels.get('le')!r} is no bound of a bucket"
    if of.kind == b"summary" and not of.suffix:
        text = series.labels.get("quantile", "")
        if not _is_canonical(text) or not 0 <= float(text) <= 1:
            return f"quantile={series.labels.get('quantile')!r} is not between 0 and 1"
    return None


def _exemplar(of: Family, series: Series) -> str | None:
    if series.exemplar is None or of.kind == b"unknown":
        return None
    if not (of.is_histogram and of.suffix == "_bucket") and not (of.kind == b"counter" and of.suffix == "_total"):
        return f"{series.name} has an exemplar, which only buckets and counters may"
    if series.exemplar > _LONGEST_EXEMPLAR:
        return f"the labels of an exemplar have {series.exemplar} characters; {_LONGEST_EXEMPLAR} are allowed"
    return None


_RULES: tuple[Callable[[Family, Series], str | None], ...] = (_value, _label, _exemplar)


class _Run:
    """The order of the series of one name: groups stay together, time goes forward, buckets grow."""

    def __init__(self, of: Family) -> None:
        self._of = of
        self._apart = {"_bucket": "le", "": {b"summary": "quantile", b"stateset": of.name}.get(of.kind, "")}.get(
            of.suffix
        )
        self._group: frozenset[tuple[str, str]] | None = None
        self._groups: set[frozenset[tuple[str, str]]] = set()
        self._at: float | None = None
        self._here: set[frozenset[tuple[str, str]]] = set()
        self._bound, self._count = -math.inf, 0.0
        self.is_complete = True
        """Whether the last histogram seen has ended with its bucket for +Inf."""

    def take(self, series: Series) -> bool:
        """Whether the series is a new one, and not one with the time stamp of the one before it."""
        labels = frozenset(series.labels.items())
        is_info = self._of.kind == b"info"
        group = frozenset() if is_info else frozenset(pair for pair in labels if pair[0] != self._apart)
        # Nanoseconds: finer differences are none.
        at = None if series.at is None else math.floor(series.at * 1e9) / 1e9
        if group != self._group:
            if group in self._groups:
                raise Defect(f"the series of {series.name} with these labels do not stand together")
            self._groups.add(group)
            self._here = set()
        elif (at is None) != (self._at is None):
            raise Defect(f"{series.name} is given with a time stamp and without")
        elif at is not None and self._at is not None and at < self._at and not is_info:
            raise Defect(f"the time stamps of {series.name} go backwards")
        if self._of.is_histogram and self._of.suffix == "_bucket":
            self._bucket(series, is_same=group == self._group and at == self._at)
        is_new = at != self._at or labels not in self._here
        self._here.add(labels)
        self._group, self._at = group, at
        return is_new

    def _bucket(self, series: Series, *, is_same: bool) -> None:
        bound = float(series.labels["le"])
        if not is_same:
            if not self.is_complete:
                raise Defect(f"before this line {series.name} ends without the bucket for +Inf")
        elif bound <= self._bound:
            raise Defect(f"le={series.labels['le']!r} does not come after the bound before it")
        elif series.value < self._count:
            raise Defect(f"a cumulative bucket of {series.name} falls to {series.value}")
        self._bound, self._count = bound, series.value
        self.is_complete = bound == math.inf


_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_WORDS = frozenset({"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity", "nan"})


def _is_bound(text: str) -> bool:
    return _DECIMAL.fullmatch(text) is not None or text.lower() in _WORDS


def _is_canonical(text: str) -> bool:
    """Whether a bound or quantile is a number, and infinity spelled as OpenMetrics prescribes."""
    return _DECIMAL.fullmatch(text) is not None or text in ("+Inf", "-Inf")
