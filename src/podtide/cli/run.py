"""`podtide run`: the controller."""

import argparse
import asyncio
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from podtide.api import settings
from podtide.api.settings import Settings
from podtide.cli import flags

DEFAULT = Settings()


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "run", help="run the controller", description="Run the controller until SIGTERM or SIGINT."
    )
    parser.set_defaults(run=run)
    _cluster(parser.add_argument_group("cluster"))
    _ownership(parser.add_argument_group("leader election and shards"))
    _scraping(parser.add_argument_group("scraping"))
    _deciding(
        parser.add_argument_group("decisions, where an object does not say; kube-controller-manager has the same")
    )
    _serving(parser.add_argument_group("metrics, probes and logs"))


def _cluster(group: Any) -> None:
    group.add_argument("--kubeconfig", metavar="FILE", help="default: the pod's service account, else $KUBECONFIG")
    group.add_argument("--context", metavar="NAME", help="a context of the kubeconfig")
    group.add_argument(
        "-n", "--namespace", action="append", default=[], metavar="NAME", help="watch only this one; may be repeated"
    )
    group.add_argument(
        "--from-files", type=Path, metavar="DIR", help="read PodAutoscalers from YAML files instead of the CRD"
    )
    group.add_argument(
        "--qps", type=flags.positive, default=DEFAULT.cluster.qps, help="requests a second (%(default)s)"
    )
    group.add_argument(
        "--burst", type=flags.whole, default=DEFAULT.cluster.burst, help="requests at once (%(default)s)"
    )


def _ownership(group: Any) -> None:
    own = DEFAULT.ownership
    group.add_argument(
        "--leader-elect",
        action=argparse.BooleanOptionalAction,
        default=own.enabled,
        help="act only while holding a Lease; needed with more than one replica (default)",
    )
    group.add_argument(
        "--shards", type=flags.whole, default=own.shards, help="spread over so many Leases (%(default)s)"
    )
    group.add_argument("--lease-namespace", metavar="NAME", help="default: the controller's own")
    group.add_argument("--lease-name", default=own.lease_name, metavar="NAME", help="(%(default)s)")
    group.add_argument(
        "--lease-duration", type=flags.positive, default=own.lease_duration, metavar="S", help="(%(default)s)"
    )
    group.add_argument(
        "--renew-deadline", type=flags.positive, default=own.renew_deadline, metavar="S", help="(%(default)s)"
    )
    group.add_argument(
        "--retry-period", type=flags.positive, default=own.retry_period, metavar="S", help="(%(default)s)"
    )


def _scraping(group: Any) -> None:
    trust, scraping = DEFAULT.trust, DEFAULT.scraping
    group.add_argument(
        "--tls-ca-file", metavar="FILE", help="trust these authorities where a source names none; re-read on change"
    )
    group.add_argument(
        "--insecure-skip-verify",
        action="store_true",
        default=trust.insecure_skip_verify,
        help="accept any certificate where a source does not say otherwise",
    )
    group.add_argument("--tls-cert-file", metavar="FILE", help="a client certificate, a mesh's for one")
    group.add_argument("--tls-key-file", metavar="FILE", help="its key")
    group.add_argument(
        "--token-endpoint",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="may receive the controller's own token; may be repeated",
    )
    group.add_argument(
        "--allow-endpoint",
        action="append",
        default=[],
        metavar="PATTERN",
        help="a loopback or link-local host, pattern or network that objects may name; may be repeated",
    )
    group.add_argument(
        "--scrape-timeout",
        type=flags.positive,
        default=scraping.timeout,
        metavar="S",
        help="for one scrape (%(default)s)",
    )
    group.add_argument(
        "--scrape-concurrency", type=flags.whole, default=scraping.in_flight, metavar="N", help="at once (%(default)s)"
    )
    group.add_argument(
        "--scrape-retries",
        type=flags.count,
        default=scraping.retries,
        metavar="N",
        help="further tries of a pod within a round, where time allows (%(default)s)",
    )
    group.add_argument(
        "--scrape-backoff-limit",
        type=flags.positive,
        default=scraping.backoff_limit,
        metavar="S",
        help="the longest pause before a failing pod is asked again (%(default)s)",
    )


def _deciding(group: Any) -> None:
    deciding = DEFAULT.deciding
    group.add_argument(
        "--tolerance",
        type=flags.share,
        default=deciding.tolerance,
        metavar="SHARE",
        help="HPA's and APA's band around the target (%(default)s)",
    )
    group.add_argument(
        "--scale-down-stabilization",
        type=flags.not_negative,
        default=deciding.scale_down_stabilization,
        metavar="S",
        help="the highest of so many seconds' recommendations holds (%(default)s)",
    )
    group.add_argument(
        "--cpu-initialization-period",
        type=flags.not_negative,
        default=deciding.cpu_initialization_period,
        metavar="S",
        help="after a pod's start HPA counts its cpu only when it is ready (%(default)s)",
    )
    group.add_argument(
        "--initial-readiness-delay",
        type=flags.not_negative,
        default=deciding.initial_readiness_delay,
        metavar="S",
        help="a pod that turns unready so soon has never been ready (%(default)s)",
    )


def _serving(group: Any) -> None:
    serving = DEFAULT.serving
    group.add_argument("--metrics-host", default=serving.metrics_host, metavar="ADDRESS", help="default: all")
    group.add_argument(
        "--metrics-port",
        type=flags.port,
        default=serving.metrics_port,
        metavar="PORT",
        help="0: a free one (%(default)s)",
    )
    group.add_argument(
        "--health-port",
        type=flags.port,
        default=serving.health_port,
        metavar="PORT",
        help="0: a free one (%(default)s)",
    )
    group.add_argument(
        "--record", type=Path, metavar="FILE", help="write what is seen and decided, for `podtide replay`; rotates"
    )
    group.add_argument(
        "--record-limit", type=flags.whole, default=256, metavar="MIB", help="of all its files together (%(default)s)"
    )
    group.add_argument("--log-level", default=serving.log_level, choices=("debug", "info", "warning", "error"))
    group.add_argument("--log-format", default=serving.log_format, choices=("auto", "json", "human"))


def options(arguments: argparse.Namespace) -> Settings:
    """The settings that flags ask for."""
    return Settings(
        scraping=settings.Scraping(
            timeout=arguments.scrape_timeout,
            in_flight=arguments.scrape_concurrency,
            retries=arguments.scrape_retries,
            backoff_limit=arguments.scrape_backoff_limit,
        ),
        deciding=settings.Deciding(
            tolerance=arguments.tolerance,
            scale_down_stabilization=arguments.scale_down_stabilization,
            cpu_initialization_period=arguments.cpu_initialization_period,
            initial_readiness_delay=arguments.initial_readiness_delay,
        ),
        trust=settings.Trust(
            ca_file=arguments.tls_ca_file,
            insecure_skip_verify=arguments.insecure_skip_verify,
            token_endpoints=tuple(arguments.token_endpoint),
            allowed_endpoints=tuple(arguments.allow_endpoint),
            client_cert_file=arguments.tls_cert_file,
            client_key_file=arguments.tls_key_file,
        ),
        cluster=settings.Cluster(
            kubeconfig=arguments.kubeconfig,
            context=arguments.context,
            namespaces=tuple(arguments.namespace),
            qps=arguments.qps,
            burst=arguments.burst,
        ),
        ownership=settings.Ownership(
            enabled=arguments.leader_elect,
            shards=arguments.shards,
            lease_namespace=arguments.lease_namespace,
            lease_name=arguments.lease_name,
            lease_duration=arguments.lease_duration,
            renew_deadline=arguments.renew_deadline,
            retry_period=arguments.retry_period,
        ),
        serving=settings.Serving(
            metrics_host=arguments.metrics_host,
            metrics_port=arguments.metrics_port,
            health_port=arguments.health_port,
            log_format=arguments.log_format,
            log_level=arguments.log_level,
        ),
    )


def run(arguments: argparse.Namespace) -> int:
    """Run until told to stop; 0 after an orderly end, 1 if it could not start."""
    # The controller's imports take a third of a second, which `podtide --help` need not wait for.
    from podtide.control.app import App, Job
    from podtide.kube.errors import ConfigError
    from podtide.net import descriptors, lookups
    from podtide.telemetry import logs

    descriptors.raise_limit()
    chosen = options(arguments)
    logs.setup(chosen.serving.log_level, chosen.serving.log_format)
    limit = arguments.record_limit << 20
    app = App(
        Job(chosen, from_files=arguments.from_files, owns_process=True, record=arguments.record, record_limit=limit)
    )

    async def work() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(lookups.THREADS, "name"))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, app.stop)
        await app.run()

    try:
        asyncio.run(work())
    except ConfigError as error:
        print(f"podtide: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"podtide: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0
