import math

import pytest

from podtide.api import recording
from podtide.api.recording import Begin, Tick
from podtide.api.settings import Settings
from podtide.core.memory import Memory
from podtide.core.model.decision import Applied, Outcome
from podtide.core.model.reading import Failure, Reading, Reason, Sample, Span
from podtide.core.model.view import TargetView
from tests.api import decisions
from tests.core import ticks


def begin(**spec: object) -> bytes:
    manifest = {"apiVersion": "v", "kind": "K", "metadata": {"name": "web", "labels": {"a": "b"}}, "spec": spec}
    return recording.begin("ns/web", 5.0, manifest, Settings(), Memory(5.0).snapshot())


def test_what_is_written_is_read_again() -> None:
    reading = Reading(
        "0:load",
        7.5,
        values={"uid-0": 0.1},
        series={"uid-0": (Sample("x", {"le": "+Inf"}, math.nan), Sample("x", {}, math.inf))},
        spans={"uid-0": Span(7.0, 30.0)},
        expected=2,
        failures={"uid-1": Failure(Reason.TIMEOUT, "no answer")},
    )
    view = TargetView(8.0, 2, 2, "17", ticks.pods(2))
    applied = Applied(Outcome.PATCHED, 3, version="18")
    decision = decisions.UP
    lines = [
        begin(),
        recording.tick(8.0, view, [reading], decision, applied, with_pods=True),
        recording.tick(10.0, view, [], decision, applied, with_pods=False),
    ]
    first, second, third = recording.read(
        [line.replace(str(decision.key).encode(), b"ns/web") for line in lines], "rec"
    )
    assert isinstance(first, Begin)
    assert Memory.restore(first.memory).since == 5.0
    assert first.settings == Settings()
    assert isinstance(second, Tick)
    assert second.view == view
    assert second.applied == applied
    (again,) = second.readings
    assert again.values == reading.values
    assert again.failures["uid-1"].detail == "no answer"
    assert math.isnan(again.series["uid-0"][0].value)
    assert again.series["uid-0"][1].value == math.inf
    assert isinstance(third, Tick)
    assert third.view.pods == view.pods


def test_what_is_no_concern_of_a_policy_is_left_out() -> None:
    assert b'"labels"' not in begin()


@pytest.mark.parametrize(
    "url", ["http://me:secret@prometheus:9090/x", "https://tokensecret@host/", "http://a:p%40secret@h/?q=1"]
)
def test_a_password_in_a_url_is_blotted_out(url: str) -> None:
    line = begin(metricsSources=[{"endpoint": url}])
    assert b"secret" not in line
    assert b"://***@" in line


def test_a_line_that_a_crash_cut_off_is_left_out() -> None:
    assert len(list(recording.read([begin(), begin()[:-40]], "rec"))) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param(b"hello\n", "rec:1: is no line of a recording", id="not JSON"),
        pytest.param(b"[]\n", "rec:1: is no line of a recording", id="not an object"),
        pytest.param(b'{"kind":"tick","autoscaler":"a"}\n', "rec:1: is no line of a recording", id="incomplete"),
        pytest.param(
            begin().replace(b'"form":1', b'"form":9'), "rec:1: is of form 9; this podtide reads 1", id="newer"
        ),
    ],
)
def test_what_is_no_recording_is_said(line: bytes, message: str) -> None:
    with pytest.raises(recording.RecordingError) as error:
        list(recording.read([line], "rec"))
    assert message in str(error.value)
