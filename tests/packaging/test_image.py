"""What can be said of the image without building it, and of the workflows without running them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_last_stage_runs_as_nobody_and_has_a_health_check() -> None:
    last = instructions()
    last = last[max(at for at, (name, _) in enumerate(last) if name == "FROM") :]
    given = dict(last)
    assert given["USER"] == "65532:65532"
    assert given["ENTRYPOINT"] == '["podtide"]'
    assert "/livez" in given["HEALTHCHECK"]
    assert "pip" not in " ".join(value for name, value in last if name == "RUN")


def test_what_is_copied_is_there_and_let_through() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        name
        for instruction, value in instructions()
        if instruction == "COPY" and not value.startswith("--from")
        for name in value.split()[:-1]
    }
    assert copied == allowed
    assert [name for name in copied if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_grants_little_and_ends_in_time(path: Path) -> None:
    workflow: dict[str, Any] = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "a/b@v1"))
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False
