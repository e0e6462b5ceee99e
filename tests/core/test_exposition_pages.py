"""The reader against the pages of real servers and of the reference parsers' own tests."""

import math
import re

import pytest

from podtide.core import exposition
from podtide.core.exposition import Malformed
from tests.core import pages

# Pages that prometheus_client refuses but another reference takes: the names that cannot be read, with the reason.
_OF_BOTH = {
    "ggh_count": "has an exemplar",
    "gh_count": "has an exemplar",
    "hhh_count": "has an exemplar",
    "smr_seconds_count": "has an exemplar",
    "smr_seconds_sum": "has an exemplar",
    "ss": "is a state without the label ss",
}
_REFUSED = {
    "prometheus-nhcb-test.om.prom": _OF_BOTH,
    "prometheus-parse-test.om.prom": _OF_BOTH,
    "prometheus-parse-test.prom": {"go_gc_duration_seconds": "a comma or a brace must follow label quantile"},
    "prometheus-alltypes-5mfs.om.prom": {
        "rpc_durations_histogram_seconds_sum": "and counts",
        "rpc_durations_seconds": "a quantile of rpc_durations_seconds is -",
        "rpc_durations_seconds_sum": "and counts",
    },
}
# OpenMetrics series that stand there again without another time stamp count once, as in prometheus_client.
_REPEATED = {"prometheus-parse-test-utf8.om.prom": 2}
# Series that no answer is given for beyond those: invalid pages from which a number is nevertheless right, because the
# defect lies outside the series of that name and the references disagree about the page.
_STILL_RIGHT = {
    "expfmt-00.prom": {"bla", "blubber"},
    "expfmt-14.prom": {"metric"},
    "expfmt-43.prom": {"request_duration_microseconds_bucket", "request_duration_microseconds_sum"},
    "expfmt-44.prom": {"request_duration_microseconds_count", "request_duration_microseconds_sum"},
    "expfmt-45.prom": {"request_duration_microseconds_bucket", "request_duration_microseconds_sum"},
    "expfmt-46.prom": {"request_duration_microseconds_count", "request_duration_microseconds_sum"},
    "openmetrics-bad-counter-values-13.om.prom": {"a_bucket", "a_gsum"},
    "openmetrics-bad-counter-values-14.om.prom": {"a_bucket"},
    "openmetrics-bad-counter-values-8.om.prom": {"a_bucket"},
    "openmetrics-bad-counter-values-9.om.prom": {"a_bucket", "a_sum"},
    "openmetrics-bad-grouping-or-ordering-0.om.prom": {"a_bucket", "a_count", "a_sum"},
    "openmetrics-bad-grouping-or-ordering-2.om.prom": {"a_gcount", "a_gsum"},
    "openmetrics-bad-grouping-or-ordering-3.om.prom": {"a_sum", "quantile"},
    "openmetrics-bad-histograms-0.om.prom": {"a_sum"},
    "openmetrics-bad-histograms-1.om.prom": {"a_bucket", "a_sum"},
    "openmetrics-bad-histograms-11.om.prom": {"a_bucket", "a_count"},
    "openmetrics-bad-histograms-13.om.prom": {"a_bucket", "a_count"},
    "openmetrics-bad-histograms-14.om.prom": {"a_bucket", "a_gcount"},
    "openmetrics-bad-histograms-2.om.prom": {"a_bucket", "a_count"},
    "openmetrics-bad-histograms-3.om.prom": {"a_bucket", "a_count", "a_sum"},
    "openmetrics-bad-histograms-6.om.prom": {"a_gsum"},
    "openmetrics-bad-histograms-7.om.prom": {"a_bucket", "a_gcount", "a_gsum"},
    "openmetrics-bad-histograms-8.om.prom": {"a_bucket", "a_gsum"},
}


_LONG = 300_000
"""Bytes of a page that are compared."""

_VERDICTS = pages.table("expected.json")["pages"]


def _verdict(name: str, parser: str) -> dict[str, object]:
    found = _VERDICTS[name]["openmetrics" if pages.is_openmetrics(name) else "text"][parser]
    assert isinstance(found, dict)
    return found


_TAKEN = sorted(name for name in _VERDICTS if "samples" in _verdict(name, "prometheus_client"))
_TAKEN_BY_PROMETHEUS_ONLY = sorted(
    name for name in _VERDICTS if name not in _TAKEN and "samples" in _verdict(name, "prometheus")
)
_INVALID = pages.table("invalid/index.json")["files"]
_REFUSED_BY_ALL = [entry for entry in _INVALID if all("error" in verdict for verdict in entry["verdicts"].values())]


@pytest.mark.parametrize("name", _TAKEN)
def test_every_series_of_every_page_equals_the_full_parser(name: str) -> None:
    # The full parser takes seconds for the largest pages; the text format may end after any line.
    page, openmetrics = pages.valid()[name], pages.is_openmetrics(name)
    if len(page) > _LONG:
        page = page[: page.index(b"\n", _LONG) + 1]
    expected = pages.reference(page, openmetrics=openmetrics)

    found = exposition.Reader(expected).read(page, openmetrics=openmetrics)

    assert {series: [pages.plain(sample) for sample in samples] for series, samples in found.items()} == expected


@pytest.mark.parametrize("name", _TAKEN_BY_PROMETHEUS_ONLY)
def test_no_series_is_lost_where_only_prometheus_takes_the_page(name: str) -> None:
    page, openmetrics = pages.valid()[name], pages.is_openmetrics(name)
    refused = _REFUSED.get(name, {})

    count = _REPEATED.get(name, 0)
    for series in pages.names(page):
        if series in refused:
            with pytest.raises(Malformed, match=re.escape(refused[series])):
                exposition.read(page, [series], openmetrics=openmetrics)
            count += len(re.findall(rb"^" + series.encode() + rb"[ {]", page, re.MULTILINE))
        else:
            count += len(exposition.Reader([series]).read(page, openmetrics=openmetrics).get(series, []))

    assert count == _verdict(name, "prometheus")["samples"]


@pytest.mark.parametrize(
    "fact", pages.table("facts.json")["facts"], ids=lambda fact: f"{fact['page']}-{fact['metric']}"
)
def test_facts(fact: dict[str, object]) -> None:
    name, metric = str(fact["page"]), str(fact["metric"])
    page = pages.valid()[name]

    found = exposition.Reader([metric]).read(page, openmetrics=pages.is_openmetrics(name)).get(metric, [])

    series = fact["series"]
    assert isinstance(series, list)
    assert [pages.plain(sample)[:2] for sample in found] == [
        (entry["labels"], _number(entry["value"])) for entry in series
    ]


def _number(value: float | str) -> float | str:
    return "nan" if math.isnan(float(value)) else float(value)


@pytest.mark.parametrize("entry", _INVALID, ids=lambda entry: entry["file"])
def test_an_invalid_page_gives_a_failure_or_the_right_number(entry: dict[str, object]) -> None:
    page = pages.files()[f"invalid/{entry['file']}"]
    openmetrics = str(entry["format"]).startswith("openmetrics")
    verdicts = entry["verdicts"]
    assert isinstance(verdicts, dict)
    right = set()
    defects: list[Malformed] = []
    for name in pages.names(page) | {"metric", "a", "up"}:
        try:
            samples = exposition.read(page, [name], openmetrics=openmetrics).get(name, [])
        except Malformed as malformed:
            defects.append(malformed)
            continue
        if samples:
            right.add(name)
            # What is left of each line after its name and labels begins with the number.
            lines = re.findall(rb"^" + name.encode() + rb"(?:\{.*\})? ([^ \n]+)", page, re.MULTILINE)
            assert [sample.value for sample in samples] == [float(text) for text in lines]

    assert right == _STILL_RIGHT.get(str(entry["file"]), set())
    assert all(1 <= defect.line <= page.count(b"\n") + 1 and defect.cause for defect in defects)
    if right:
        assert any("samples" in verdict for verdict in verdicts.values()), "all references refuse this page"


@pytest.mark.parametrize("entry", _REFUSED_BY_ALL, ids=lambda entry: entry["file"])
def test_the_check_of_a_whole_page_finds_what_all_references_refuse(entry: dict[str, object]) -> None:
    page = pages.files()[f"invalid/{entry['file']}"]

    found = exposition.check(page, openmetrics=str(entry["format"]).startswith("openmetrics"))

    assert found is not None
    assert found.cause


@pytest.mark.parametrize("name", _TAKEN)
def test_the_check_of_a_whole_page_takes_what_prometheus_client_takes(name: str) -> None:
    assert exposition.check(pages.valid()[name], openmetrics=pages.is_openmetrics(name)) is None
