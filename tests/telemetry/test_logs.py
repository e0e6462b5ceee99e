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
