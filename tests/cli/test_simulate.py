import gzip
import io
import json
import re
import sys
from pathlib import Path

import pytest

from podtide.cli import simulating
from podtide.cli.main import main

KPA = "config/samples/kpa-https-ca.yaml"
LLM = "config/samples/kpa-vllm-http.yaml"
TRACE = "tests/data/traces/nasa-http-1995-three-days.csv"
TOKENS = "tests/data/traces/azure-llm-2023-code-first-20-minutes.csv"


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["simulate", *arguments]) == code
    out, err = capsys.readouterr()
    return err if code else out


def test_the_table_the_notes_and_the_chart(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, LLM, TOKENS, "--slo", "2s")
    assert "azure-llm-2023-code-first-20-minutes.csv: 3,628 requests in 20.0 min" in text
    assert "POLICY" in text
    assert "oracle: no less than" in text
    assert "llama: pods that the load keeps busy (bars), and ready pods (line)" in text


def test_policies_side_by_side_meet_the_same_requests(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(said(capsys, KPA, "config/samples/schedules.yaml", TRACE, "--load", "2", "--to", "2h", "--json"))
    assert [policy["name"] for policy in data["policies"]] == ["checkout", "chat"]
    assert data["policies"][0]["requests"] == data["policies"][1]["requests"] > 300
    assert data["policies"][1]["history"][0]["at"] >= 0


def test_files_of_one_object_are_told_apart_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["config/samples/metrics-server-ca.yaml", "config/samples/metrics-server-skip-verify.yaml"]
    data = json.loads(said(capsys, *names, TRACE, "--to", "1h", "--json"))
    assert [policy["name"] for policy in data["policies"]] == ["metrics-server-ca", "metrics-server-skip-verify"]


def test_a_guess_is_said_and_can_be_corrected(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, KPA, TRACE, "--to", "1h")
    assert "http_requests_in_flight is taken for concurrency; --metric http_requests_in_flight=GAUGE says" in text
    text = said(capsys, KPA, TRACE, "--to", "1h", "--metric", "http_requests_in_flight=waiting")
    assert "is taken for" not in text


def test_a_policy_that_never_scales_is_pointed_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert "checkout never scaled: it stayed at 2." in said(capsys, KPA, TRACE, "--to", "1h")


def test_a_bound_that_cannot_be_met_is_pointed_out(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, KPA, TRACE, "--to", "15m", "--load", "300", "--slo", "100ms")
    assert "and maxReplicas is 20: the bound cannot be met then." in text
    assert "% of the requests take longer than 100 ms by themselves: no pods help." in text


def test_a_bound_of_nothing_has_no_multiples(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / "over.csv"
    trace.write_text("t_seconds,requests\n" + "".join(f"{at},{20 * (at < 300)}\n" for at in range(0, 3000, 10)))
    words = ("config/samples/scale-to-zero-prometheus.yaml", str(trace), "--count-from", "2000")
    text = said(capsys, *words, "--no-chart")
    assert re.search(r"^batch .* 0\.00 +– ", text, re.MULTILINE)
    assert "batch: no request arrived." in text
    assert json.loads(said(capsys, *words, "--json"), parse_constant=pytest.fail)["policies"][0]["ratio"] is None


def test_why_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, LLM, TOKENS, "--explain", "10m")
    assert text.startswith("llama, 600 s into the trace\ndefault/llama: ")
    assert "Steps" in text
    (policy,) = json.loads(said(capsys, LLM, TOKENS, "--explain", "10m", "--json"))["policies"]
    assert policy["explained"]["at"] == "2024-01-01T00:10:00Z"
    assert policy["explained"]["steps"]
    assert "nothing was decided in the first 1.0 s" in said(capsys, LLM, TOKENS, "--explain", "1s")


def test_compressed_and_from_stdin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(Path(TRACE).read_bytes())
    plain = said(capsys, KPA, TRACE, "--to", "1h", "--no-chart")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed)))
    assert said(capsys, KPA, "-", "--to", "1h", "--no-chart") == plain.replace(TRACE, "stdin")


def test_a_range_query_of_prometheus(capsys: pytest.CaptureFixture[str]) -> None:
    assert "128 requests in 45 s" in said(capsys, KPA, "tests/data/traces/prometheus-range.json")


def test_without_a_queue(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(said(capsys, KPA, TRACE, "--service", "ratio", "--capacity", "0.5", "--to", "3h", "--json"))
    assert data["policies"][0]["p99"] is None
    assert data["policies"][0]["bound_pod_hours"] >= 2 * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([KPA], "no trace among the files; give one .csv", id="no trace"),
        pytest.param([TRACE], "no policy among the files; give at least one .yaml", id="no policy"),
        pytest.param([KPA, TRACE, TOKENS], "2 traces among the files", id="two traces"),
        pytest.param([KPA, "none.csv"], "none.csv: No such file", id="no such trace"),
        pytest.param(["none.yaml", TRACE], "none.yaml: No such file", id="no such policy"),
        pytest.param([KPA, "LICENSE"], "LICENSE:1: has no column t_seconds", id="not a trace"),
        pytest.param(
            [KPA, TRACE, "--from", "9h", "--to", "8h"], "nothing from 32400 s to 28800 s", id="nothing between"
        ),
        pytest.param([KPA, TRACE, "--load", "1e9"], "one run simulates", id="too many"),
        pytest.param([KPA, TRACE, "--service", "ratio"], "--service ratio needs --capacity", id="no capacity"),
        pytest.param([KPA, TRACE, "--metric", "x"], "--metric x: write NAME=GAUGE", id="half a metric"),
        pytest.param(
            [KPA, TRACE, "--metric", "http_requests_in_flight=speed"], "the gauges are concurrency", id="no such gauge"
        ),
        pytest.param([KPA, TRACE, "--count-from", "100h"], "ends after 259200 s; give an earlier", id="none counted"),
        pytest.param([KPA, TRACE, "--load", "1e308"], "more requests than a number can tell", id="beyond numbers"),
        pytest.param(
            [KPA, TRACE, "--metric", "http_request=rps"],
            "--metric http_request=rps: no policy reads http_request; they read http_requests_in_flight",
            id="no such metric",
        ),
        pytest.param([KPA, TRACE, "--plot", "x.gif"], "--plot x.gif: write a name that ends in .png", id="picture"),
    ],
)
def test_bad_input_says_what_to_give(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert message in said(capsys, *arguments, code=2)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--slo", "soon", '"soon" is not a duration; write for example 500ms, 30s, 1h30m, 90d or 2w'),
        ("--count-from", "1d2", '"1d2" is not a duration'),
        ("--to", "d", '"d" is not a duration'),
        ("--from", "-3d", "expected one argument"),
        ("--load", "0", '"0" is not a number above 0'),
        ("--lost", "2", '"2" is not a share below 1'),
        ("--startup", "9s..3s", "ends before it begins"),
        ("--startup", "9s/3s", "is no median and 95th percentile"),
        ("--start", "noon", '"noon" is no time'),
        ("--concurrency", "0", "is not a whole number above 0"),
        ("--concurrency", "1000000000", "is more than the 10,000 that are simulated one by one"),
        ("--replicas", "10001", "is more than the 10,000"),
        ("--service-time", "0", '"0" is no time at all'),
        ("--replicas", "-5", '"-5" is not a whole number of 0 or more'),
    ],
)
def test_bad_options_say_what_to_write(
    capsys: pytest.CaptureFixture[str], option: str, value: str, message: str
) -> None:
    with pytest.raises(SystemExit):
        main(["simulate", KPA, TRACE, option, value])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("1h30m", 5400.0),
        ("7", 7.0),
        ("90d", 7_776_000.0),
        ("2w", 1_209_600.0),
        ("1w2d3h", 788_400.0),
        ("1.5d", 129_600.0),
    ],
)
def test_a_duration_may_be_of_days_and_weeks(text: str, seconds: float) -> None:
    assert simulating.duration(text) == seconds


def test_figures_are_counted_from_a_day_on(capsys: pytest.CaptureFixture[str]) -> None:
    shown = [
        said(capsys, KPA, TRACE, "--from", "1d", "--to", "1d1h", "--count-from", each) for each in ("0.02d", "1728")
    ]
    assert shown[0] == shown[1]


def test_a_damaged_archive_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(Path(TRACE).read_bytes()))
    packed[200:300] = bytes(each ^ 0x5A for each in packed[200:300])
    (tmp_path / "bad.csv.gz").write_bytes(packed)
    assert "bad.csv.gz: is not a whole gzip file" in said(capsys, KPA, str(tmp_path / "bad.csv.gz"), code=2)


def test_an_archive_that_grows_without_end_is_given_up(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulating, "_LARGEST", 1 << 20)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"0" * (1 << 21)))
    assert "bomb.csv.gz: unpacks to more than 1 MiB" in said(capsys, KPA, str(tmp_path / "bomb.csv.gz"), code=2)


def test_an_invalid_policy_is_told_as_validate_does(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(Path(KPA).read_text().replace('"40"', '"many"'))
    text = said(capsys, str(bad), TRACE, code=2)
    assert 'spec.metricsSources[0].targetValue: "many" is not a number' in text


def test_a_picture_in_every_file_that_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    names = [tmp_path / "picture.png", tmp_path / "picture.svg"]
    said(capsys, KPA, TRACE, "--to", "1h", *(word for name in names for word in ("--plot", str(name))))
    assert names[0].read_bytes().startswith(b"\x89PNG")
    assert "<svg" in names[1].read_text()


def test_a_picture_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "taken.png").mkdir()
    for name, why in (("none/x.png", f"there is no directory {tmp_path}/none"), ("taken.png", "Is a directory")):
        text = said(capsys, KPA, TRACE, "--to", "20m", "--plot", str(tmp_path / name), code=2)
        assert f"--plot {tmp_path / name}: {why}" in text


def test_a_picture_without_the_library_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = said(capsys, KPA, TRACE, "--to", "1h", "--plot", str(tmp_path / "x.png"), code=2)
    assert "pip install 'podtide[plot]'" in text
