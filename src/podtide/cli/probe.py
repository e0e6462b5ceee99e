"""`podtide probe`: scrape one page for one metric, and say what went wrong and how to mend it."""

import argparse
import asyncio
import gzip
import re
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podtide.cli import found

if TYPE_CHECKING:
    from podtide.core.model.spec import Derive, Http
    from podtide.net.prepare import Defaults
    from podtide.sources.probe import Found, Wanted


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "probe",
        help="look at an autoscaler's metrics, or scrape one pod, URL or file",
        description="Look for metrics just as the controller would, and say what is in the way. With --autoscaler: "
        "every metric of a PodAutoscaler, of every pod.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("url", nargs="?", help="http://10.0.0.7:8000/metrics")
    where.add_argument("--page", metavar="FILE", help="a page in a file, gzip too; - is standard input")
    where.add_argument("--pod", metavar="NAME", help="a pod, through the API server")
    where.add_argument("--autoscaler", metavar="NAME", help="a PodAutoscaler: its sources, credentials and pods")
    parser.add_argument("--metric", metavar="NAME", help="a series' name, or a logical name of AIBrix")
    parser.add_argument("--match", action="append", default=[], metavar="LABEL=VALUE", help="may be repeated")
    parser.add_argument("--aggregation", choices=("sum", "avg", "max", "min"), help="across series (sum)")
    parser.add_argument("--quantile", type=float, metavar="Q", help="of the metric's histogram, 0 to 1")
    parser.add_argument("--json-path", metavar="PATH", help="of a URL or --page that is JSON: $.queue.length")
    parser.add_argument(
        "--format",
        choices=("auto", "text", "openmetrics"),
        default="auto",
        help="of --page; auto looks for a line # EOF, and for .om in the file's name",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    pod = parser.add_argument_group("pods and autoscalers")
    pod.add_argument("-n", "--namespace", default="default", help="(%(default)s)")
    pod.add_argument("--port", help="number or name; default as for a PodAutoscaler without port")
    pod.add_argument("--path", help="default as for a PodAutoscaler without path")
    pod.add_argument("--https", action="store_true", help="speak TLS to the pod")
    pod.add_argument("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, else ~/.kube/config")
    pod.add_argument("--context", metavar="NAME", help="a context of the kubeconfig")
    tls = parser.add_argument_group("HTTP and TLS")
    tls.add_argument("--host-header", metavar="NAME", help="what to send as Host")
    tls.add_argument("--http2", action="store_true", help="speak HTTP/2")
    tls.add_argument("--tls-ca-file", metavar="FILE", help="trust these authorities")
    tls.add_argument("--tls-server-name", metavar="NAME", help="the name to send and to find in the certificate")
    tls.add_argument("--insecure-skip-verify", action="store_true", help="accept any certificate")
    tls.add_argument("--timeout", type=float, default=5.0, metavar="S", help="(%(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; 1 where there is no value."""
    from podtide.kube.errors import KubeError

    try:
        if arguments.autoscaler is not None:
            from podtide.cli import probe_autoscaler

            return asyncio.run(probe_autoscaler.run(arguments, _defaults(arguments)))
        seen = _look(arguments)
    except (OSError, EOFError, ValueError, zlib.error, KubeError) as error:
        print(f"podtide: {error}", file=sys.stderr)
        return 1
    found.show(seen, as_json=arguments.json)
    return 0 if found.has_value(seen) else 1


def _look(arguments: argparse.Namespace) -> "Found":
    from podtide.sources import probe

    wanted = _wanted(arguments)
    if arguments.page is not None:
        text = _read(arguments.page)
        is_openmetrics = arguments.format == "openmetrics" or (
            arguments.format == "auto" and _looks_like_openmetrics(arguments.page, text)
        )
        return probe.page(text, wanted, openmetrics=is_openmetrics)
    return asyncio.run(_ask(arguments, wanted))


async def _ask(arguments: argparse.Namespace, wanted: "Wanted") -> "Found":
    from podtide.core.model.spec import PodPage
    from podtide.net.auth import NoCredentials
    from podtide.sources import probe

    http, defaults = _http(arguments), _defaults(arguments)
    if arguments.url is not None:
        return await probe.url(arguments.url, http, wanted, NoCredentials(), defaults)
    port = int(arguments.port) if arguments.port and arguments.port.isdigit() else arguments.port
    source = PodPage(replace(http, scheme="https" if arguments.https else None), port, arguments.path)
    from podtide.kube import config, objects, resources
    from podtide.kube.client import Client
    from podtide.kube.secrets import Secrets

    configuration = await config.load(arguments.kubeconfig, arguments.context)
    async with Client(configuration, user_agent="podtide probe") as client:
        record = objects.pod(await client.get(resources.PODS, arguments.namespace, arguments.pod, into=objects.Pod))
        return await probe.pod(record.view, arguments.namespace, source, wanted, Secrets(client), defaults)


def _wanted(arguments: argparse.Namespace) -> "Wanted":
    from podtide.core import jsonpath, names
    from podtide.core.model.spec import Aggregation, Gauge, LabelMatch, Quantile, Select
    from podtide.sources.probe import Wanted

    metric = arguments.metric or arguments.json_path
    if not metric:
        raise ValueError("--metric is missing; write for example --metric vllm:num_requests_waiting")
    if arguments.json_path is not None:
        if arguments.pod is not None:
            raise ValueError("--json-path is for a URL or --page: a pod's page is never read as JSON")
        jsonpath.steps(arguments.json_path)
    matches = []
    for match in arguments.match:
        label, equals, value = match.partition("=")
        if not equals:
            raise ValueError(f'--match "{match}" has no value; write for example --match model_name=llama')
        matches.append(LabelMatch(label, "In", (value,)))
    default = "avg" if names.is_ratio(metric) else "sum"
    select = Select(metric, tuple(matches), Aggregation(arguments.aggregation or default))
    if arguments.quantile is not None and not 0 <= arguments.quantile <= 1:
        raise ValueError(f"--quantile {arguments.quantile:g} is not between 0 and 1; write for example 0.95")
    derived: Derive = Gauge() if arguments.quantile is None else Quantile(arguments.quantile)
    return Wanted(select, derived, json_path=arguments.json_path)


def _http(arguments: argparse.Namespace) -> "Http":
    from podtide.core.model.spec import Http, Tls

    secure = arguments.https if arguments.url is None else arguments.url.startswith("https:")
    tls = Tls(
        insecure_skip_verify=arguments.insecure_skip_verify,
        ca_file=arguments.tls_ca_file,
        server_name=arguments.tls_server_name,
    )
    return Http(
        scheme="https" if secure else "http",
        tls=tls,
        host_header=arguments.host_header,
        http2=arguments.http2,
        timeout=arguments.timeout,
    )


def _defaults(arguments: argparse.Namespace) -> "Defaults":
    from podtide.net.prepare import Defaults

    return Defaults(ca_file=arguments.tls_ca_file, insecure_skip_verify=arguments.insecure_skip_verify)


def _looks_like_openmetrics(path: str, text: bytes) -> bool:
    # A page that is cut off lacks the mark, and something may follow it: read as text, either would give a number.
    return ".om" in Path(path).suffixes or re.search(rb"^# EOF", text, re.MULTILINE) is not None


def _read(path: str) -> bytes:
    text = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    return gzip.decompress(text) if text.startswith(b"\x1f\x8b") else text
