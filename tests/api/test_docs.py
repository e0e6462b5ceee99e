"""Every example of the documentation is a valid manifest, without a problem and without a warning."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from podtide.api import decode, schema_source
from podtide.core.model import spec

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> Iterator[Any]:
    """Every PodAutoscaler in a code block."""
    for path in sorted(DOCS.glob("*.md")):
        for block in _BLOCK.finditer(path.read_text(encoding="utf-8")):
            for number, manifest in enumerate(yaml.safe_load_all(block[1])):
                if decode.is_autoscaler(manifest):
                    line = path.read_text(encoding="utf-8")[: block.start()].count("\n") + 1
                    yield pytest.param(manifest, id=f"{path.name}:{line}" + (f"#{number}" if number else ""))


EXAMPLES = list(examples())


@pytest.mark.parametrize("manifest", EXAMPLES)
def test_an_example_is_valid(manifest: dict[str, Any]) -> None:
    decoded = decode.autoscaler(manifest)
    assert [str(problem) for problem in (*decoded.problems, *decoded.warnings)] == []
    assert decoded.spec is not None


def test_every_source_has_an_example() -> None:
    decoded = [decode.autoscaler(example.values[0]).spec for example in EXAMPLES]
    metrics = [metric for each in decoded if each is not None for metric in each.metrics]
    kinds = {type(metric.source) for metric in metrics}
    assert kinds >= {
        spec.PodPage,
        spec.Resource,
        spec.Custom,
        spec.Endpoint,
        spec.External,
        spec.Query,
        spec.Formula,
    }
    assert {type(metric.derive) for metric in metrics} >= {spec.Gauge, spec.Rate, spec.Quantile}
    written = {
        source["metricSourceType"] for example in EXAMPLES for source in example.values[0]["spec"]["metricsSources"]
    }
    assert written >= set(schema_source.SOURCE_TYPES)
