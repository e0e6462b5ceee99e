"""What flags of `podtide run` become."""

import resource
from pathlib import Path

import pytest

from podtide.api import decode
from podtide.api.settings import Settings
from podtide.cli import main, run
from podtide.control import app
from podtide.core.model.spec import Hpa
from podtide.kube.errors import ConfigError
from podtide.telemetry import logs


def _chosen(*flags: str) -> Settings:
    return run.options(main.parser().parse_args(["run", *flags]))


def test_what_is_said_of_scraping_reaches_the_sources() -> None:
    chosen = _chosen("--scrape-timeout=1.5", "--scrape-concurrency=7", "--scrape-retries=0", "--scrape-backoff-limit=5")
    options = app.source_options(chosen, api="https://10.0.0.1:6443")
    assert (options.timeout, options.limits.in_flight, options.retries, options.backoff_limit) == (1.5, 7, 0, 5.0)
    assert "10.0.0.1" in options.refused_endpoints


def test_what_is_said_of_decisions_reaches_objects_that_say_nothing() -> None:
    chosen = _chosen(
        "--tolerance=20%",
        "--scale-down-stabilization=60",
        "--cpu-initialization-period=10",
        "--initial-readiness-delay=5",
    )
    manifest = {
        "apiVersion": "autoscaling.aibrix.ai/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "scalingStrategy": "HPA",
            "minReplicas": 1,
            "maxReplicas": 9,
            "metricsSources": [{"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "50"}],
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        },
    }
    spec = decode.autoscaler(manifest, chosen).spec
    assert spec is not None
    assert isinstance(spec.algorithm, Hpa)
    assert (spec.algorithm.cpu_initialization_period, spec.algorithm.initial_readiness_delay) == (10.0, 5.0)
    assert (spec.cooldown.down, spec.algorithm.tolerance.down) == (60.0, 0.2)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--qps=0", '"0" is not a number above 0'),
        ("--qps=nan", '"nan" is not a number above 0'),
        ("--burst=2.5", '"2.5" is not a whole number above 0'),
        ("--scrape-retries=-1", '"-1" is not a whole number of 0 or more'),
        ("--metrics-port=99999", '"99999" is not a port; write 1 to 65535, or 0 for a free one'),
        ("--tolerance=2", '"2" is not a share below 1; write for example 0.01 or 1%'),
        ("--initial-readiness-delay=soon", '"soon" is not a number of 0 or more'),
    ],
)
def test_a_flag_that_cannot_be_meant_is_refused_by_name(
    flag: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main.parser().parse_args(["run", flag])
    told = capsys.readouterr().err
    assert f"argument {flag.partition('=')[0]}: " in told
    assert message in told


async def test_a_client_certificate_without_its_key_is_refused() -> None:
    job = app.Job(_chosen("--tls-cert-file=cert.pem"))
    with pytest.raises(ConfigError, match="--tls-cert-file and --tls-key-file go together"):
        await app.App(job).run()


def test_without_flags_every_option_is_the_setting_s_default() -> None:
    assert _chosen() == Settings()


def test_it_takes_all_the_file_descriptors_it_is_granted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "setup", lambda *_: None)  # the log is this process's
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
        assert main.main(["run", f"--kubeconfig={tmp_path / 'none'}"]) != 0
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 512
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
