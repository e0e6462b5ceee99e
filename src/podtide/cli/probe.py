"""`podtide probe`: scrape one page for one metric, and say what went wrong and how to mend it."""

import argparse
import asyncio
import gzip
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from podtide.core.model.spec import Http, Select
    from podtide.net.prepare import Defaults
    from podtide.sources.probe import Found


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "probe",
        help="scrape one pod, URL or file for a metric",
        description="Look for a metric on one page, just as the controller would, and say what is in the way.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("url", nargs="?", help="http://10.0.0.7:8000/metrics")
    where.add_argument("--page", metavar="FILE", help="a page in a file, gzip too; - is standard input")
    where.add_argument("--pod", metavar="NAME", help="a pod, through the API server")
    parser.add_argument("--metric", required=True, metavar="NAME", help="a series' name, or a logical name of AIBrix")
    parser.add_argument("--match", action="append", default=[], metavar="LABEL=VALUE", help="may be repeated")
    parser.add_argument("--aggregation", choices=("sum", "avg", "max", "min"), help="across series (sum)")
    parser.add_argument(
        "--format", choices=("auto", "text", "openmetrics"), default="auto", help="of --page; auto looks for # EOF"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    pod = parser.add_argument_group("pods")
    pod.add_argument("-n", "--namespace", default="default", help="(%(default)s)")
    pod.add_argument("--port", help="number or name; default as for a PodAutoscaler without port")
    pod.add_argument("--path", help="default as for a PodAutoscaler without path")
    pod.add_argument("--https", action="store_true", help="speak TLS to the pod")
    pod.add_argument("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, else ~/.kube/config")
    pod.add_argument("--context", metavar="NAME", help="a context of the kubeconfig")
    tls = parser.add_argument_group("HTTP and TLS")
    tls.add_argument("--host-header", metavar="NAME", help="what to send as Host")
    tls.add_argument("--tls-ca-file", metavar="FILE", help="trust these authorities")
    tls.add_argument("--tls-server-name", metavar="NAME", help="the name to send and to find in the certificate")
    tls.add_argument("--insecure-skip-verify", action="store_true", help="accept any certificate")
    tls.add_argument("--timeout", type=float, default=5.0, metavar="S", help="(%(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; 1 where there is no value."""
    from podtide.core.model.reading import Failure
    from podtide.kube.errors import KubeError

    try:
        found = _look(arguments)
    except (OSError, EOFError, ValueError, KubeError) as error:
        print(f"podtide: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(as_json(found)))
    else:
        _print(found)
    return 1 if isinstance(found.value, Failure) else 0


def as_json(found: "Found") -> dict[str, Any]:
    """The machine's form: the value (null where there is none), how many series count, and the series."""
    from podtide.core.model.reading import Failure

    failure = found.value if isinstance(found.value, Failure) else None
    shown: dict[str, Any] = {
        "metric": found.metric,
        "value": None if failure else found.value,
        "samples": len(found.series),
        "series": [
            {
                "name": one.name,
                "labels": dict(one.labels),
                "value": one.value if math.isfinite(one.value) else str(one.value),
            }
            for one in found.series
        ],
    }
    if failure is not None:
        shown["failure"] = {"reason": failure.reason.value, "detail": failure.detail}
    return shown


def _look(arguments: argparse.Namespace) -> "Found":
    from podtide.sources import probe

    wanted = _select(arguments)
    if arguments.page is not None:
        text = _read(arguments.page)
        openmetrics = arguments.format == "openmetrics" or (
            arguments.format == "auto" and text.rstrip().endswith(b"# EOF")
        )
        return probe.page(text, wanted, openmetrics=openmetrics)
    return asyncio.run(_ask(arguments, wanted))


async def _ask(arguments: argparse.Namespace, wanted: "Select") -> "Found":
    from podtide.core.model.spec import PodPage
    from podtide.net.auth import NoCredentials
    from podtide.sources import probe

    http, defaults = _http(arguments), _defaults(arguments)
    if arguments.url is not None:
        return await probe.url(arguments.url, http, wanted, NoCredentials(), defaults)
    port = int(arguments.port) if arguments.port and arguments.port.isdigit() else arguments.port
    source = PodPage(http, port, arguments.path)
    from podtide.kube import config, objects, resources
    from podtide.kube.client import Client
    from podtide.kube.secrets import Secrets

    configuration = await config.load(arguments.kubeconfig, arguments.context)
    async with Client(configuration, user_agent="podtide probe") as client:
        record = objects.pod(await client.get(resources.PODS, arguments.namespace, arguments.pod, into=objects.Pod))
        return await probe.pod(record.view, arguments.namespace, source, wanted, Secrets(client), defaults)


def _select(arguments: argparse.Namespace) -> "Select":
    from podtide.core import names
    from podtide.core.model.spec import Aggregation, LabelMatch, Select

    matches = []
    for match in arguments.match:
        label, equals, value = match.partition("=")
        if not equals:
            raise ValueError(f'--match "{match}" has no value; write for example --match model_name=llama')
        matches.append(LabelMatch(label, "In", (value,)))
    default = "avg" if names.is_ratio(arguments.metric) else "sum"
    return Select(arguments.metric, tuple(matches), Aggregation(arguments.aggregation or default))


def _http(arguments: argparse.Namespace) -> "Http":
    from podtide.core.model.spec import Http, Tls

    secure = arguments.https if arguments.url is None else arguments.url.startswith("https:")
    tls = Tls(
        insecure_skip_verify=arguments.insecure_skip_verify,
        ca_file=arguments.tls_ca_file,
        server_name=arguments.tls_server_name,
    )
    http = Http(scheme="https" if secure else "http", tls=tls, host_header=arguments.host_header)
    return replace(http, timeout=arguments.timeout)


def _defaults(arguments: argparse.Namespace) -> "Defaults":
    from podtide.net.prepare import Defaults

    return Defaults(ca_file=arguments.tls_ca_file)


def _read(path: str) -> bytes:
    text = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    return gzip.decompress(text) if text.startswith(b"\x1f\x8b") else text


def _print(found: "Found") -> None:
    from podtide.core.model.reading import Failure

    for name, fact in found.facts.items():
        print(f"{name + ':':<20}{fact}")
    for sample in found.series:
        labels = ",".join(f'{key}="{value}"' for key, value in sample.labels.items())
        print(f"  {sample.name}{{{labels}}} {sample.value:g}")
    if isinstance(found.value, Failure):
        print(f"no value:           {found.value.reason.value}\n  {found.value.detail}")
    else:
        print(f"{found.metric} = {found.value:g}")
