"""`python -m tests.fuzz NAME [--runs N] [--keep]`: one reader under atheris, coverage-guided.

Needs `pip install atheris`. With `--keep` what was found is kept for the tests: the shortest inputs that together reach
everything that all of them reach. An input that fails is printed, and left in the working directory.
"""

import argparse
import importlib
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz import mutate, seeds


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("name", choices=sorted(seeds.SEEDS))
    parser.add_argument("--runs", type=int, default=-1, help="inputs to try; default: as many as there is time for")
    parser.add_argument("--seconds", type=int, default=60, help="at most (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="renew tests/data/fuzz/NAME.txt")
    parser.add_argument("--corpus", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.corpus:
        _fuzz(options)
        return 0
    with tempfile.TemporaryDirectory() as corpus:
        for number, sample in enumerate(seeds.samples(options.name)):
            Path(corpus, str(number)).write_bytes(sample)
        # libFuzzer ends its process, so it has one of its own.
        command = [sys.executable, "-m", "tests.fuzz", *sys.argv[1:], "--corpus", corpus]
        failed = subprocess.run(command, check=False).returncode
        if options.keep:
            minimal = importlib.import_module("tests.fuzz.minimal")
            found = [path.read_bytes() for path in Path(corpus).iterdir()]
            sys.stdout.write(f"{options.name}: kept {minimal.keep(options.name, found)}\n")
    return failed


def _fuzz(options: argparse.Namespace) -> None:
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["podtide"]):
        targets = importlib.import_module("tests.fuzz.targets")
    limits = [f"-runs={options.runs}", f"-max_total_time={options.seconds}", "-max_len=4096", "-timeout=10"]

    def change(data: bytes, most: int, seed: int) -> bytes:
        """Half of the time what libFuzzer does, else another value in the same form."""
        changed = mutate.document(data, random.Random(seed)) if seed % 2 else None
        return bytes(atheris.Mutate(data, most)) if changed is None or len(changed) > most else changed

    atheris.Setup([sys.argv[0], *limits, options.corpus], targets.TARGETS[options.name], custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
