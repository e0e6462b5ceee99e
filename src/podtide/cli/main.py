"""`podtide COMMAND`: names the commands and hands over to the one that was asked for."""

import argparse
import sys
from collections.abc import Sequence

import podtide
from podtide.cli import crd, demo, explain, probe, replay, run, simulate, tune, validate, version

COMMANDS = (run, demo, simulate, replay, tune, validate, crd, explain, probe, version)


def parser() -> argparse.ArgumentParser:
    """The parser of every command; the CLI reference is made from it."""
    top = argparse.ArgumentParser(
        prog="podtide",
        description="Scale pods on the metrics they expose themselves.",
        epilog="Start with `podtide demo`: it needs no cluster.",
    )
    top.add_argument("--version", action="version", version=f"podtide {podtide.__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except BrokenPipeError:
        # `podtide explain … | head` has what it wanted.
        sys.stderr.close()
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main())
