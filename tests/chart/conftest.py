from pathlib import Path

import pytest

from tests.chart.release import Release


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """Installs releases and runs their container's command: `async with release.running(documents, work)`."""
    return Release(tmp_path, monkeypatch)
