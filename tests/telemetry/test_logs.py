import json
import logging

import pytest

from podtide.telemetry import logs


def record(**fields: object) -> logging.LogRecord:
    made = logging.LogRecord("podtide.x", logging.WARNING, "f.py", 1, "cannot %s", ("see",), None)
    made.created, made.msecs = 1767323045.25, 250.0
    made.fields = fields
    return made


def test_a_json_line_holds_message_and_fields() -> None:
    assert json.loads(logs.JsonFormatter().format(record(autoscaler="shop/web", desired=3))) == {
        "ts": "2026-01-02T03:04:05.250Z",
        "level": "warning",
        "logger": "podtide.x",
        "msg": "cannot see",
        "autoscaler": "shop/web",
        "desired": 3,
    }


def test_a_human_line_is_short() -> None:
    line = logs.TextFormatter().format(record(desired=3))
    assert line.endswith(" WARNING cannot see desired=3")


@pytest.mark.parametrize(("level", "shown"), [("info", False), ("debug", True)])
def test_the_level_is_the_one_asked_for(level: str, shown: bool, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.setup(level, "human")
        logging.getLogger("podtide.test").debug("whisper")
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
    assert ("whisper" in capsys.readouterr().err) is shown


@pytest.mark.parametrize("form", [logs.JsonFormatter(), logs.TextFormatter()])
def test_what_a_metric_is_called_forges_no_line(form: logging.Formatter) -> None:
    made = record(**{"level": "1/2", "msg": "3/4", "ts": "5/6", "a\n\x1b[2J": "7/8"})
    made.msg = "cannot %s\n12:00:00 ERROR all is lost"
    line = form.format(made)
    assert line.isprintable()
    if isinstance(form, logs.JsonFormatter):
        said = json.loads(line)
        assert said["level"] == "warning"
        assert said["msg"].startswith("cannot see")
