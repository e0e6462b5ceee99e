"""One version, written in several places."""

import tomllib
from pathlib import Path

import yaml

import podtide

ROOT = Path(__file__).parents[2]


def test_every_place_names_the_same_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((ROOT / "charts/podtide/Chart.yaml").read_text())
    deployment = yaml.safe_load((ROOT / "config/manager/deployment.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {podtide.__version__, chart["version"], chart["appVersion"], container["image"].rpartition(":")[2]} == {
        project
    }
