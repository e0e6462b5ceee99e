"""Properties of the reader: equal to prometheus_client's full parsers on pages made at random."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtide.core import exposition
from podtide.core.exposition import Malformed, grammar, hits
from tests.core import generated_openmetrics, generated_pages, pages

_PAGES = 100_000
_OPENMETRICS_PAGES = 20_000


def test_a_hundred_thousand_generated_pages_equal_the_full_parser() -> None:
    random_ = random.Random(20240229)
    reader = exposition.Reader(generated_pages.NAMES)
    refused = 0
    for _ in range(_PAGES // 2):
        made = generated_pages.make(random_)
        generated_pages.compare(made, reader)
        refused += generated_pages.compare_mutated(generated_pages.mutate(random_, made.page), reader)

    # Both outcomes must be common, or the mutations test nothing.
    assert _PAGES / 20 < refused < _PAGES / 2.5


def test_generated_openmetrics_pages_equal_the_full_parser_or_give_the_numbers_that_stand_there() -> None:
    random_ = random.Random(20240301)
    reader = exposition.Reader(generated_openmetrics.NAMES)
    taken = 0
    for _ in range(_OPENMETRICS_PAGES // 2):
        page = generated_openmetrics.make(random_)
        taken += generated_openmetrics.compare(page, reader, is_mutated=False)
        generated_openmetrics.compare(generated_pages.mutate(random_, page), reader, is_mutated=True)

    assert _OPENMETRICS_PAGES / 10 < taken < _OPENMETRICS_PAGES / 2.5


@pytest.mark.parametrize("names", [generated_pages.NAMES, ("queue_of_requests", "my:queue_of_requests"), ("queue",)])
def test_the_sweep_of_flooded_pages_finds_the_same(names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    random_ = random.Random(7)
    made = [generated_pages.make(random_) for _ in range(3000)]
    expected = [{name: series for name, series in each.series.items() if name in names} for each in made]

    monkeypatch.setattr(hits, "_FLOOD", 0)
    reader = exposition.Reader(names)

    for each, series in zip(made, expected, strict=True):
        found = reader.read(each.page)
        assert {name: [pages.plain(sample) for sample in samples] for name, samples in found.items()} == series


def test_the_short_way_reads_a_line_as_the_long_one_does() -> None:
    random_ = random.Random(11)
    made = (generated_pages.make(random_).page for _ in range(3000))
    texts = (text for page in made for text in (page, generated_pages.mutate(random_, page)))
    lines = {line for text in texts for line in text.split(b"\n")}
    short = 0
    for line in lines:
        for openmetrics in (False, True):
            assert _told(grammar.parse, line, openmetrics) == _told(grammar._term_by_term, line, openmetrics)
        short += grammar._PLAIN.fullmatch(line) is not None

    assert 500 < short < len(lines) - 500


def _told(parse: Callable[..., grammar.Series], line: bytes, openmetrics: bool) -> str:
    try:
        return repr(parse(line, openmetrics=openmetrics))
    except grammar.Defect as defect:
        return str(defect)


_CHARACTER = st.characters(exclude_categories=["Cs"])
_TEXT = st.text(_CHARACTER, max_size=12)
_KEY = st.text(_CHARACTER, min_size=1, max_size=8).filter(lambda key: key[:2] != "__")
_NUMBER = st.one_of(st.integers(-(2**70), 2**70).map(str), st.floats().map(repr))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@given(
    st.lists(st.tuples(_KEY, st.dictionaries(_KEY, _TEXT, max_size=3), _NUMBER, st.none() | st.integers(-9, 2**43))),
    st.sampled_from(("\n", "")),
)
@settings(max_examples=300, deadline=None)
def test_any_name_label_and_value(made: list[tuple[str, dict[str, str], str, int | None]], ending: str) -> None:
    lines, names = [], []
    for name, labels, value, at in made:
        terms = [_quoted(name), *(f"{_quoted(key)}={_quoted(text)}" for key, text in labels.items())]
        lines.append(f"{{{','.join(terms)}}} {value}{'' if at is None else f' {at}'}")
        names.append(name)
    page = ("\n".join(lines) + (ending if lines else "")).encode()

    found = exposition.read(page, names)

    assert {name: [pages.plain(sample) for sample in samples] for name, samples in found.items()} == pages.reference(
        page, openmetrics=False
    )


_FAMILY = st.tuples(
    st.sampled_from(("counter", "gauge", "histogram", "summary", "unknown", "info", "stateset")),
    st.lists(st.dictionaries(st.sampled_from(("a", "b", "model")), _TEXT, max_size=2), max_size=3),
    st.integers(0, 2**60),
    st.booleans(),
)


@given(st.lists(_FAMILY, max_size=5))
@settings(max_examples=300, deadline=None)
def test_openmetrics_pages(families: list[tuple[str, list[dict[str, str]], int, bool]]) -> None:
    lines: list[str] = []
    for index, (kind, groups, value, has_more) in enumerate(families):
        name = f"family_{index}"
        lines.append(f"# TYPE {name} {kind}")
        if has_more:
            lines.append(f'# HELP {name} {name} 5 {{a="b"}} 7')
        seen: list[dict[str, str]] = []
        for labels in groups:
            if kind != "info" and labels not in seen:
                lines += _series(name, kind, labels, value, has_more)
            seen.append(labels)
    page = "".join(f"{line}\n" for line in [*lines, "# EOF"]).encode()
    expected = pages.reference(page, openmetrics=True)

    found = exposition.read(page, list(expected), openmetrics=True)

    assert {name: [pages.plain(sample) for sample in samples] for name, samples in found.items()} == expected


def _series(name: str, kind: str, labels: dict[str, str], value: int, has_more: bool) -> list[str]:
    def one(suffix: str, number: object, more: dict[str, str] | None = None, after: str = "") -> str:
        terms = ",".join(f"{key}={_quoted(text)}" for key, text in {**labels, **(more or {})}.items())
        return f"{name}{suffix}{{{terms}}} {number}{after}"

    exemplar = ' # {trace="a b\\"} 9"} 0.5 1.5' if has_more else ""
    at = " 123.25" if has_more else ""
    match kind:
        case "counter":
            return [one("_total", value, after=exemplar), one("_created", 1.5)]
        case "histogram":
            buckets = [one("_bucket", value // 2, {"le": "1.0"}, exemplar), one("_bucket", value, {"le": "+Inf"})]
            return [*buckets, one("_count", value), one("_sum", value / 3)]
        case "summary":
            return [one("", value, {"quantile": "0.5"}), one("_count", value), one("_sum", value / 3)]
        case "stateset":
            return [one("", 1, {name: "on"}), one("", 0, {name: "off"})]
        case _:
            return [one("", value, after=at)]


@given(st.binary(max_size=80), st.booleans())
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_read_or_refused(page: bytes, openmetrics: bool) -> None:
    reader = exposition.Reader(["a", "\u00e4"])
    for text in (page, b"a" + page, b'{"a"' + page, page + b"\n# EOF\n"):
        defects = [exposition.check(text, openmetrics=openmetrics)]
        try:
            reader.read(text, openmetrics=openmetrics)
        except Malformed as malformed:
            defects.append(malformed)
        assert all(defect is None or 1 <= defect.line <= text.count(b"\n") + 1 for defect in defects)
