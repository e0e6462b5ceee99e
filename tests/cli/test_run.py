"""What flags of `podtide run` become."""

import resource
from pathlib import Path

import pytest

from podtide.api.settings import Settings
from podtide.cli import main, run
from podtide.control import app
from podtide.telemetry import logs


def _chosen(*flags: str) -> Settings:
    return run.options(main.parser().parse_args(["run", *flags]))


def test_what_is_said_of_scraping_reaches_the_sources() -> None:
    chosen = _chosen("--scrape-timeout=1.5", "--scrape-concurrency=7", "--scrape-retries=0", "--scrape-backoff-limit=5")
    options = app.source_options(chosen, api="https://10.0.0.1:6443")
    assert (options.timeout, options.limits.in_flight, options.retries, options.backoff_limit) == (1.5, 7, 0, 5.0)
    assert "10.0.0.1" in options.refused_endpoints


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
