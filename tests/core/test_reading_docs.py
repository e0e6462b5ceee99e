"""What docs/sources.md says about reading a page is so."""

import re
from pathlib import Path

import pytest

from podtide.core import exposition, jsonpath, names
from podtide.core.exposition import Malformed

_TEXT = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()
_NAMES = re.findall(r"^\| `([\w:]+)` \| (\w+) \| (`[^|]*`) \|$", _TEXT, re.MULTILINE)


@pytest.mark.parametrize(("metric", "engine", "expected"), _NAMES)
def test_the_table_of_names(metric: str, engine: str, expected: str) -> None:
    assert names.candidates(metric, engine) == tuple(re.findall(r"`([^`]+)`", expected))


def test_the_table_of_names_is_found() -> None:
    assert len(_NAMES) >= 4


def test_the_json_example() -> None:
    example = re.search(r"For `(\{.*\})`, `(\$[^`]*)` is (\d+)", _TEXT)
    assert example is not None
    assert jsonpath.value(example[1].encode(), example[2]) == float(example[3])


@pytest.mark.parametrize(
    ("page", "row"),
    [
        pytest.param(b"a 1", "| no final line break | takes", id="no final line break"),
        pytest.param(b"a 1\r\n", "| CR LF line ends | refuses", id="CR LF"),
        pytest.param(b" a 1 \n", "| space before or after a sample | takes", id="space"),
        pytest.param(b"a 1 -1\n", "| negative time stamp | refuses", id="negative time stamp"),
        pytest.param(b'a{b="c",b="c"} 1\n', "| label given twice | takes", id="label twice"),
        pytest.param(b'a{b="\\d"} 1\n', "| unknown escape, text format | takes", id="unknown escape"),
    ],
)
def test_the_table_of_differences(page: bytes, row: str) -> None:
    line = next(line for line in _TEXT.splitlines() if line.startswith(row))
    try:
        verdict = "takes" if exposition.read(page, ["a"])["a"][0].value == 1 else "reads wrong"
    except Malformed:
        verdict = "refuses"

    assert line.split("|")[-2].strip() == verdict
