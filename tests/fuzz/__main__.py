"""`python -m tests.fuzz NAME [--runs N]`: one reader under atheris, coverage-guided. Needs `pip install atheris`."""

import argparse
import importlib
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=60, help="at most")
    options = parser.parse_args()
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["podtide"]):
        targets = importlib.import_module("tests.fuzz.targets")
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(targets.SEEDS[options.name]):
            Path(corpus, str(number)).write_bytes(seed)
        arguments = [
            sys.argv[0],
            f"-runs={options.runs}",
            f"-max_total_time={options.seconds}",
            "-max_len=4096",
            corpus,
        ]
        atheris.Setup(arguments, targets.TARGETS[options.name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
