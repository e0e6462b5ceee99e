"""The reader, form by form."""

import tracemalloc

import pytest

from podtide.core import exposition
from podtide.core.exposition import Malformed, Reader, TooMany
from podtide.core.model.reading import Sample


def _values(page: bytes, name: str, *, openmetrics: bool = False) -> list[float]:
    return [sample.value for sample in exposition.read(page, [name], openmetrics=openmetrics).get(name, [])]


@pytest.mark.parametrize(
    ("line", "labels", "value", "at"),
    [
        pytest.param(b"up 1", {}, 1.0, None, id="bare"),
        pytest.param(b"up{} 1", {}, 1.0, None, id="empty braces"),
        pytest.param(b"up{}1", {}, 1.0, None, id="no space after the brace"),
        pytest.param(b"up\t1\t2", {}, 1.0, 0.002, id="tabs"),
        pytest.param(b"  up 1 ", {}, 1.0, None, id="space around"),
        pytest.param(b'up { a = "b" , } 1', {"a": "b"}, 1.0, None, id="space within, trailing comma"),
        pytest.param(b'up{a="x\\\\y\\"z\\n"} 1', {"a": 'x\\y"z\n'}, 1.0, None, id="escapes"),
        pytest.param(b'{"up",a="b"} 1', {"a": "b"}, 1.0, None, id="quoted"),
        pytest.param(b'{a="b","up"} 1', {"a": "b"}, 1.0, None, id="quoted, after a label"),
        pytest.param(b'up{"a.b"="c"} 1', {"a.b": "c"}, 1.0, None, id="quoted label"),
        pytest.param(b'up{a="}"} 1 1700000000000', {"a": "}"}, 1.0, 1.7e9, id="time stamp"),
        pytest.param(b"up 16440392441958861461", {}, 16440392441958861461.0, None, id="above 2^63"),
        pytest.param(b"up 1\r", {}, 1.0, None, id="carriage return"),
    ],
)
@pytest.mark.parametrize("after", [b"", b"\n", b"\nup_total 7\n# up 8\n"])
def test_forms_of_a_line(line: bytes, labels: dict[str, str], value: float, at: float | None, after: bytes) -> None:
    reader = Reader(["up"])
    for _ in range(2):  # The second time from memory.
        assert reader.read(line + after) == {"up": [Sample("up", labels, value, at)]}


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        pytest.param(b"up", "followed by nothing", id="no value"),
        pytest.param(b"up{ 1", "a label name, or a string with known escapes, is expected", id="braces that stay open"),
        pytest.param(b"up ", "a value", id="no value after the space"),
        pytest.param(b"up one", "' one'", id="word"),
        pytest.param(b"up 1_0", "'", id="underscore"),
        pytest.param(b"up 0x1p3", "0x1p3", id="hexadecimal"),
        pytest.param(b"up 1 1.5", "milliseconds", id="fractional time"),
        pytest.param(b"up 1 2 3", "milliseconds", id="two times"),
        pytest.param(b"up 1 9223372036854775808", "64 bits", id="time beyond 64 bits"),
        pytest.param(b"up 1 " + b"9" * 400, "64 bits", id="time beyond a double"),
        pytest.param(b"up 1 -" + b"9" * 5000, "64 bits", id="time beyond what Python makes a number of"),
        pytest.param(b"up-time 1", "'-time 1'", id="illegal name"),
        pytest.param(b"up{a} 1", "label a has no value", id="label without value"),
        pytest.param(b"up{a='b'} 1", "label a has no value in quotes", id="wrong quotes"),
        pytest.param(b'up{a="b"', "must follow label a", id="cut off"),
        pytest.param(b'up{a="b} 1', "label a has no value in quotes", id="open string"),
        pytest.param(b'up{a="\\t"} 1', "label a has no value", id="unknown escape"),
        pytest.param(b'up{a="b"c="d"} 1', "must follow label a", id="comma missing"),
        pytest.param(b'up{,a="b"} 1', "label name", id="leading comma"),
        pytest.param(b'up{a="b",,} 1', "label name", id="two commas"),
        pytest.param(b'up{a="b",a="b"} 1', "given twice", id="label twice"),
        pytest.param(b'up{__name__="down"} 1', "reserved", id="reserved label"),
        pytest.param(b'up{"down"} 1', "two names", id="two names"),
        pytest.param(b'{"up","up"} 1', "two names", id="two quoted names"),
        pytest.param(b'{a="up"} 1', "without a metric name", id="no name"),
        pytest.param(b'up{""="b"} 1', "without a name", id="empty label name"),
        pytest.param(b'up{a="\xff"} 1', "not UTF-8", id="not UTF-8"),
        pytest.param(b'up 1 # {a="b"} 1', "milliseconds", id="exemplar in the text format"),
    ],
)
def test_a_defect_in_a_wanted_line_names_line_and_cause(line: bytes, cause: str) -> None:
    page = b"# TYPE up gauge\nother 1\n" + line + b"\nup 1\n"

    with pytest.raises(Malformed) as caught:
        Reader(["up"]).read(page)

    assert caught.value.line == 3
    assert cause in caught.value.cause
    assert str(caught.value).startswith("line 3: ")


def test_a_defect_elsewhere_does_not_hide_the_wanted_number() -> None:
    page = b"# TYPE nonsense\nother one\n}{\nup 1\n\xff\n"

    assert Reader(["up"]).read(page) == {"up": [Sample("up", {}, 1.0)]}
    assert str(exposition.check(page)) == "line 1: unknown metric type ''"


def test_a_page_without_a_wanted_name_is_checked_whole() -> None:
    page = b"up 1\nother one\n"

    assert Reader(["down"]).read(page) == {}
    with pytest.raises(Malformed, match="line 2"):
        exposition.read(page, ["up", "down"])
    assert exposition.read(b"up 1\n", ["down"]) == {}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"\nup 7\n", id="at once"),
        pytest.param(b"\n\ntext\n  up 7\n", id="further down"),
        pytest.param(b'\nother{a=\\"b\\"} 1\nup 7\n', id="below escaped quotes"),
        pytest.param(b'\n# HELP up The "load\nup 7\n', id="below a comment"),
        pytest.param(b"\nup 7\n# EOF", id="at the end of an OpenMetrics page"),
    ],
)
@pytest.mark.parametrize("openmetrics", [False, True])
def test_a_line_inside_a_label_value_is_no_series(value: bytes, openmetrics: bool) -> None:
    # As of a server that does not escape line feeds in what others choose.
    page = b'# HELP other A "word\nother{user="x"} 1\nother{user="' + value + b'"} 2\n'
    page += b"# EOF\n" if openmetrics else b""
    reader = Reader(["up", "other"])

    with pytest.raises(Malformed):
        reader.read(page, openmetrics=openmetrics)
    with pytest.raises(Malformed):
        Reader(["up"]).read(page, openmetrics=openmetrics)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(b'# HELP up The "load\n', id="a quote in a comment"),
        pytest.param(b'other{a="\\"",b="\\\\"} 1\n', id="escaped quotes"),
        pytest.param(b'other{a="x"} 1\n# TYPE up gauge\n', id="closed ones"),
        pytest.param(b'# "\n' * 5000, id="many comments"),
    ],
)
def test_quotes_before_a_line_do_not_hide_it(before: bytes) -> None:
    assert _values(before + b"up 1\n" + before + b"up 2\n", "up") == [1.0, 2.0]


def test_the_name_elsewhere_is_no_series() -> None:
    page = (
        b"# HELP up up 1\n#up 2\n # up 3\nup_total 4\nstart_up 5\nlift:up 6\n"
        b'other{up="7"} 7\nother{a="up"} 8\nother{a="up 9"} 9\n{"other",a="up"} 10\nup 11\nother{a="\\nup 12"} 12\n'
    )
    assert _values(page, "up") == [11.0]


def test_series_of_several_names_and_interleaved_families() -> None:
    page = b'a 1\nb 2\na{x="1"} 3\nb_total 4\nb{x="1"} 5\na{x="2"} NaN'

    found = exposition.read(page, ["b", "a", "c"])

    assert [sample.value for sample in found["b"]] == [2.0, 5.0]
    assert [str(sample.value) for sample in found["a"]] == ["1.0", "3.0", "nan"]
    assert "c" not in found


def test_like_names_are_kept_apart() -> None:
    names = ["queue_depth_running", "queue_depth_waiting", "my:queue_depth_running", "queue_depth_running_total"]
    page = b"".join(f"{name} {index}\n".encode() for index, name in enumerate(names)) + b"queue_depth_other 9\n"

    found = Reader(names).read(page)

    assert {name: samples[0].value for name, samples in found.items()} == {
        name: float(index) for index, name in enumerate(names)
    }


def test_a_reader_that_meets_many_like_names_answers_the_same_page_after_page() -> None:
    names = ["engine_request_seconds_sum", "engine_request_seconds_count"]
    page = b"".join(b"engine_request_seconds_bucket%d 1\n" % index for index in range(500))
    page += b"engine_request_seconds_sum 2\nengine_request_seconds_count 3\n"
    reader = Reader(names)

    first, second = reader.read(page), reader.read(page)

    assert first == second == exposition.read(page, names)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_and_any_part_of_it(kind: type[bytes] | type[bytearray] | type[memoryview]) -> None:
    text = b"up 9\nup 1\nup 2\nup 3"
    reader = Reader(["up"])

    assert [sample.value for sample in reader.read(kind(text), start=5, end=14)["up"]] == [1.0, 2.0]
    assert [sample.value for sample in reader.read(memoryview(bytearray(b"xx" + text))[2:])["up"]] == [9, 1, 2, 3]
    with pytest.raises(Malformed, match="line 2: the metric name up is followed by nothing"):
        reader.read(kind(text), start=5, end=12)


def test_what_was_read_before_does_not_change_what_is_read_now() -> None:
    reader = Reader(["up"])
    for line, value in (
        (b"up{}15", 15.0),
        (b"up{} 5", 5.0),
        (b"up{} 15", 15.0),
        (b" up{}  5 ", 5.0),
        (b"up{} -5", -5.0),
    ):
        assert [sample.value for sample in reader.read(line)["up"]] == [value]
    for broken in (b"up{} ", b"up{} 5 5 5", b"up{} 5_5", b"up{}\t"):
        with pytest.raises(Malformed):
            reader.read(broken)
    assert reader.read(b"up{} 5 7") == {"up": [Sample("up", {}, 5.0, 0.007)]}


def test_a_reader_of_ever_new_labels_stays_small() -> None:
    reader = Reader(["up"])
    for index in range(10_000):
        assert reader.read(b'up{pod="%d"} 1' % index)["up"][0].labels == {"pod": str(index)}

    assert len(reader._heads) <= 4096


def test_a_reader_of_ever_longer_labels_stays_small() -> None:
    reader = Reader(["up"])
    for index in range(100):
        page = b'up{pod="%d%s"} %s1\n' % (index, b"x" * 50_000, b"0" * 50_000)
        for _ in range(2):
            assert reader.read(page)["up"][0].value == 1.0

    assert sum(len(head) for head in reader._heads) <= 2 * 1024 * 1024


def test_a_byte_order_mark_is_refused() -> None:
    with pytest.raises(Malformed, match="line 1: the page begins with a byte order mark"):
        Reader(["up"]).read(b"\xef\xbb\xbfup 1\nup 2\n")


@pytest.mark.parametrize(
    ("page", "line", "cause"),
    [
        pytest.param(b"a 1\n", 1, "does not end with '# EOF'", id="no end"),
        pytest.param(b"a 1\n# EOF\na 2\n# EOF\n", 2, "neither HELP", id="something after the end"),
        pytest.param(b"a 1\n\n# EOF\n", 2, "blank", id="blank line"),
        pytest.param(b"\na 1\n# EOF\n", 1, "blank", id="blank first line"),
        pytest.param(b"a 1\n# note\n# EOF\n", 2, "neither HELP", id="free comment"),
        pytest.param(b"# note\na 1\n# EOF\n", 1, "neither HELP", id="free comment in the first line"),
        pytest.param(b"# TYPE a count\na 1\n# EOF\n", 1, "unknown metric type 'count' of a", id="unknown type"),
        pytest.param(b"# UNIT a seconds\na 1\n# EOF\n", 1, "the unit of a is not", id="unit that the name lacks"),
        pytest.param(b'b{c="\na 1\n"} 1\n# EOF\n', 1, "quotes stay open", id="inside a label's value"),
        pytest.param(b" a 1\n# EOF\n", 1, "cannot begin", id="indented"),
        pytest.param(b"a  1\n# EOF\n", 1, "one space", id="two spaces"),
        pytest.param(b"a 1\r\n# EOF\n", 1, "one space", id="carriage return"),
        pytest.param(b'a{b="c",} 1\n# EOF\n', 1, "label name", id="trailing comma"),
        pytest.param(b"a 1 NaN\n# EOF\n", 1, "one space", id="time that is no number"),
        pytest.param(b"# TYPE a gauge\na 1\n# HELP a x\n# EOF\n", 3, "after its samples", id="late HELP"),
        pytest.param(b"# TYPE a gauge\n# TYPE a gauge\na 1\n# EOF\n", 2, "a second TYPE", id="TYPE twice"),
        pytest.param(b"a 1 1e300\n# EOF\n", 1, "out of bounds", id="time beyond arithmetic"),
        pytest.param(b"a 1 1e999\n# EOF\n", 1, "out of bounds", id="time beyond a double"),
        pytest.param(b"# TYPE a gauge\na 1 2\na 1 1\n# EOF\n", 3, "backwards", id="time goes backwards"),
    ],
)
def test_openmetrics_is_held_to_its_rules(page: bytes, line: int, cause: str) -> None:
    with pytest.raises(Malformed) as caught:
        Reader(["a"]).read(page, openmetrics=True)

    assert caught.value.line == line
    assert cause in caught.value.cause


def test_openmetrics_exemplars_and_times_in_seconds() -> None:
    page = b'# TYPE a counter\na_total{b="c # {"} 17 1520879607.789 # {id="x\\"}"} 0.5 1.5\n# EOF'

    found = Reader(["a_total"]).read(page, openmetrics=True)

    assert found == {"a_total": [Sample("a_total", {"b": "c # {"}, 17.0, 1520879607.789)]}


def test_the_type_decides_what_a_bucket_may_be() -> None:
    line = b'x_bucket{le="low"} -1\n'

    assert _values(b"# TYPE x_bucket gauge\n" + line, "x_bucket") == [-1.0]
    with pytest.raises(Malformed, match="line 2: le='low' is no bound"):
        Reader(["x_bucket"]).read(b"# TYPE x histogram\n" + line)
    with pytest.raises(Malformed, match="line 2: a histogram counts -1"):
        Reader(["x_bucket"]).read(b"# TYPE x histogram\n" + line.replace(b"low", b"1"))


def test_a_label_value_before_a_quoted_name_does_not_hide_it() -> None:
    names = ["queue_of_requests", "my:queue_of_requests"]
    page = b'{a="queue_of_requests","my:queue_of_requests"} 1\n{"queue_of_requests",a="my:queue_of_requests"} 2\n'
    reader = Reader(names)

    for _ in range(2):
        found = reader.read(page)
        assert {name: [sample.value for sample in samples] for name, samples in found.items()} == {
            "my:queue_of_requests": [1.0],
            "queue_of_requests": [2.0],
        }
        assert {name: Reader([name]).read(page)[name] for name in names} == found


@pytest.mark.parametrize("openmetrics", [False, True])
def test_a_defect_of_one_metric_may_leave_the_others_alone(openmetrics: bool) -> None:
    page = b"good 1\nbad 1\nbad one\nbad two\ngood 2\n# EOF\n".replace(b"good 2\n", b"good 2\n" * (not openmetrics))
    reader, broken = Reader(["good", "bad", "other"]), dict[str, Malformed]()

    found = reader.read(page, openmetrics=openmetrics, broken=broken)

    assert [sample.value for sample in found["good"]] == ([1.0] if openmetrics else [1.0, 2.0])
    assert found.keys() == {"good"}
    assert {name: defect.line for name, defect in broken.items()} == {"bad": 3}
    with pytest.raises(Malformed, match="line 3"):
        reader.read(page, openmetrics=openmetrics)
    with pytest.raises(Malformed, match="byte order mark"):
        reader.read(b"\xef\xbb\xbf" + page, openmetrics=openmetrics, broken=broken)


def test_a_name_that_is_a_part_of_thousands_of_others_is_found_among_them() -> None:
    others = b"".join(b'other_up{a="up"} 1\nup_%d 2\n# up 3\n{"x",a="up"} 4\n' % index for index in range(2000))
    page = b"up 5\n" + others + b'up{a="b"} 6\n  up 7\n{a="up","up"} 8\n' + others + b"up 9"

    for names in (["up"], ["up", "up_1"]):
        found = Reader(names).read(b"head\n" + page, start=5)
        assert [sample.value for sample in found["up"]] == [5.0, 6.0, 7.0, 8.0, 9.0]
    assert [sample.value for sample in found["up_1"]] == [2.0, 2.0]


@pytest.mark.parametrize(
    ("page", "count", "line"),
    [
        pytest.param(b'x{a="' + b'"up"' * 400_000, 0, None, id="quoted in one line"),
        pytest.param(b"\x01up" * 500_000, 0, None, id="after control characters"),
        pytest.param(b'{a="' + b"\x01up " * 400_000, 0, 1, id="after control characters, in braces"),
        pytest.param(b"x " + b"up " * 500_000, 0, None, id="bare in one line"),
        pytest.param(b" " * 2_000_000 + b"up", 0, 1, id="indented"),
        pytest.param(b"x 1\n" * 2_000_000 + b"up one\n" * 9_000, 0, 2_000_001, id="many defects"),
        pytest.param(b"up " + b"9" * 1_000_000 + b"x", 0, 1, id="digits before a defect"),
        pytest.param(b"up 1 " + b"9" * 1_000_000 + b"x", 0, 1, id="digits of a time before a defect"),
        pytest.param(b"up 1" + b" " * 1_000_000 + b"x", 0, 1, id="space before a defect"),
        pytest.param(b'up{a="' + b"\xff" * 10_000_000 + b'"} 1', 0, 1, id="a long value that is no UTF-8"),
        pytest.param(b'up{a="' + b"\\n" * 700_000 + b'"} 1', 1, None, id="escapes"),
        pytest.param(b'x{a="' + b"\\\\" * 5_000_000 + b'\\""} 1\nup 1', 1, None, id="escapes before"),
        pytest.param(b'x{a="' + b"\\\\" * 5_000_000 + b'""} 1\nup 1', 0, 1, id="escapes before that leave quotes open"),
        pytest.param(b'x{a="\n' + b'# "\n' * 1_000_000 + b"up 1\n", 0, 1_000_002 - 100_000, id="quotes in comments"),
        pytest.param(b'x{a="\n' + b'# "q"\n' * 10_000 + b"up 1\n" * 9_000, 0, 1, id="open before comments"),
        pytest.param(b'x{a="\n' + b"y 1\n" * 1_000_000 + b"up 1\n" * 9_000, 0, 1, id="open before others"),
        pytest.param((b'# "q"\n' * 1_000 + b"up 1\n") * 1_000, 0, 99_000 + 100, id="quotes in comments between"),
        pytest.param(b"# TYPE x gauge\n" + b'up{quantile="x"} 1\n' * 9_000, 9_000, None, id="many doubtful series"),
    ],
)
def test_a_hostile_page_is_looked_over_once(page: bytes, count: int, line: int | None) -> None:
    # A search that came back to the beginning of the line, or counted lines for each defect, would take minutes.
    for names in (["up"], ["up", "other"]):
        broken: dict[str, Malformed] = {}
        found = Reader(names).read(page, broken=broken)
        assert sum(len(series) for series in found.values()) == count
        assert [(name, str(why).split(":")[0]) for name, why in broken.items()] == (
            [] if line is None else [("up", f"line {line}")]
        )


def test_values_of_megabytes_are_not_kept() -> None:
    reader = Reader(["up"])
    assert len(reader.read(b"".join(b'up{pod="%d"} 1\n' % at for at in range(10)))["up"]) == 10
    tracemalloc.start()
    try:
        for at in range(10):
            found = reader.read(b'up{pod="%d"} 1.' % at + b"0" * 1_000_000)
            assert [sample.value for sample in found["up"]] == [1.0]
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 3_000_000


@pytest.mark.parametrize("others", [b"", b"# up\n" * 3000], ids=["plain", "swept"])
@pytest.mark.parametrize("openmetrics", [False, True])
def test_a_page_may_hold_ten_thousand_wanted_series_and_no_more(others: bytes, openmetrics: bool) -> None:
    lines = [b'up{pod="%d"} 1\n' % at for at in range(10_000)]
    begin, end = (b"", b"# EOF\n") if openmetrics else (others, others)

    found = Reader(["up", "down"]).read(b"down 1\n" + begin + b"".join(lines) + end, openmetrics=openmetrics)
    assert len(found["up"]) == 10_000

    with pytest.raises(TooMany, match="more than 10000 series named up"):
        Reader(["up", "down"]).read(b"up 1\n" + begin + b"".join(lines) + end, openmetrics=openmetrics, broken={})


@pytest.mark.parametrize("openmetrics", [False, True])
@pytest.mark.parametrize("term", ['a%x="",', 'a%x = "",'])
def test_ten_thousand_series_may_have_ten_labels_each_and_no_more(term: str, openmetrics: bool) -> None:
    def page(labels: int) -> bytes:
        line = ("up{" + "".join(term % at for at in range(labels // 100))[:-1] + "} 1\n").encode()
        return line * 100 + b"other 1\n" * 70_000 + (b"# EOF\n" if openmetrics else b"")

    assert len(Reader(["up"]).read(page(100_000), openmetrics=openmetrics)["up"][0].labels) == 1000
    with pytest.raises(TooMany, match="line 100: more than 100000 labels, up to this series named up"):
        Reader(["up"]).read(page(100_100), openmetrics=openmetrics, broken={})


def test_all_wanted_names_together_may_have_three_times_as_much() -> None:
    names = [f"up_{at}" for at in range(4)]

    def page(names: list[str], line: bytes) -> bytes:
        return b"".join(name.encode() + line for name in names)

    assert len(Reader(names).read(page(names[:3], b" 1\n") * 10_000)) == 3
    with pytest.raises(TooMany, match="line 40000: more than 30000 series of wanted names, up to this one named up_3"):
        Reader(names).read(
            b"".join(f"{name} 1\n".encode() * 10_000 for name in names[:3]) + b"\n" * 9_999 + b"up_3 1\n"
        )
    labels = b"{" + b",".join(b'a%d=""' % at for at in range(90_000)) + b"} 1\n"
    assert len(Reader(names).read(page(names[:3], labels))) == 3
    with pytest.raises(TooMany, match="more than 300000 labels in the series of wanted names"):
        Reader(names).read(page(names, labels))


def test_escapes_count_as_parts_of_labels() -> None:
    with pytest.raises(TooMany, match="more than 100000 labels"):
        Reader(["up"]).read(b'up{a="' + b"\\n" * 1_700_000 + b'"} 1')


@pytest.mark.parametrize("gap", [b" ", b"\t", b"\r"])
@pytest.mark.parametrize("openmetrics", [False, True])
def test_checking_a_hostile_comment_is_looking_over_it_once(gap: bytes, openmetrics: bool) -> None:
    page = b"# HELP up some" + gap * 300_000 + b"words\n# EOF\n"

    assert exposition.check(page, openmetrics=openmetrics) is None
    assert exposition.check(b"# TYPE up gauge \t\r\n") is None
