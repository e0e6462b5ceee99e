"""`podtide probe` on pages at hand: as JSON it equals the full parser; what goes wrong is told."""

import gzip
import json
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from podtide.cli.main import main
from podtide.core import names
from tests.core import pages

FACTS = [
    pytest.param(fact, id=f"{fact['page']} {fact['metric']}")
    for fact in pages.table("facts.json")["facts"]
    if fact["page"] in pages.valid() or fact["page"] + ".gz" in pages.valid()
]


@cache
def full_parse(name: str) -> dict[str, list[pages.Plain]]:
    """Every series of a page, as `prometheus_client` reads it; nothing where it refuses the page."""
    try:
        return pages.reference(pages.valid()[name], openmetrics=pages.is_openmetrics(name))
    except (ValueError, UnicodeDecodeError):
        return {}


def podtide(*arguments: str) -> int:
    return main(["probe", *arguments])


def probe(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The JSON that is printed, and nothing besides."""
    code = podtide(*arguments, "--json")
    printed = json.loads(capsys.readouterr().out)
    assert isinstance(printed, dict)
    assert code == (1 if printed["value"] is None else 0)
    return printed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference pages as files."""
    directory = tmp_path_factory.mktemp("pages")
    for name, content in pages.valid().items():
        (directory / name.removesuffix(".gz").replace("/", "_")).write_bytes(content)
    return directory


@pytest.mark.parametrize("fact", FACTS)
def test_the_json_equals_the_full_parser(
    fact: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, metric = fact["page"].removesuffix(".gz"), fact["metric"]
    seen = probe(capsys, "--page", str(folder / name), "--metric", metric)
    full = full_parse(fact["page"] if fact["page"] in pages.valid() else f"{name}.gz")
    wanted = next((full[each] for each in names.candidates(metric) if full.get(each)), [])
    assert seen["samples"] == len(wanted)
    listed = [(each["labels"], each["value"]) for each in seen["series"]]
    assert listed == [(dict(labels), _json(value)) for labels, value, _ in wanted]
    # The total under an empty priority holds those under each; all are shown.
    assert [each["counted"] for each in seen["series"]] == [not labels.get("priority") for labels, _, _ in wanted]
    numbers = [float(value) for labels, value, _ in wanted if not labels.get("priority")]
    assert seen["metric"] == metric
    if not numbers or not all(map(math.isfinite, numbers)):
        assert seen["value"] is None
        assert seen["failure"]["reason"] in {"MetricNotFound", "NotANumber"}
        return
    total = math.fsum(numbers)
    assert seen["value"] == pytest.approx(total / len(numbers) if names.is_ratio(metric) else total, rel=1e-12)


def _json(value: float | str) -> float | str:
    return value if isinstance(value, float) and math.isfinite(value) else str(value)


@pytest.mark.parametrize("name", sorted(pages.valid()))
def test_every_name_of_a_page_has_as_many_samples_as_the_full_parser_finds(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first, the middle and the last name of each page; a page that the full parser refuses has none here."""
    path = folder / name.removesuffix(".gz").replace("/", "_")
    full = full_parse(name)
    every = [metric for metric in full if names.candidates(metric) == (metric,)]
    for metric in {every[0], every[len(every) // 2], every[-1]} if every else set():
        seen = probe(capsys, "--page", str(path), f"--metric={metric}")
        if "failure" in seen and seen["failure"]["reason"] == "MalformedPage":
            continue  # pages on which the references disagree; `test_exposition_pages` settles each
        assert seen["samples"] == len(full[metric]), metric


_REFUSED_BY_ALL = [
    entry["file"]
    for entry in pages.table("invalid/index.json")["files"]
    if all("error" in verdict for verdict in entry["verdicts"].values())
]


def test_no_number_is_given_of_a_page_that_every_reference_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in _REFUSED_BY_ALL:
        content = pages.files()[f"invalid/{name}"]
        path = tmp_path / name
        path.write_bytes(content)
        for metric in sorted(pages.names(content) | {"a", "metric"}):
            seen = probe(capsys, "--page", str(path), f"--metric={metric}")
            assert seen["value"] is None, (name, metric)
            assert seen["failure"]["reason"] == "MalformedPage", (name, metric)
            assert re.match(r"(the page: )?line [0-9]+: ", seen["failure"]["detail"]), (name, metric)


@pytest.mark.parametrize(
    ("arguments", "read_as"),
    [
        pytest.param(["x.prom"], "OpenMetrics 1.0", id="an end mark that is not at the end"),
        pytest.param(["x.prom", "--format", "text"], "Prometheus text 0.0.4", id="told to be text"),
    ],
)
def test_what_stands_after_an_end_mark_spoils_openmetrics_only(
    arguments: list[str], read_as: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / arguments[0]
    path.write_text("a 1\n# EOF\nb 2\n")
    seen = probe(capsys, "--page", str(path), "--metric", "a", *arguments[1:])
    assert seen["facts"]["read as"] == read_as
    assert seen["value"] == (None if "Open" in read_as else 1.0)


def test_a_defect_elsewhere_on_the_page_is_told_beside_the_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "page.prom"
    path.write_text("a 1\nb one\n")
    seen = probe(capsys, "--page", str(path), "--metric", "a")
    assert seen["value"] == 1.0
    assert seen["facts"]["elsewhere"].startswith("line 2: ")
    assert podtide("--page", str(path), "--metric", "b") == 1
    assert "→ report it to whoever makes the page" in capsys.readouterr().out


PAGE = """\
# TYPE load gauge
load{model="a",le="x"} 3
load{model="b"} 4
broken NaN
# TYPE latency histogram
latency_bucket{le="0.5"} 60
latency_bucket{le="1"} 100
latency_bucket{le="+Inf"} 100
latency_sum 40
latency_count 100
"""


@pytest.fixture
def page(tmp_path: Path) -> str:
    path = tmp_path / "page.prom"
    path.write_text(PAGE)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "value", "samples"),
    [
        pytest.param(["--metric", "load"], 7.0, 2, id="a sum"),
        pytest.param(["--metric", "load", "--match", "model=b"], 4.0, 1, id="one label"),
        pytest.param(["--metric", "load", "--aggregation", "max"], 4.0, 2, id="the highest"),
        pytest.param(["--metric", "latency", "--quantile", "0.9"], 0.875, 3, id="a quantile of all so far"),
    ],
)
def test_what_is_asked_for(
    arguments: list[str], value: float, samples: int, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = probe(capsys, "--page", page, *arguments)
    assert (seen["value"], seen["samples"]) == (pytest.approx(value), samples)


@pytest.mark.parametrize(
    ("arguments", "reason", "said"),
    [
        pytest.param(["--metric", "laod"], "MetricNotFound", "names like it on the page: load", id="a slip"),
        pytest.param(["--metric", "load", "--match", "model=c"], "NoSeriesMatch", 'one of: "a", "b"', id="no series"),
        pytest.param(["--metric", "broken"], "NotANumber", "broken{} is nan", id="no number"),
    ],
)
def test_what_is_missing(
    arguments: list[str], reason: str, said: str, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = probe(capsys, "--page", page, *arguments)
    assert seen["failure"]["reason"] == reason
    assert said in seen["failure"]["detail"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--page", "/nowhere"], "--metric is missing", id="no metric"),
        pytest.param(["--page", "/nowhere", "--metric", "x"], "No such file", id="no page"),
        pytest.param(["--page", "-", "--metric", "x", "--match", "a"], "has no value", id="half a label"),
        pytest.param(["--page", "-", "--metric", "x", "--quantile", "95"], "is not between 0 and 1", id="per cent"),
        pytest.param(["--page", "-", "--json-path", "a"], "does not begin with $", id="no JSON path"),
        pytest.param(["--pod", "web-1", "--json-path", "$"], "never read as JSON", id="a pod's JSON"),
    ],
)
def test_what_cannot_be_done(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert podtide(*arguments) == 1
    assert said in capsys.readouterr().err


def test_a_damaged_archive_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.gz"
    page.write_bytes(gzip.compress(b"up 1\n")[:10] + b"\xff" * 20)

    assert podtide("--page", str(page), "--metric", "up") == 1
    assert "podtide: Error" in capsys.readouterr().err


def test_people_see_series_and_value(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert podtide("--page", page, "--metric", "load") == 0
    printed = capsys.readouterr().out
    assert '  load{model="a",le="x"} 3\n' in printed
    assert printed.endswith("load = 7\n")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param("$.shards[-1].depth", 12.0, "", id="a number in a text"),
        pytest.param("$.shards[2]", None, "$['shards'] has no [2]; it is a list of 2", id="nothing there"),
    ],
)
def test_a_number_of_a_json_document(
    path: str, value: float | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "stats.json"
    page.write_text('{"shards": [{"depth": 3}, {"depth": "12"}]}')
    seen = probe(capsys, "--page", str(page), "--json-path", path)
    assert (seen["metric"], seen["value"], seen["facts"]["read as"]) == (path, value, "JSON")
    assert said in seen.get("failure", {}).get("detail", "")


def test_a_url_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert podtide("ftp://x", "--metric", "load") == 1
    assert '"ftp://x" is no URL' in capsys.readouterr().out
