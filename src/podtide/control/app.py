"""The whole controller, wired: from a configuration to a running fleet. Called by `cli.run` and the demo."""

import asyncio
import errno
import logging
import os
import random
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import podtide
from podtide.aio import garbage
from podtide.aio.clock import Clock
from podtide.api.settings import Ownership as OwnershipOptions
from podtide.api.settings import Settings, Trust
from podtide.control.feeds.base import Feed
from podtide.control.feeds.crd import CrdFeed
from podtide.control.feeds.files import FileFeed
from podtide.control.fleet import Fleet
from podtide.control.keeper import Keeper
from podtide.control.ownership import Ownership
from podtide.control.report import Reports
from podtide.control.sinks import ClusterSink, LogSink
from podtide.kube import config
from podtide.kube.client import Client
from podtide.kube.errors import ConfigError
from podtide.kube.events import Events
from podtide.kube.informers import Informers
from podtide.kube.leases import Lease, Timing
from podtide.kube.members import Members
from podtide.kube.secrets import Secrets
from podtide.net.page import Limits
from podtide.net.prepare import Defaults
from podtide.sources.registry import Options, Sources
from podtide.targets.registry import Targets
from podtide.telemetry.health import Health, HealthServer
from podtide.telemetry.meters import Meters
from podtide.telemetry.record import Recorder

log = logging.getLogger(__name__)

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Job:
    """What one process is to do."""

    settings: Settings
    from_files: Path | None = None
    """Read PodAutoscalers from this directory instead of the API server."""
    owns_process: bool = False
    """Whether nothing else runs in the process, so that its garbage collector is ours to tune."""
    record: Path | None = None
    """Write what is seen and decided to this file."""
    record_limit: int = 256 * 1024 * 1024
    """Bytes of this file and the older ones together."""


class App:
    """One controller process. `run` ends when `stop` is called, after every tick in flight has ended."""

    def __init__(self, job: Job, *, clock: Clock | None = None, meters: Meters | None = None) -> None:
        self.meters = meters or Meters()
        self.health = Health()
        self.ports: tuple[int, ...] = ()
        """The ports of the metrics and the probes, once they are open."""
        self._job = job
        self._settings = job.settings
        self._clock = clock or Clock()
        self._rng = random.Random()  # noqa: S311  (jitter)
        self._identity = job.settings.ownership.identity or _own_name()
        self._stop = asyncio.Event()
        self._ready = asyncio.Event()

    def stop(self) -> None:
        """End soon, and in order."""
        self._stop.set()

    async def run(self) -> None:
        """Work until stopped.

        Raises:
            ConfigError: there is no usable configuration, or the Leases' times contradict each other.
            OSError: a port is taken.
        """
        settings = self._settings
        _check(settings.ownership)
        _check_pair(settings.trust)
        configuration = await config.load(settings.cluster.kubeconfig, settings.cluster.context)
        recorder = self._recorder()
        servers = self._serve()
        try:
            async with Client(
                configuration,
                user_agent=f"podtide/{podtide.__version__} ({self._identity})",
                qps=settings.cluster.qps,
                burst=settings.cluster.burst,
                observe=self.meters.api_request,
            ) as client:
                await self.work(client, recorder)
        finally:
            if recorder is not None:
                recorder.close()
            for server in servers:
                server.stop()

    def _serve(self) -> list[HealthServer]:
        serving = self._settings.serving
        host = serving.metrics_host
        # Both pages are on every port; asked for twice, one serves.
        flags = {serving.health_port: "--health-port"} | {serving.metrics_port: "--metrics-port"}
        servers = []
        for port in dict.fromkeys((serving.metrics_port, serving.health_port)):
            try:
                servers.append(HealthServer(self.health, self.meters.registry, host=host, port=port))
            except OSError as error:
                for server in servers:
                    server.close()
                flag = flags[port] if error.errno in (errno.EADDRINUSE, errno.EACCES) else "--metrics-host"
                raise OSError(error.errno, f"{error.strerror}; give another {flag}") from error
        for server in servers:
            server.start()
        self.ports = tuple(server.port for server in servers)
        return servers

    def _recorder(self) -> Recorder | None:
        job = self._job
        if job.record is None:
            return None
        try:
            return Recorder(job.record, job.settings, limit=job.record_limit)
        except OSError as error:
            raise ConfigError(f"--record {job.record}: {error.strerror}; name a file that can be written") from error

    async def work(self, client: Client, recorder: Recorder | None = None) -> None:
        """Everything that runs, in one group, until stopped: `run` without what the process itself has, such as ports.

        The order of the ending is written out below.
        """
        settings = self._settings
        events = Events(client, self._identity)
        own = settings.ownership
        ownership = Ownership(own.shards, self.meters)
        reports = Reports(self._sink(client, events, ownership), self.meters)
        async with asyncio.TaskGroup() as group:
            informers = Informers(client, group, namespaces=settings.cluster.namespaces, rng=self._rng)
            targets = Targets(informers, patch_timeout=own.lease_duration - own.renew_deadline)
            sources = Sources(
                Secrets(client),
                source_options(settings, api=client.host),
                rng=self._rng,
                timer=self._clock,
                observe=lambda _, seconds, failure: self.meters.scraped(seconds, failure),
            )
            sources.ask(client)
            feed = self._feed(informers)
            fleet = Fleet(
                group,
                feed,
                ownership,
                targets,
                sources,
                reports,
                keeper=Keeper(client, self._namespace(), own.lease_name) if own.keep_state else None,
                keep_every=own.keep_every,
                clock=self._clock,
                meters=self.meters,
                rng=self._rng,
                insecure_skip_verify=settings.trust.insecure_skip_verify,
                tapes=None if recorder is None else recorder.tape,
            )
            background = [
                group.create_task(self._beat(feed, informers), name="heartbeat"),
                group.create_task(self._settle(), name="garbage"),
                group.create_task(events.run(), name="events"),
                group.create_task(reports.run(), name="statuses"),
                group.create_task(sources.run(), name="sources"),
            ]
            if own.enabled:
                ownership.compete(*self._leases(client, ownership))
            leases = group.create_task(ownership.run(), name="leases")
            following = group.create_task(fleet.run(), name="fleet")
            where = {"identity": self._identity, "api": client.host, "ports": ", ".join(map(str, self.ports))}
            log.info("podtide is running", extra={"fields": where})
            await self._stop.wait()
            log.info("stopping")
            self.health.not_ready("stopping")
            following.cancel()
            await fleet.stop()
            await self._last_words(events, reports)
            leases.cancel()
            await asyncio.wait({leases})
            for task in background:
                task.cancel()
            informers.stop()
            await sources.aclose()

    async def _last_words(self, events: Events, reports: Reports) -> None:
        """What was decided in the last tick is told, if the API server listens."""
        try:
            async with asyncio.timeout(3):
                await reports.flush()
                await events.flush()
        except TimeoutError:
            log.info("some statuses or events were not written in time")

    def _sink(self, client: Client, events: Events, ownership: Ownership) -> ClusterSink | LogSink:
        return LogSink() if self._job.from_files else ClusterSink(client, events, may_write=ownership.owns)

    def _feed(self, informers: Informers) -> Feed:
        if self._job.from_files:
            return FileFeed(self._job.from_files, self._settings, self._clock)
        return CrdFeed(informers, self._settings)

    def _namespace(self) -> str:
        return self._settings.ownership.lease_namespace or _own_namespace()

    def _leases(self, client: Client, ownership: Ownership) -> tuple[list[Lease], Members | None, Lease | None]:
        options, namespace = self._settings.ownership, self._namespace()
        timing = Timing(options.lease_duration, options.renew_deadline, options.retry_period)

        def lease(name: str, identity: str, changed: Callable[[bool], None], *, shared: bool = False) -> Lease:
            return Lease(
                client,
                namespace,
                name,
                identity,
                timing=timing,
                changed=changed,
                noticed=ownership.noticed,
                shared=shared,
                rng=self._rng,
            )

        if options.shards == 1:
            return [lease(options.lease_name, self._identity, partial(ownership.told, 0))], None, None
        # Of one name with the leader's Lease above, so that neither acts beside the other while the number is changed.
        division = lease(options.lease_name, f"{options.shards} shards", ownership.divided, shared=True)
        leases = [
            lease(f"{options.lease_name}-{number}", self._identity, partial(ownership.told, number))
            for number in range(options.shards)
        ]
        members = Members(
            client,
            namespace,
            options.lease_name,
            self._identity,
            timing=timing,
            noticed=ownership.noticed,
            rng=self._rng,
        )
        return leases, members, division

    async def _settle(self) -> None:
        if self._job.owns_process:
            await self._ready.wait()
            await garbage.settle()
            await garbage.sweep()

    async def _beat(self, feed: Feed, informers: Informers) -> None:
        """Show that the loop runs, and how late; ready once caches have synced, whatever the API server does later."""
        loop = asyncio.get_running_loop()
        synced = False
        self.health.not_ready("waiting for the first lists from the API server")
        # Asked from the thread of the probes, so that a stalled loop still tells; `all_tasks` is made for that.
        self.meters.tasks.set_function(lambda: len(asyncio.all_tasks(loop)))
        while True:
            if not synced and feed.is_synced() and informers.synced():
                synced = True
                self.health.ready()
                self._ready.set()
            due = loop.time() + 1.0
            await asyncio.sleep(1.0)
            self.meters.loop_lag.observe(max(0.0, loop.time() - due))
            self.health.beat()


def source_options(settings: Settings, *, api: str) -> Options:
    """How sources are to reach servers; `api` is the API server's URL, which no source may ask in a tenant's name."""
    scraping, trust = settings.scraping, settings.trust
    return Options(
        limits=Limits(
            page_bytes=scraping.page_bytes,
            header_bytes=scraping.header_bytes,
            in_flight=scraping.in_flight,
            idle=scraping.idle,
        ),
        defaults=Defaults(
            ca_file=trust.ca_file,
            insecure_skip_verify=trust.insecure_skip_verify,
            client_cert_file=trust.client_cert_file,
            client_key_file=trust.client_key_file,
            trusted_endpoints=trust.token_endpoints,
        ),
        timeout=scraping.timeout,
        retries=scraping.retries,
        backoff_limit=scraping.backoff_limit,
        allowed_endpoints=trust.allowed_endpoints,
        refused_endpoints=tuple(filter(None, (urlsplit(api).hostname, "kubernetes.default.svc"))),
    )


def _check(options: OwnershipOptions) -> None:
    duration, deadline, retry = options.lease_duration, options.renew_deadline, options.retry_period
    if not 0 < retry < deadline <= duration - 1:
        # The second between the last two is a patch's that was sent on the last moment.
        raise ConfigError(
            f"--lease-duration {duration:g}, --renew-deadline {deadline:g}, --retry-period {retry:g}: the deadline "
            "must be at least a second shorter than the duration, and the retry period shorter than the deadline"
        )
    if options.shards < 1:
        raise ConfigError(f"--shards {options.shards}: give 1 or more")


def _check_pair(options: Trust) -> None:
    if (options.client_cert_file is None) is not (options.client_key_file is None):
        raise ConfigError("--tls-cert-file and --tls-key-file go together: give both or neither")


def _own_name() -> str:
    """The pod's name, or the host's, and a suffix: a container that is restarted is another replica."""
    return f"{os.environ.get('POD_NAME') or socket.gethostname()}-{uuid.uuid4().hex[:8]}"


def _own_namespace() -> str:
    """The namespace we run in; `default` on a laptop."""
    if named := os.environ.get("POD_NAMESPACE"):
        return named
    return _NAMESPACE_FILE.read_text().strip() if _NAMESPACE_FILE.is_file() else "default"
