"""`podtide version`: what runs here, and with which API it goes."""

import argparse
import json
import platform
from typing import Any

import podtide


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "version",
        help="say which version this is",
        description="Print the version, the API that it serves, and the Python it runs on.",
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form (%(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it; always 0."""
    from podtide.kube import resources

    told = {
        "podtide": podtide.__version__,
        "api": resources.AUTOSCALERS.api_version,
        "python": platform.python_version(),
    }
    if arguments.output == "json":
        print(json.dumps(told))
    else:
        print("\n".join(f"{name:<8} {value}" for name, value in told.items()))
    return 0
