"""Every kept vector of every family, answered by the production core."""

from pathlib import Path

import pytest

from tests.conform import registry, report, vectors

FILES = sorted(vectors.KEPT.glob("*.jsonl.gz"))


@pytest.mark.parametrize("path", FILES, ids=vectors.family)
def test_the_core_answers_as_the_original_does(path: Path) -> None:
    family = vectors.family(path)
    result = report.run(family, registry.RUNNERS[family], vectors.rows(path))
    assert not result.mismatched, "\n".join(report.lines(result))
    assert result.passed > 0


def test_no_family_lost_its_vectors() -> None:
    assert {vectors.family(path) for path in FILES} == set(registry.RUNNERS)
