"""The series of one pod become one number, or a failure that says what to do."""

import math

import pytest

from podtide.core import exposition, names, select
from podtide.core.model.reading import Failure, Reason, Sample
from podtide.core.model.spec import Aggregation, LabelMatch, Select
from tests.core import pages

_SERIES = [
    Sample("queue", {"model": "a", "state": "on"}, 1.0),
    Sample("queue", {"model": "b", "state": ""}, 2.0),
    Sample("queue", {"model": "c"}, 6.0),
]


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [(Aggregation.SUM, 9.0), (Aggregation.AVG, 3.0), (Aggregation.MAX, 6.0), (Aggregation.MIN, 1.0)],
)
def test_aggregation(aggregation: Aggregation, expected: float) -> None:
    assert select.value(_SERIES, Select("queue", aggregation=aggregation)) == expected


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        pytest.param([LabelMatch("model", "In", ("a", "c"))], 7.0, id="in"),
        pytest.param([LabelMatch("model", "NotIn", ("a", "c"))], 2.0, id="not in"),
        pytest.param([LabelMatch("state", "NotIn", ("on",))], 8.0, id="a series without the label is not in"),
        pytest.param([LabelMatch("state", "Exists")], 1.0, id="exists: an empty label does not"),
        pytest.param([LabelMatch("state", "DoesNotExist")], 8.0, id="does not exist"),
        pytest.param([LabelMatch("state", "In", ("",))], 8.0, id="empty is missing"),
        pytest.param([LabelMatch("state", "In", ("",)), LabelMatch("model", "In", ("c",))], 6.0, id="all must be met"),
    ],
)
def test_labels(matches: list[LabelMatch], expected: float) -> None:
    assert select.value(_SERIES, Select("queue", tuple(matches))) == expected


def test_a_missing_metric_is_not_zero() -> None:
    assert select.value([], Select("queue")) == Failure(Reason.NO_METRIC)
    assert select.series([], Select("queue")) == Failure(Reason.NO_METRIC)


def test_labels_that_no_series_has_name_those_there_are() -> None:
    wanted = Select("queue", (LabelMatch("model", "In", ("z",)), LabelMatch("zone", "Exists")))

    for failure in (select.value(_SERIES, wanted), select.series(_SERIES, wanted)):
        assert isinstance(failure, Failure)
        assert failure.reason == Reason.NO_SERIES
        assert failure.detail == (
            'none of the 3 series of queue has the wanted labels; model is one of: "a", "b", "c"; zone is one of: ""'
        )


def test_a_message_lists_only_some_of_many_values() -> None:
    many = [Sample("queue", {"pod": f"{index:03}"}, 1.0) for index in range(500)]

    failure = select.value(many, Select("queue", (LabelMatch("pod", "In", ("z",)),)))

    assert isinstance(failure, Failure)
    assert failure.detail.endswith('"008", "009", …')


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("aggregation", list(Aggregation))
def test_one_series_that_is_no_number_spoils_the_result(value: float, aggregation: Aggregation) -> None:
    odd = Sample("queue", {"model": "d"}, value)

    for series in ([odd], [*_SERIES, odd], [odd, *_SERIES]):
        failure = select.value(series, Select("queue", aggregation=aggregation))
        assert failure == Failure(Reason.NOT_A_NUMBER)
        assert isinstance(failure, Failure)
        assert 'queue{model="d"} is' in failure.detail


def test_a_series_that_does_not_count_may_be_no_number() -> None:
    series = [*_SERIES, Sample("queue", {"model": "d"}, math.nan)]

    assert select.value(series, Select("queue", (LabelMatch("model", "NotIn", ("d",)),))) == 9.0


def test_a_sum_beyond_a_double_is_no_number() -> None:
    series = [Sample("queue", {"a": str(index)}, 1.7e308) for index in range(3)]

    assert select.value(series, Select("queue")) == Failure(Reason.NOT_A_NUMBER)
    assert select.value(series, Select("queue", aggregation=Aggregation.MAX)) == 1.7e308


@pytest.mark.parametrize(("metric", "total"), [("sglang:num_running_reqs", 162.0), ("sglang:num_queue_reqs", 41.0)])
def test_a_total_beside_its_parts_counts_once(metric: str, total: float) -> None:
    page = pages.valid()["synthetic-sglang-0.5-priority-labels.prom"]
    series = exposition.read(page, [metric])[metric]
    assert len(series) == 4

    assert select.value(series, Select(metric)) == total
    assert select.value(series, Select(metric, aggregation=Aggregation.MAX)) == total
    assert select.value(series, Select(metric, aggregation=Aggregation.MIN)) == total


def test_parts_count_when_they_are_asked_for() -> None:
    page = pages.valid()["synthetic-sglang-0.5-priority-labels.prom"]
    metric = "sglang:num_running_reqs"
    series = exposition.read(page, [metric])[metric]

    assert select.value(series, Select(metric, (LabelMatch("priority", "In", ("0", "10")),))) == 112.0
    assert select.value(series, Select(metric, (LabelMatch("priority", "Exists"),))) == 162.0


def test_parts_without_their_total_are_added_up() -> None:
    parts = [
        Sample("sglang:num_queue_reqs", {"tp_rank": "0", "priority": "1"}, 3.0),
        Sample("sglang:num_queue_reqs", {"tp_rank": "0", "priority": "2"}, 4.0),
        Sample("sglang:num_queue_reqs", {"tp_rank": "1", "priority": ""}, 5.0),
        Sample("sglang:num_queue_reqs", {"tp_rank": "1", "priority": "1"}, 5.0),
    ]
    assert select.value(parts, Select("num_requests_waiting")) == 12.0


def test_an_empty_label_elsewhere_is_a_class_of_its_own() -> None:
    series = [Sample("requests", {"subresource": ""}, 3.0), Sample("requests", {"subresource": "status"}, 3.0)]

    assert select.value(series, Select("requests")) == 6.0


def test_the_first_name_the_page_has_wins() -> None:
    found = exposition.read(b"vllm:kv_cache_usage_perc 0.5\ngpu_cache_usage_perc 0.7\n", _CACHE)
    assert select.value(select.first(found, _CACHE), Select("gpu_cache_usage_perc")) == 0.7

    found = exposition.read(b"vllm:kv_cache_usage_perc 0.5\n", _CACHE)
    assert select.value(select.first(found, _CACHE), Select("gpu_cache_usage_perc")) == 0.5

    assert select.first({}, _CACHE) == ()


_CACHE = names.candidates("gpu_cache_usage_perc")


def test_a_missing_name_tells_those_like_it() -> None:
    failure = select.missing(b"vllm:num_requests_waiting 1\n", "num_request_waiting")

    assert failure == Failure(Reason.NO_METRIC)
    assert failure.detail == (
        "the page has no series named num_request_waiting; names like it on the page: vllm:num_requests_waiting"
    )


def test_a_missing_name_on_a_broken_page_is_a_broken_page() -> None:
    failure = select.missing(b"up 1\nnum_requests_waiting{ 1\n", "num_requests_running", engine="sglang")

    assert failure == Failure(Reason.PARSE)
    assert failure.detail.startswith("line 2: ")


def test_a_page_with_nothing_like_it_says_so() -> None:
    failure = select.missing(b"up 1\n# EOF\n", "num_requests_running", engine="sglang", openmetrics=True)

    assert failure.detail == (
        "the page has no series named num_requests_running, sglang:num_running_reqs; no name on the page is like it"
    )


@pytest.mark.parametrize("page", [b"", b"\n\n", b"# HELP up x\n# TYPE up gauge\n"])
def test_an_empty_page_is_called_so(page: bytes) -> None:
    assert "it has no series at all; check `path`" in select.missing(page, "up").detail
