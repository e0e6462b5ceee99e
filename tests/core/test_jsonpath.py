"""One number of a JSON page."""

import re

import pytest

from podtide.core import jsonpath
from podtide.core.model.reading import Failure, Reason

_PAGE = b"""{"queue": {"shards": [{"depth": 4}, {"depth": "5.5"}, {"depth": true}]}, "a.b": {"it's": -1e3},
"none": null, "word": "many", "huge": 123456789012345678901234567890, "beyond": 1e999, "spaced": " 7 ", "": 8}"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.queue.shards[0].depth", 4.0),
        ("$.queue.shards[1]['depth']", 5.5),
        ('$["queue"]["shards"][-2].depth', 5.5),
        ("$['a.b']['it\\'s']", -1000.0),
        ("$.huge", 123456789012345678901234567890.0),
        ("$.spaced", 7.0),
        ("$['']", 8.0),
    ],
)
def test_numbers(path: str, expected: float) -> None:
    assert jsonpath.value(_PAGE, path) == expected
    assert jsonpath.value(memoryview(_PAGE), path) == expected


def test_the_page_itself_may_be_the_number() -> None:
    assert jsonpath.value(b"12", "$") == 12.0
    assert jsonpath.value(b'"12"', "$") == 12.0


@pytest.mark.parametrize(
    ("path", "reason", "detail"),
    [
        (
            "$.missing",
            Reason.NO_METRIC,
            """$ has no ['missing']; it is an object with the keys "queue", "a.b", "none",""",
        ),
        ("$.queue.shards[3]", Reason.NO_METRIC, "$['queue']['shards'] has no [3]; it is a list of 3"),
        ("$.queue.shards.depth", Reason.NO_METRIC, "$['queue']['shards'] has no ['depth']; it is a list of 3"),
        ("$.word[0]", Reason.NO_METRIC, "$['word'] has no [0]; it is the text \"many\""),
        ("$.none", Reason.NOT_A_NUMBER, "$.none is null"),
        ("$.word", Reason.NOT_A_NUMBER, '$.word is the text "many"'),
        ("$.queue.shards[2].depth", Reason.NOT_A_NUMBER, "$.queue.shards[2].depth is true"),
        ("$.queue", Reason.NOT_A_NUMBER, '$.queue is an object with the keys "shards"'),
        ("$.beyond", Reason.NOT_A_NUMBER, "$.beyond is inf"),
    ],
)
def test_failures_say_what_is_there(path: str, reason: Reason, detail: str) -> None:
    failure = jsonpath.value(_PAGE, path)

    assert isinstance(failure, Failure)
    assert failure.reason == reason
    assert failure.detail.startswith(detail)


@pytest.mark.parametrize("text", ["1_000", "0x10", "", "NaN", "inf", "1e999", "one", "٣", "1 2"])
def test_a_text_must_be_a_finite_decimal_number(text: str) -> None:
    assert jsonpath.value(f'["{text}"]'.encode(), "$[0]") == Failure(Reason.NOT_A_NUMBER)


@pytest.mark.parametrize("page", [b"", b"{", b"NaN", b"queue 5\n", b'{"a": 1} 2', b"\xff", b'"\xff"', b"[" * 100_000])
def test_what_is_not_json_is_a_malformed_page(page: bytes) -> None:
    assert jsonpath.value(page, "$") == Failure(Reason.PARSE)


def test_a_number_too_large_for_a_double_is_no_number() -> None:
    assert jsonpath.value(b"1" + b"0" * 400, "$") == Failure(Reason.NOT_A_NUMBER)


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("", 'does not begin with $; write for example "$.queue.length"'),
        ("queue", "does not begin with $"),
        ("{.queue}", "does not begin with $"),
        ("$queue", 'from "queue" on; write .name, [0] or'),
        ("$.a[*]", 'from "[*]" on'),
        ("$..a", 'from "..a" on'),
        ("$.a[0:2]", 'from "[0:2]" on'),
        ("$.a[?(@.b)]", 'from "[?(@.b)]" on'),
        ("$.a.", 'from "." on'),
        ("$['a]", 'from "[\'a]" on'),
    ],
)
def test_a_path_that_is_none_is_refused_with_the_remedy(path: str, remedy: str) -> None:
    for use in (jsonpath.steps, lambda wanted: jsonpath.value(_PAGE, wanted)):
        with pytest.raises(ValueError, match=re.escape(remedy)):
            use(path)


def test_a_text_of_ever_so_many_digits_is_read_once() -> None:
    # Tried at every length, these would take minutes.
    for text in (b"9" * 300_000 + b"x", b"9" * 300_000 + b"e", b"1e" + b"9" * 300_000 + b"x"):
        failure = jsonpath.value(b'"' + text + b'"', "$")
        assert isinstance(failure, Failure)
        assert failure.reason is Reason.NOT_A_NUMBER


@pytest.mark.parametrize("unit", [b"[],", b"{},", b"0,", b'{"":[]},'])
def test_a_page_of_more_values_than_are_decoded_is_too_large(unit: bytes) -> None:
    page = b'{"a":1,"b":[' + unit * 700_000

    assert jsonpath.value(page, "$.a") == Failure(Reason.TOO_LARGE)
    assert jsonpath.value(memoryview(page), "$.a") == Failure(Reason.TOO_LARGE)


def test_a_page_may_be_large_and_have_few_values() -> None:
    assert jsonpath.value(b'{"a":1,"b":"' + b"x" * 5_000_000 + b'"}', "$.a") == 1.0
    assert jsonpath.value(b'{"a":1,"b":[' + b"123," * 400_000 + b"0]}", "$.a") == 1.0
