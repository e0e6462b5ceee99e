"""Reads vector files: JSON lines, plain or gzipped. The file's name says which family it is."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from tests.conform.outcome import Row

KEPT = Path(__file__).parent.parent / "data" / "vectors"
"""The vectors that every clone has."""


def family(path: Path) -> str:
    """The family of a file: `kpa_windows` for `kpa_windows.jsonl` and `kpa_windows.jsonl.gz`."""
    return path.name.split(".", 1)[0]


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file, in order. Integers stay integers, however large."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)
