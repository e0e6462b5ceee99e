"""`podtide crd`: the CustomResourceDefinition, to be applied to a cluster."""

import argparse
import json
import sys
from typing import Any

_HEADER = "# Made by `podtide crd`; to change it, change src/podtide/api/schema.py.\n"


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "crd",
        help="print the CustomResourceDefinition",
        description="Print the CustomResourceDefinition of PodAutoscalers.",
        epilog="Install it with: podtide crd | kubectl apply --server-side -f -",
    )
    parser.add_argument(
        "-o",
        "--output",
        choices=("yaml", "json", "markdown"),
        default="yaml",
        help="form; markdown is the fields' reference (%(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it; always 0."""
    from podtide.api import crd, reference

    manifest = crd.manifest()
    if arguments.output == "json":
        sys.stdout.write(json.dumps(manifest, indent=2) + "\n")
    elif arguments.output == "markdown":
        sys.stdout.write(reference.markdown())
    else:
        sys.stdout.write(text(manifest))
    return 0


def text(manifest: dict[str, Any]) -> str:
    """The definition as YAML, as config/crd holds it."""
    import yaml

    return _HEADER + yaml.safe_dump(manifest, sort_keys=False, width=120, allow_unicode=True)
