import json
from pathlib import Path

import pytest
import yaml

from podtide.cli.main import main
from tests.sim import tapes

TRACE = "tests/data/traces/nasa-http-1995-three-days.csv"
SHORT = ("--from", "8h", "--to", "9h", "--load", "30", "--concurrency", "4", "--trials", "6", "--seeds", "2")


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "web.yaml"
    path.write_text(yaml.safe_dump(tapes.manifest(maxReplicas=60)))
    return str(path)


def test_what_is_found_can_be_applied(policy: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = main(["tune", policy, TRACE, *SHORT, "--allowed", "50%", "--slo", "5s"])
    text = capsys.readouterr().out
    assert code == 0
    assert "web: 6 trials on the first 50% of the trace; below, the rest of it, with 2 seeds." in text
    assert "of 2 seeds keep it. Pod-hours against the present: " in text
    found = tmp_path / "found.yaml"
    found.write_text(text[text.index("apiVersion:") :])
    assert main(["validate", "--strict", str(found)]) == 0


def test_a_bound_that_nothing_keeps_is_said(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    short = ("--from", "8h", "--to", "8h10m", "--trials", "2", "--seeds", "1", "--slo", "10ms")
    assert main(["tune", policy, TRACE, *short, "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["train"]["violations"] > 0.9
    assert {name: len(scores) for name, scores in data["test"].items()} == {"present": 1, "found": 1}
    assert main(["tune", policy, TRACE, *short]) == 1
    assert "Nothing tried keeps late requests (over 10 ms) at 1.00% on the first 50%" in capsys.readouterr().out


def test_what_does_worse_on_the_rest_is_not_recommended(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calm, wild = [8] * 300, ([8] * 50 + [24] * 50) * 3
    trace = tmp_path / "trace.csv"
    rows = [f"{at},{count}" for at, count in enumerate(calm + wild)]
    trace.write_text("\n".join(["t_seconds,requests", *rows]))
    assert main(["tune", policy, str(trace), "--startup", "10s", "--trials", "12", "--seeds", "1", "--slo", "2s"]) == 1
    text = capsys.readouterr().out
    assert "below, the rest of it, with 1 seed." in text
    assert "There the present parameters do better: tune on more" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["{policy}", "config/samples/schedules.yaml", TRACE], "2 policies among the files", id="two"),
        pytest.param(
            ["{policy}", TRACE, "--to", "2m", "--train", "1%"], "leaves nothing to judge by", id="nothing left"
        ),
        pytest.param(["{policy}", "none.csv"], "none.csv: No such file", id="no such trace"),
    ],
)
def test_bad_input_says_what_to_give(
    policy: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["tune", *(argument.format(policy=policy) for argument in arguments)]) == 2
    assert message in capsys.readouterr().err
