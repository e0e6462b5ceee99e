"""Load over time, read from text: CSV as in the trace collections, or a Prometheus range query's JSON. `cli` calls it.

What is wrong is said with its line and a fix, and nothing is guessed: a hole is not a load of zero unless asked for.
"""

import csv
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Gaps = Literal["refuse", "zero", "hold"]
"""What a missing interval means: a mistake, no load, or the load of the interval before."""

TOKENS = ("input_tokens", "output_tokens")
_NEEDED = ("t_seconds", "requests")
_SLACK = 0.01
"""Share of an interval by which a time stamp may be off."""
MOST = 20_000_000
"""Intervals of one trace, filled holes included: seven months of seconds. More is a time stamp gone wrong."""


class TraceError(ValueError):
    """Something in a trace that makes it useless; the text says where, what, and what to write instead."""

    def __init__(self, name: str, line: int | None, text: str) -> None:
        where = name if line is None else f"{name}:{line}"
        super().__init__(f"{where}: {text}")


@dataclass(frozen=True, slots=True)
class Trace:
    """A load, in equal intervals from 0 on."""

    name: str
    width: float
    """Seconds of one interval."""
    requests: tuple[float, ...]
    """Requests that arrive in each interval; not a rate."""
    input_tokens: tuple[float, ...] | None = None
    """Their prompts' tokens, added up over each interval."""
    output_tokens: tuple[float, ...] | None = None

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.width * len(self.requests)

    def part(self, begin: float, end: float) -> "Trace":
        """The intervals from `begin` to `end` seconds, from 0 on again. Raises TraceError where there are none."""
        first, last = math.ceil(begin / self.width), math.floor(min(end, self.duration) / self.width)
        if last <= first:
            until = f"{end:.15g} s" if math.isfinite(end) else "its end"
            text = f"has {self.duration:.15g} s, and nothing from {begin:.15g} s to {until}; give times within it"
            raise TraceError(self.name, None, text)
        cut = slice(first, last)
        return replace(
            self,
            requests=self.requests[cut],
            input_tokens=self.input_tokens[cut] if self.input_tokens else None,
            output_tokens=self.output_tokens[cut] if self.output_tokens else None,
        )

    def times(self, factor: float) -> "Trace":
        """The same course with so many times the requests, each with as many tokens as before."""

        def scaled(values: tuple[float, ...] | None) -> tuple[float, ...] | None:
            return tuple(value * factor for value in values) if values else None

        return replace(
            self,
            requests=tuple(value * factor for value in self.requests),
            input_tokens=scaled(self.input_tokens),
            output_tokens=scaled(self.output_tokens),
        )


def parse(text: str, name: str, *, gaps: Gaps = "refuse") -> Trace:
    """The trace that a text holds: JSON where it begins with a brace, else CSV. Raises TraceError."""
    # Spreadsheets put a byte order mark before what they save as UTF-8.
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise TraceError(name, None, "is empty; the first line is t_seconds,requests[,input_tokens,output_tokens]")
    if text.lstrip().startswith("{"):
        return _trace(name, list(_from_prometheus(text, name)), (), gaps)
    reader = csv.reader(text.splitlines())
    try:
        return _from_csv(reader, name, gaps)
    except csv.Error as error:
        raise TraceError(name, reader.line_num, f"is not CSV: {error}") from error


def _from_csv(reader: Iterator[Sequence[str]], name: str, gaps: Gaps) -> Trace:
    header = [column.strip() for column in next(reader)]
    missing = [column for column in _NEEDED if column not in header]
    if missing:
        text = f"has no column {' and no column '.join(missing)}; it begins with {','.join(header)[:80]!r}, write "
        raise TraceError(name, 1, text + "t_seconds,requests[,input_tokens,output_tokens]")
    tokens = tuple(column for column in TOKENS if column in header)
    if len(tokens) == 1:
        other = next(column for column in TOKENS if column not in tokens)
        raise TraceError(name, 1, f"has {tokens[0]} without {other}; give both or neither")
    return _trace(name, list(_rows(reader, header, (*_NEEDED, *tokens), name)), tokens, gaps)


_Row = tuple[int | None, tuple[float, ...]]
"""The line, if it has one, and the columns."""


def _rows(reader: Iterable[Sequence[str]], header: Sequence[str], columns: Sequence[str], name: str) -> Iterator[_Row]:
    places = [header.index(column) for column in columns]
    for line, row in enumerate(reader, 2):
        if not row:
            continue
        if len(row) != len(header):
            raise TraceError(name, line, f"has {len(row)} values where the first line names {len(header)}")
        yield line, tuple(_number(row[at], column, name, line) for at, column in zip(places, columns, strict=True))


def _number(text: str, column: str, name: str, line: int) -> float:
    text = text.strip()
    try:
        value = float(text)
    except ValueError:
        what = f'"{text}" is not a number' if text else "is missing"
        raise TraceError(name, line, f"{column} {what}; write a number, 0 for no load") from None
    if not math.isfinite(value):
        raise TraceError(name, line, f"{column} {text} is no load; write a number, or leave the row out and say --gaps")
    if value < 0:
        raise TraceError(name, line, f"{column} {text} is negative; write 0 or more")
    return value


def _from_prometheus(text: str, name: str) -> Iterator[_Row]:
    """Rates per second at each step, series added up, as requests in the step."""
    sums: dict[float, float] = {}
    for series in _matrix(text, name):
        for at, value in _samples(series, name):
            sums[at] = sums.get(at, 0.0) + value
    if len(sums) < 2:
        raise TraceError(name, None, f"holds {len(sums)} samples; a range of at least two steps is needed")
    stamps = sorted(sums)
    step = min(after - before for before, after in itertools.pairwise(stamps))
    for at in stamps:
        yield None, (at, sums[at] * step)


def _matrix(text: str, name: str) -> Sequence[Any]:
    """The series of a range query's answer."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TraceError(name, getattr(error, "lineno", None), f"is not JSON: {error}") from None
    if answer.get("status") == "error":
        raise TraceError(name, None, f"holds Prometheus' error {answer.get('error')!r}; save the answer of a query")
    data = answer.get("data")
    kind = data.get("resultType") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or kind != "matrix":
        raise TraceError(name, None, f"holds a result of type {kind!r}; save the answer of /api/v1/query_range")
    found = data.get("result")
    if not isinstance(found, list):
        raise TraceError(name, None, f"data.result is {_short(found)}; save the answer of /api/v1/query_range")
    return found


def _samples(series: Any, name: str) -> Iterator[tuple[float, float]]:
    pairs = series.get("values", []) if isinstance(series, Mapping) else None
    if not isinstance(pairs, list):
        text = f'a series is {_short(series)}; write {{"metric": {{…}}, "values": [[seconds, "number"], …]}}'
        raise TraceError(name, None, text)
    for number, pair in enumerate(pairs, 1):
        try:
            at, value = float(pair[0]), float(pair[1])
        except (TypeError, ValueError, LookupError, OverflowError):
            text = f'sample {number} is {_short(pair)}; write [seconds, "number"]'
            raise TraceError(name, None, text) from None
        if not math.isfinite(at):
            raise TraceError(name, None, f'sample {number} is of the time {at}; write [seconds, "number"]')
        if not math.isfinite(value) or value < 0:
            raise TraceError(name, None, f"sample {number} is {pair[1]}; a rate of requests is 0 or more")
        yield at, value


def _short(value: object) -> str:
    return repr(value)[:80]


def _trace(name: str, rows: Sequence[_Row], tokens: Sequence[str], gaps: Gaps) -> Trace:
    if not rows:
        raise TraceError(name, None, "has a first line and no rows; write at least one interval")
    # A hole may come first, so the shortest step counts.
    steps = [after[1][0] - before[1][0] for before, after in itertools.pairwise(rows)]
    width = min((step for step in steps if step > 0), default=1.0)
    columns: list[list[float]] = [[] for _ in (_NEEDED[1], *tokens)]
    begin = rows[0][1][0]
    for line, values in rows:
        wanted = begin + len(columns[0]) * width
        _follow(name, line, values[0], wanted, width, columns, gaps)
        for column, value in zip(columns, values[1:], strict=True):
            column.append(value)
    requests, *sums = (tuple(column) for column in columns)
    if not any(requests):
        raise TraceError(name, None, "holds no request at all; there is nothing to simulate")
    return Trace(name, width, requests, *sums)


def _follow(
    name: str, line: int | None, at: float, wanted: float, width: float, columns: Sequence[list[float]], gaps: Gaps
) -> None:
    """Fill the intervals between the last row and this one, or refuse them."""
    # With all digits: by six, 1714512600 and the second after it look alike.
    off, when = at - wanted, f"t_seconds {at:.15g}"
    if off < -_SLACK * width:
        raise TraceError(name, line, f"{when} comes after {wanted - width:.15g}; sort the rows, one per interval")
    if len(columns[0]) + off / width > MOST:
        text = f"{when} is {off / width:.3g} intervals of {width:g} s after the row before, and a trace has "
        raise TraceError(name, line, text + f"{MOST:.0e} at most; correct the time, or make the intervals longer")
    count = round(off / width)
    if abs(off - count * width) > _SLACK * width:
        raise TraceError(name, line, f"{when} is not a multiple of the {width:g} s between the other rows")
    if count and gaps == "refuse":
        missing = f"{count} intervals of {width:g} s are" if count > 1 else f"an interval of {width:g} s is"
        text = f"{missing} missing before {when}; write what is missing, or say "
        raise TraceError(name, line, text + "--gaps zero (no load) or --gaps hold (the load before)")
    for _ in range(count):
        for column in columns:
            column.append(column[-1] if gaps == "hold" and column else 0.0)
