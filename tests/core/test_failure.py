"""The wording of a failure may be a stranger's: it stays one short line."""

import pytest

from podtide.core.model.reading import LONGEST_DETAIL, Failure, Reason


@pytest.mark.parametrize(
    ("detail", "shown"),
    [
        ("http://10.0.0.7:80/: HTTP 500", "http://10.0.0.7:80/: HTTP 500"),
        ("größer als 8 µs …", "größer als 8 µs …"),
        ("two\r\nlines\x1b[2J", "two··lines·[2J"),
    ],
)
def test_a_detail_is_printable(detail: str, shown: str) -> None:
    assert Failure(Reason.STATUS, detail).detail == shown


def test_a_long_detail_keeps_its_beginning_and_the_remedy_at_its_end() -> None:
    detail = Failure(Reason.NO_METRIC, "no such name: " + "x" * 100_000 + "; set targetMetric").detail
    assert len(detail) == LONGEST_DETAIL
    assert detail.startswith("no such name: ")
    assert detail.endswith("; set targetMetric")
