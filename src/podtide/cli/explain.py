"""`podtide explain NAME -n NS`: why the last decision came out as it did."""

import argparse
import asyncio
import sys
from typing import Any


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain",
        help="say why an autoscaler decided as it did",
        description="Print the trail of the last decision: what was read, each step, and what set the result.",
    )
    parser.add_argument("name", help="the PodAutoscaler")
    parser.add_argument("-n", "--namespace", default="default", help="(%(default)s)")
    parser.add_argument("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, else ~/.kube/config")
    parser.add_argument("--context", metavar="NAME", help="a context of the kubeconfig")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation; 1 where there is none."""
    from podtide.api import explain
    from podtide.kube import errors, remedies, resources

    try:
        manifest = asyncio.run(_read(arguments))
    except errors.KubeError as error:
        print(f"podtide: {remedies.advised(error, resources.AUTOSCALERS)}", file=sys.stderr)
        return 1
    for line in explain.from_status(manifest.get("status") or {}):
        print(line)
    return 0


async def _read(arguments: argparse.Namespace) -> dict[str, Any]:
    from podtide.kube import config, resources
    from podtide.kube.client import Client

    configuration = await config.load(arguments.kubeconfig, arguments.context)
    async with Client(configuration, user_agent="podtide explain") as client:
        return await client.get(resources.AUTOSCALERS, arguments.namespace, arguments.name, into=dict[str, Any])
