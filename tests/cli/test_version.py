import json

import pytest

import podtide
from podtide.cli import main


def test_it_names_the_program_and_its_api(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["version"]) == 0
    shown = capsys.readouterr().out
    assert f"podtide  {podtide.__version__}\n" in shown
    assert "api      autoscaling.aibrix.ai/v1alpha1\n" in shown


def test_it_is_readable_by_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["version", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["podtide"] == podtide.__version__
