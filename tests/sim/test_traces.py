from pathlib import Path

import pytest

from podtide.sim import traces

DATA = Path("tests/data/traces")


def test_a_file_of_counts_and_tokens() -> None:
    trace = traces.parse("t_seconds,requests,input_tokens,output_tokens\n0,2,100,20\n5,0,0,0\n", "t.csv")
    assert (trace.width, trace.duration) == (5.0, 10.0)
    assert trace.requests == (2.0, 0.0)
    assert trace.input_tokens == (100.0, 0.0)


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
        pytest.param("t_seconds,requests\n0,0\n60,0\n", "holds no request at all", id="nothing happens"),
        pytest.param('{"data": {"resultType": "vector"}}', "holds a result of type 'vector'", id="an instant query"),
        pytest.param('{"data": ', "is not JSON", id="broken JSON"),
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
    with pytest.raises(traces.TraceError, match="nothing from 99 to 100 s"):
        trace.part(99, 100)


@pytest.mark.parametrize("name", ["azure-llm-2023-code-first-20-minutes.csv", "nasa-http-1995-three-days.csv"])
def test_the_traces_that_ship_can_be_read(name: str) -> None:
    trace = traces.parse((DATA / name).read_text(), name)
    assert sum(trace.requests) > 2000
