"""`python -m tests.conform FILE…`: prints each family's score; exits 1 on a mismatch, 2 where a file has no runner."""

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.conform import registry, report, vectors


def main(arguments: Sequence[str]) -> int:
    """Run the files and return the exit status. Without files, those of `tests/data/vectors`."""
    paths = [Path(argument) for argument in arguments] or sorted(vectors.KEPT.glob("*.jsonl.gz"))
    status = 0
    for path in paths:
        family = vectors.family(path)
        runner = registry.RUNNERS.get(family)
        if runner is None:
            known = ", ".join(sorted(registry.RUNNERS))
            sys.stderr.write(f"{path}: no runner for the family {family!r}; known are {known}" + "\n")
            status = 2
            continue
        result = report.run(family, runner, vectors.rows(path))
        sys.stdout.write("\n".join([*report.lines(result), ""]))
        if result.mismatched or not result.total:
            status = status or 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
