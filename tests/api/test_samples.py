from pathlib import Path

import pytest

from podtide.api import decode
from tests.api import manifests

SAMPLES = sorted((Path(__file__).parents[2] / "config/samples").rglob("*.yaml"))


def test_there_are_samples() -> None:
    assert len(SAMPLES) >= 8


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_valid_without_a_warning(path: Path) -> None:
    for manifest in manifests.documents(path):
        if decode.is_autoscaler(manifest):
            decoded = decode.autoscaler(manifest)
            assert [str(found) for found in (*decoded.problems, *decoded.warnings)] == []
