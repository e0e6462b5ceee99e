import base64
import json
from pathlib import Path

import pytest
import yaml

from podtide.cli.main import main
from tests.sim import tapes


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A recording, and another policy."""
    recording, other = tmp_path / "rec", tmp_path / "other.yaml"
    recording.write_bytes(b"".join(tapes.recorded(tapes.manifest())))
    other.write_text(yaml.safe_dump(tapes.manifest(scalingStrategy="HPA")))
    return {"rec": str(recording), "other": str(other)}


def test_its_own_policy_decides_as_recorded(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", files["rec"]]) == 0
    assert capsys.readouterr().out == "default/web: 149 decisions, all as recorded\n"


def test_another_policy_shows_where_it_differs(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", files["rec"], files["other"]]) == 0
    text = capsys.readouterr().out
    assert "of them in the count" in text
    assert "and " in text
    assert "more; --all prints them" in text
    assert main(["replay", files["rec"], files["other"], "--explain", "1"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Recorded:\ndefault/web: ")
    assert "Now:\ndefault/web: " in text
    assert main(["replay", files["rec"], files["other"], "--json"]) == 0
    differences = json.loads(capsys.readouterr().out)
    assert {"at", "why", "recorded", "now", "autoscaler"} == differences[0].keys()


def test_a_version_that_decides_otherwise_is_found(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(files["rec"])
    path.write_bytes(path.read_bytes().replace(b'"action":"patch"', b'"action":"keep"'))
    assert main(["replay", files["rec"]]) == 1
    assert ": action keep; now patch" in capsys.readouterr().out


def test_files_are_put_in_order(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    lines = Path(files["rec"]).read_bytes().splitlines(keepends=True)
    Path(files["rec"]).write_bytes(b"".join(lines[60:]))
    Path(files["rec"] + ".1").write_bytes(b"".join(lines[:60]))
    # The newer file begins without the pods of the older one, which a controller would not write.
    assert main(["replay", files["rec"] + ".1"]) == 0
    assert "59 decisions, all as recorded" in capsys.readouterr().out


def test_a_recording_whose_beginning_was_cut_off(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    lines = Path(files["rec"]).read_bytes().splitlines(keepends=True)
    Path(files["rec"]).write_bytes(b"".join(lines[70:]))
    assert main(["replay", files["rec"]]) == 2
    assert "the recording holds no decision" in capsys.readouterr().err
    Path(files["rec"]).write_bytes(b"".join([*lines[70:], *lines]))
    assert main(["replay", files["rec"]]) == 0
    assert "149 decisions, all as recorded" in capsys.readouterr().out


def test_a_last_line_that_a_crash_cut_within_a_letter(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with Path(files["rec"]).open("ab") as recording:
        recording.write('{"kind":"tick","message":"→'.encode()[:-1])
    assert main(["replay", files["rec"]]) == 0
    assert "149 decisions, all as recorded" in capsys.readouterr().out


def test_another_versions_memory_is_told(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(files["rec"])
    begin, _, rest = path.read_bytes().partition(b"\n")
    entry = json.loads(begin) | {"memory": base64.b64encode(b"podtide-memory\nx").decode()}
    path.write_bytes(json.dumps(entry).encode() + b"\n" + rest)
    assert main(["replay", files["rec"]]) == 2
    assert "default/web: memory snapshot is cut short" in capsys.readouterr().err


def test_another_policy_is_tried_on_the_readings_there_are(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of KPA come every two seconds, where HPA alone would read every 15 and wait 45 for a stale one."""
    path, lines = Path(files["rec"]), Path(files["rec"]).read_bytes().splitlines(keepends=True)
    silent = [_without_readings(line) if place > 80 else line for place, line in enumerate(lines)]
    path.write_bytes(b"".join(silent))
    assert main(["replay", files["rec"], files["other"], "--json"]) == 0
    steps = [step["now"]["steps"] for step in json.loads(capsys.readouterr().out)]
    assert any("to shrink it may be 17 s" in each.get("message", "") for step in steps for each in step)


def _without_readings(line: bytes) -> bytes:
    return json.dumps(json.loads(line) | {"readings": []}).encode() + b"\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["{other}"], "no recording among the files", id="no recording"),
        pytest.param(["none"], "none: No such file", id="no such file"),
        pytest.param(["LICENSE"], "LICENSE:1: is no line of a recording", id="not a recording"),
        pytest.param(["{rec}", "--autoscaler", "a/b"], "the recording holds no decision of a/b", id="not in it"),
        pytest.param(["{rec}", "--explain", "3"], "--explain 3: there are 0 differences", id="no such difference"),
        pytest.param(
            ["{rec}", "config/samples/kpa-https-ca.yaml"],
            "http_requests_in_flight was not recorded; there is ",
            id="another metric",
        ),
    ],
)
def test_bad_input_says_what_to_give(
    files: dict[str, str], capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["replay", *(argument.format(**files) for argument in arguments)]) == 2
    assert message in capsys.readouterr().err
