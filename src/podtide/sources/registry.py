"""Which source reads which kind of metric, and what they share. `control.app` opens one; workers subscribe."""

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from podtide.aio.backoff import Backoff
from podtide.aio.clock import Clock
from podtide.aio.mailbox import Mailbox
from podtide.aio.tasks import Crew
from podtide.core.model import spec
from podtide.core.model.reading import Reading
from podtide.kube.client import Client
from podtide.kube.discovery import Discovery
from podtide.net import auth, engine, guard, http, http2, page, prepare
from podtide.net.access import Accesses
from podtide.sources import (
    base,
    custom,
    endpoint,
    external,
    metricsapi,
    pods,
    polling,
    pool,
    prometheus,
    resource,
    unavailable,
    urls,
)
from podtide.sources.agenda import Agenda

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator can set."""

    limits: page.Limits = page.Limits()
    defaults: prepare.Defaults = field(default_factory=prepare.Defaults)
    timeout: float = pods.TIMEOUT
    """Seconds for one scrape or request where the source says nothing."""
    retries: int = 1
    """Further tries of a pod within one round, where time allows."""
    backoff_limit: float = 60.0
    """The longest pause in seconds before a pod that keeps failing is asked again."""
    allowed_endpoints: tuple[str, ...] = ()
    """Hosts, `*.suffix` patterns and networks that URLs may lead to although they are loopback, link-local or the API
    server's."""
    refused_endpoints: tuple[str, ...] = ()
    """Hosts that URLs may not lead to: the API server's."""


class Sources:
    """Every source there is, by the type of a metric's `source`."""

    def __init__(
        self,
        credentials: auth.Credentials,
        options: Options = Options(),
        *,
        rng: random.Random,
        timer: Clock | None = None,
        observe: pool.Observe | None = None,
    ) -> None:
        """`rng` draws the jitter; `observe` is told of every scrape of a pod."""
        self.timer = timer or Clock()
        self.agenda = Agenda()
        self.crew = Crew(LOG)
        self.accesses = Accesses(credentials, options.defaults, timer=self.timer)
        self.engine = engine.Engine(options.limits)
        watch = guard.Guard(allowed=options.allowed_endpoints, refused=options.refused_endpoints)
        self.client = http.Client(options.limits, watch=watch)
        self.http2 = http2.Carrier(options.limits, self.crew)
        self.pool = pool.Pool(
            self.engine,
            self.agenda,
            rng=rng,
            http2=self.http2,
            retries=options.retries,
            pause=Backoff(first=1.0, maximum=options.backoff_limit, jitter=0.5),
            observe=observe,
        )
        self.desk = polling.Desk(self.agenda, self.crew, self.timer, options.timeout)
        self.urls = urls.Urls(self.client, self.accesses, self.crew, rng=rng)
        rooms = pods.Rooms(self.pool, self.agenda, self.accesses, self.timer, options.timeout, self.desk.turns)
        self._by_kind: dict[type[spec.Source], base.Source] = {
            spec.PodPage: pods.PodPages(rooms),
            spec.Endpoint: endpoint.Endpoints(self.desk, self.urls),
            spec.Query: prometheus.Queries(self.desk, self.urls),
        }

    def add(self, sources: Mapping[type[spec.Source], base.Source]) -> None:
        """Read these kinds of `MetricSpec.source` with these sources: those that need the Kubernetes API come so."""
        self._by_kind.update(sources)

    def ask(self, client: Client) -> None:
        """Read what the Kubernetes metrics APIs tell, with this client of the API server."""
        api = metricsapi.MetricsApi(client, self.crew)
        self.add(
            {
                spec.Resource: resource.Resources(self.desk, api),
                spec.Custom: custom.Customs(self.desk, api, Discovery(client)),
                spec.External: external.Externals(self.desk, api),
            }
        )

    def for_metric(self, metric: spec.MetricSpec) -> base.Source:
        """The source that reads this metric. One that was not added answers that it cannot be read here."""
        return self._by_kind.get(type(metric.source)) or unavailable.Unavailable(self.desk)

    def subscribe(
        self, autoscaler: spec.AutoscalerSpec, metric: spec.MetricSpec, mailbox: Mailbox[Reading]
    ) -> base.Subscription:
        """Begin to read a metric; see `sources.base`."""
        return self.for_metric(metric).subscribe(autoscaler, metric, mailbox)

    async def run(self) -> None:
        """Look after credentials and certificates until cancelled."""
        await self.accesses.run()

    async def aclose(self) -> None:
        """Stop everything and close every connection."""
        self.agenda.close()
        await self.crew.aclose()
        self.urls.close()
        await self.engine.aclose()
        await self.http2.aclose()
        await self.client.aclose()
