from pathlib import Path

import pytest

from podtide.sim import traces

DATA = Path("tests/data/traces")


def test_a_file_of_counts_and_tokens() -> None:
    trace = traces.parse("t_seconds,requests,input_tokens,output_tokens\n0,2,100,20\n5,0,0,0\n", "t.csv")
    assert (trace.width, trace.duration) == (5.0, 10.0)
    assert trace.requests == (2.0, 0.0)
    assert trace.input_tokens == (100.0, 0.0)


def test_a_byte_order_mark_and_windows_line_ends_are_no_trouble() -> None:
    trace = traces.parse("\ufefft_seconds,requests\r\n0,1\r\n60,2\r\n", "t.csv")
    assert trace.requests == (1.0, 2.0)


def matrix(values: str, *, result: str | None = None) -> str:
    """The answer of a range query with one series."""
    found = f'[{{"values": {values}}}]' if result is None else result
    return f'{{"data": {{"resultType": "matrix", "result": {found}}}}}'


def test_columns_in_any_order_and_others_beside_them() -> None:
    trace = traces.parse("qps,requests,t_seconds\n9,1,0\n9,2,60\n", "t.csv")
    assert trace.requests == (1.0, 2.0)
    assert trace.input_tokens is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "t.csv: is empty", id="empty"),
        pytest.param("t_seconds,requests\n", "has a first line and no rows", id="no rows"),
        pytest.param(
            "time,count\n0,1\n", "t.csv:1: has no column t_seconds and no column requests", id="wrong columns"
        ),
        pytest.param("t_seconds,requests,input_tokens\n0,1,2\n", "without output_tokens", id="half the tokens"),
        pytest.param(
            "t_seconds,requests\n0,1\n1,-2\n", "t.csv:3: requests -2 is negative; write 0 or more", id="negative"
        ),
        pytest.param("t_seconds,requests\n0,1\n1,\n", "t.csv:3: requests is missing", id="missing value"),
        pytest.param("t_seconds,requests\n0,1\n1,many\n", 't.csv:3: requests "many" is not a number', id="a word"),
        pytest.param("t_seconds,requests\n0,1\n1,NaN\n", "t.csv:3: requests NaN is no load", id="not a number"),
        pytest.param(
            "t_seconds,requests\n0,1\n1,2,3\n", "t.csv:3: has 3 values where the first line names 2", id="ragged"
        ),
        pytest.param("t_seconds,requests\n0,1\n2,1\n1,1\n", "t.csv:4: t_seconds 1 comes after 2; sort", id="disorder"),
        pytest.param("t_seconds,requests\n0,1\n1,1\n1,1\n", "t.csv:4: t_seconds 1 comes after 1", id="twice"),
        pytest.param(
            "t_seconds,requests\n0,1\n60,1\n240,1\n", "t.csv:4: 2 intervals of 60 s are missing before", id="a hole"
        ),
        pytest.param("t_seconds,requests\n0,1\n60,1\n150,1\n", "is not a multiple of the 60 s", id="another width"),
        pytest.param("t_seconds,requests\n5,1\n4,1\n", "t.csv:3: t_seconds 4 comes after 5; sort", id="backwards"),
        pytest.param("t_seconds,requests\n0,1\n0,1\n", "t.csv:3: t_seconds 0 comes after 0; sort", id="one instant"),
        pytest.param(
            "t_seconds,requests\n0,1\n1,1\n1e15,1\n", "t.csv:4: t_seconds 1e+15 is 1e+15 intervals", id="far away"
        ),
        pytest.param("t_seconds,requests\n0,1\n1e-320,1\n2,1\n", "t.csv:4: t_seconds 2 is inf intervals", id="no step"),
        pytest.param(
            "t_seconds,requests\n1714512600,1\n1714512601,1\n1714512603,1\n",
            "t.csv:4: an interval of 1 s is missing before t_seconds 1714512603",
            id="a hole in seconds since 1970",
        ),
        pytest.param(f"t_seconds,requests\n0,{'1' * 200_000}\n", "t.csv:2: is not CSV: field larger", id="a long word"),
        pytest.param("t_seconds,requests\n0,0\n60,0\n", "holds no request at all", id="nothing happens"),
        pytest.param('{"data": {"resultType": "vector"}}', "holds a result of type 'vector'", id="an instant query"),
        pytest.param('{"data": ', "is not JSON", id="broken JSON"),
        pytest.param('{"data": ' * 100_000, "is not JSON: maximum recursion", id="deep JSON"),
        pytest.param('{"status": "error", "error": "parse error"}', "Prometheus' error 'parse error'", id="an error"),
        pytest.param(matrix("5", result="5"), "data.result is 5; save the answer", id="no list"),
        pytest.param(matrix("", result="[5]"), "a series is 5; write", id="no series"),
        pytest.param(matrix("7"), "a series is {'values': 7}; write", id="no samples"),
        pytest.param(matrix('[{"at": 1}]'), "sample 1 is {'at': 1}; write", id="no pair"),
        pytest.param(matrix(f"[[1, 1{'0' * 400}]]"), "sample 1 is [1, 1000", id="more than a float holds"),
        pytest.param(matrix('[[NaN, "1"], [2, "1"]]'), "sample 1 is of the time nan", id="no time"),
        pytest.param(
            matrix('[[1714512600, "1"], [1714512660, "1"], [1714512780, "1"]]'),
            "t.csv: an interval of 60 s is missing before t_seconds 1714512780",
            id="a hole in JSON",
        ),
        pytest.param(
            '{"data": {"resultType": "matrix", "result": [{"values": [[1, "NaN"], [2, "1"]]}]}}',
            "sample 1 is NaN",
            id="NaN in JSON",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_a_fix(text: str, message: str) -> None:
    with pytest.raises(traces.TraceError) as error:
        traces.parse(text, "t.csv")
    assert message in str(error.value)


@pytest.mark.parametrize(("gaps", "expected"), [("zero", (7.0, 0.0, 0.0, 3.0)), ("hold", (7.0, 7.0, 7.0, 3.0))])
def test_a_hole_is_filled_if_asked_for(gaps: traces.Gaps, expected: tuple[float, ...]) -> None:
    text = "t_seconds,requests\n0,7\n180,3\n240,1\n"
    assert traces.parse(text, "t.csv", gaps=gaps).requests == (*expected, 1.0)


def test_a_range_query_of_prometheus_is_a_rate() -> None:
    trace = traces.parse((DATA / "prometheus-range.json").read_text(), "range.json")
    assert trace.width == 15
    assert trace.requests == (30.0, 37.5, 60.0)


def test_a_part_begins_at_0_again() -> None:
    trace = traces.parse("t_seconds,requests\n0,1\n10,2\n20,3\n30,4\n", "t.csv").part(10, 30)
    assert trace.requests == (2.0, 3.0)
    with pytest.raises(traces.TraceError, match="nothing from 99 s to 100 s"):
        trace.part(99, 100)
    with pytest.raises(traces.TraceError, match="nothing from 99 s to its end"):
        trace.part(99, float("inf"))


@pytest.mark.parametrize("name", ["azure-llm-2023-code-first-20-minutes.csv", "nasa-http-1995-three-days.csv"])
def test_the_traces_that_ship_can_be_read(name: str) -> None:
    trace = traces.parse((DATA / name).read_text(), name)
    assert sum(trace.requests) > 2000
