from pathlib import Path

import pytest

from podtide.cli import main

SAMPLES = Path(__file__).parents[2] / "config" / "samples"
AUTOSCALERS = sorted(path for path in SAMPLES.glob("*.yaml") if "kind: PodAutoscaler" in path.read_text())


def test_every_kind_of_server_has_a_sample() -> None:
    assert {path.stem for path in AUTOSCALERS} >= {
        "kpa-vllm-http",
        "kpa-sglang",
        "metrics-server-ca",
        "metrics-server-skip-verify",
        "metrics-server-4443-ca",
        "metrics-server-4443-skip-verify",
        "jupyterhub",
        "istio-strict-mtls",
        "prometheus",
        "schedules",
        "scale-to-zero-prometheus",
    }


@pytest.mark.parametrize("path", AUTOSCALERS, ids=lambda path: path.stem)
def test_a_sample_is_valid_without_a_warning(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["validate", "--strict", str(path)]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out == "1 PodAutoscaler checked: all valid\n"
