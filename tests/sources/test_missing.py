"""Why a metric is not on a page, told without looking at every page."""

from podtide.core import select
from podtide.core.model.reading import Reason
from podtide.sources import missing


class _Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_broken_page_is_looked_over_once_a_minute() -> None:
    seconds = _Seconds()
    looks = missing.Looks("up", seconds, missing.Turns())

    first = looks.why(b"down one\n", "text/plain", "vllm")
    seconds.now += missing.PAUSE - 1
    again = looks.why(b"\ndown one\n", "text/plain", "vllm")
    seconds.now += 1
    later = looks.why(b"\ndown one\n", "text/plain", "vllm")

    assert first.reason is Reason.PARSE
    assert "line 1" in first.detail
    assert again is first
    assert later.reason is Reason.PARSE
    assert "line 2" in later.detail


def test_names_like_the_missing_one_are_remembered_as_well() -> None:
    seconds = _Seconds()
    looks = missing.Looks("uptime", seconds, missing.Turns())

    first = looks.why(b"uptimes 1\n", "text/plain", "vllm")

    assert first.reason is Reason.NO_METRIC
    assert "uptimes" in first.detail
    assert looks.why(b"x 1\n", "text/plain", "vllm") is first


def test_only_the_beginning_of_a_large_page_is_looked_over() -> None:
    page = b"uptimes 1\n" + b"# some words\n" * 100_000 + b"down one\nuptimer 1\n"
    looks = missing.Looks("uptime", _Seconds(), missing.Turns())

    found = looks.why(page, "text/plain", "vllm")

    assert found.reason is Reason.NO_METRIC
    assert "uptimes" in found.detail
    assert "uptimer" not in found.detail
    # Whoever asks without a limit is told of the defect.
    assert select.missing(page, "uptime").reason is Reason.PARSE


def test_an_openmetrics_page_is_not_broken_by_being_cut() -> None:
    page = b"uptimes 1\n" + b"# HELP x some words\n" * 100_000 + b"# EOF\n"

    found = missing.Looks("uptime", _Seconds(), missing.Turns()).why(page, "application/openmetrics-text", "vllm")

    assert found.reason is Reason.NO_METRIC


def test_many_metrics_that_are_missing_take_turns() -> None:
    """One tenant's hundred must not hold everybody up; each is told of in the end."""
    seconds, turns = _Seconds(), missing.Turns()
    each = [missing.Looks(f"uptime_{number}", seconds, turns) for number in range(20)]
    page = b"uptimes 1\n" + b"# some words\n" * 100_000

    def told() -> int:
        return sum("uptimes" in looks.why(page, "text/plain", "vllm").detail for looks in each)

    assert told() == 1
    assert "no series named uptime_19" in each[19].why(page, "text/plain", "vllm").detail
    seconds.now += 9.0
    assert told() == 1
    for _ in range(20):
        seconds.now += missing.MOST / missing.PER_SECOND + 1.0
        count = told()
    assert count == 20
