"""Which source reads which kind of metric, and what they share. `control.app` opens one; workers subscribe."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from podtide.aio.clock import Clock
from podtide.aio.mailbox import Mailbox
from podtide.core.model import spec
from podtide.core.model.reading import Reading
from podtide.net import auth, engine, page, prepare
from podtide.net.access import Accesses
from podtide.sources import base, pods, pool
from podtide.sources.agenda import Agenda


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator can set."""

    limits: page.Limits = page.Limits()
    defaults: prepare.Defaults = field(default_factory=prepare.Defaults)
    timeout: float = pods.TIMEOUT
    """Seconds for one scrape where the source says nothing."""


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
        self.accesses = Accesses(credentials, options.defaults, timer=self.timer)
        self.engine = engine.Engine(options.limits)
        self.pool = pool.Pool(self.engine, self.agenda, rng=rng, observe=observe)
        rooms = pods.Rooms(self.pool, self.agenda, self.accesses, self.timer, options.timeout)
        self._by_kind: dict[type, base.Source] = {spec.PodPage: pods.PodPages(rooms)}

    def add(self, sources: Mapping[type[spec.Source], base.Source]) -> None:
        """Read these kinds of `MetricSpec.source` with these sources: those that need the Kubernetes API come so."""
        self._by_kind.update(sources)

    def for_metric(self, metric: spec.MetricSpec) -> base.Source:
        """The source that reads this metric. A kind that was not added is a mistake in the wiring: KeyError."""
        return self._by_kind[type(metric.source)]

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
        await self.engine.aclose()
