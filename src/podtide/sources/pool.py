"""One scrape per endpoint, many readers. `sources.pods` follows endpoints here; `net.engine` carries the requests.

Every endpoint is asked once in each round of the fastest of its followers. Rounds are the same for all endpoints of an
interval, and within a round they take turns by a hash, spread just widely enough that as many cold TLS connections
could be opened on one core. There is one timer and no task: an answer's way from the socket to the last follower is a
row of calls.
"""

import math
import random
import zlib
from collections.abc import Callable, Iterable
from typing import Protocol

from podtide.aio.backoff import Backoff
from podtide.core import exposition
from podtide.core.model.reading import Failure, Reason
from podtide.net.page import Ask, Page
from podtide.sources import verdict
from podtide.sources.agenda import Agenda, Appointment

PER_SECOND = 1000.0
"""Endpoints asked in a second when there is time enough: a cold TLS connection costs up to a millisecond of CPU."""
RESERVE = 0.1
"""The share of an interval that is kept free at its end, for what is late."""
PATIENCE = 3
"""Failures in a row after which an endpoint is left alone for a while."""
_PAUSE = Backoff(first=1.0, maximum=60.0, jitter=0.5)
_AGAIN = frozenset({Reason.CONNECT, Reason.RESET})
"""What passes quickly, as when a server restarts: worth one more try within the round."""
_REMEMBERED = 1024

Observe = Callable[[Ask, float, Failure | None], None]
"""Told of every scrape: what was asked, how many seconds it took, and what went wrong."""


class Carrier(Protocol):
    """What carries requests: `net.engine.Engine`."""

    def request(self, ask: Ask, timeout: float, done: Callable[[Ask, Page | Failure], None]) -> None:
        """Ask once; call `done` once, within the timeout in seconds."""
        ...

    def forget(self, ask: Ask) -> None:
        """Close what was kept open for it."""
        ...


class Follower(Protocol):
    """Somebody who reads endpoints."""

    interval: float
    """Seconds between two readings."""
    timeout: float
    """Seconds for one scrape."""

    def take(self, key: str, answer: verdict.Series | Failure, text: bytes, content_type: str) -> None:
        """Receive one endpoint's answer: its wanted series (of this and of other followers), and the page itself."""
        ...


class Endpoint:
    """One ask, who wants it, and how it has fared."""

    __slots__ = (
        "appointment",
        "ask",
        "asked_at",
        "attempts",
        "boundary",
        "failure",
        "failures",
        "followers",
        "interval",
        "is_busy",
        "place",
        "reader",
        "retry_at",
        "timeout",
    )  # fmt: skip

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.followers: dict[tuple[Follower, str], tuple[str, ...]] = {}
        """Who, under which key, wants which names."""
        # A hash of its own: that of str differs from process to process, and two replicas should agree.
        self.place = zlib.crc32(f"{ask.host} {ask.port} {ask.path}".encode()) / 2**32
        """Where in a round its turn is, 0 to 1."""
        self.interval = self.timeout = 0.0
        self.reader = exposition.Reader(())
        self.boundary = -math.inf
        """When the round began in which it was last asked."""
        self.asked_at = 0.0
        self.is_busy = False
        self.attempts = 0
        self.failures = 0
        self.failure: Failure | None = None
        self.retry_at = -math.inf
        self.appointment: Appointment | None = None


class Pool:
    """Every endpoint that somebody follows."""

    def __init__(
        self,
        carrier: Carrier,
        agenda: Agenda,
        *,
        rng: random.Random,
        http2: Carrier | None = None,
        retries: int = 1,
        pause: Backoff = _PAUSE,
        observe: Observe | None = None,
    ) -> None:
        """`http2` carries asks that want HTTP/2; without it they fail. `retries` are further tries within a round."""
        self._carrier = carrier
        self._http2 = http2
        self._agenda = agenda
        self._rng = rng
        self._retries = retries
        self._pause = pause
        self._observe = observe
        self._endpoints: dict[Ask, Endpoint] = {}
        self._readers: dict[frozenset[str], exposition.Reader] = {}
        self._unplanned: dict[Endpoint, bool] = {}
        """Endpoints that are new or whose interval is, and whether they are to be asked soon."""

    def __len__(self) -> int:
        return len(self._endpoints)

    def spread(self, interval: float, timeout: float) -> float:
        """Seconds of a round over which endpoints take their turns: so few that every one has its whole timeout."""
        return min(interval * (1 - RESERVE) - timeout, len(self._endpoints) / PER_SECOND)

    def follow(self, ask: Ask, follower: Follower, key: str, names: Iterable[str], *, soon: bool) -> None:
        """Have the follower receive these series of the endpoint in every round, under the key.

        With `soon` the endpoint is asked as soon as its turn can be, not only in the next round.
        """
        endpoint = self._endpoints.get(ask)
        if endpoint is None:
            endpoint = self._endpoints[ask] = Endpoint(ask)
        endpoint.followers[follower, key] = tuple(names)
        self._settle(endpoint, soon=soon)

    def leave(self, ask: Ask, follower: Follower, key: str) -> None:
        """Stop following; an endpoint nobody follows is forgotten and its connection closed."""
        endpoint = self._endpoints[ask]
        del endpoint.followers[follower, key]
        if endpoint.followers:
            self._settle(endpoint, soon=False)
            return
        del self._endpoints[ask]
        self._unplanned.pop(endpoint, None)
        if endpoint.appointment is not None:
            endpoint.appointment.cancel()
        carrier = self._carrier_of(ask)
        if carrier is not None:
            carrier.forget(ask)

    # --- when ---------------------------------------------------------------------------------------------------------

    def _settle(self, endpoint: Endpoint, *, soon: bool) -> None:
        """Adapt to who follows now."""
        names = frozenset(name for wanted in endpoint.followers.values() for name in wanted)
        reader = self._readers.get(names)
        if reader is None:
            if len(self._readers) >= _REMEMBERED:
                self._readers.clear()
            reader = self._readers[names] = exposition.Reader(sorted(names))
        endpoint.reader = reader
        interval = min(follower.interval for follower, _ in endpoint.followers)
        endpoint.timeout = min(max(follower.timeout for follower, _ in endpoint.followers), longest(interval))
        if interval != endpoint.interval or soon:
            endpoint.interval = interval
            # Planned in the loop's next turn: only then is it known how many there are to spread.
            if not self._unplanned:
                self._agenda.at(self._agenda.now(), self._plan_all)
            self._unplanned[endpoint] = soon or self._unplanned.get(endpoint, False)

    def _plan_all(self) -> None:
        now = self._agenda.now()
        unplanned, self._unplanned = self._unplanned, {}
        for endpoint, soon in unplanned.items():
            if endpoint.appointment is None or not soon:
                self._plan(endpoint)
            when = now + endpoint.place * self.spread(endpoint.interval, endpoint.timeout)
            if soon and not endpoint.is_busy and (endpoint.appointment is None or when < endpoint.appointment.when):
                self._appoint(endpoint, when, endpoint.interval * math.floor(now / endpoint.interval))

    def _plan(self, endpoint: Endpoint) -> None:
        """Appoint the endpoint's turn in the next round."""
        now, interval = self._agenda.now(), endpoint.interval
        offset = endpoint.place * self.spread(interval, endpoint.timeout)
        # The small addend undoes the rounding of a boundary that is itself a multiple of the interval.
        after = math.floor(endpoint.boundary / interval + 1e-6) + 1 if math.isfinite(endpoint.boundary) else 0
        boundary = interval * max(after, math.ceil((now - offset) / interval))
        self._appoint(endpoint, boundary + offset, boundary)

    def _appoint(self, endpoint: Endpoint, when: float, boundary: float) -> None:
        if endpoint.appointment is not None:
            endpoint.appointment.cancel()

        def turn() -> None:
            endpoint.boundary = boundary
            endpoint.attempts = 0
            self._ask(endpoint)
            self._plan(endpoint)

        endpoint.appointment = self._agenda.at(when, turn)

    # --- what ---------------------------------------------------------------------------------------------------------

    def _ask(self, endpoint: Endpoint) -> None:
        now = self._agenda.now()
        if endpoint.is_busy:
            return
        if now < endpoint.retry_at:
            self._give(endpoint, self._backed_off(endpoint, now), b"", "")
            return
        carrier = self._carrier_of(endpoint.ask)
        if carrier is None:
            self._give(endpoint, Failure(Reason.PROTOCOL, f"{endpoint.ask}: HTTP/2 is not available here"), b"", "")
            return
        endpoint.is_busy = True
        endpoint.asked_at = now
        endpoint.attempts += 1

        def done(_: Ask, answer: Page | Failure) -> None:
            self._answered(endpoint, answer)

        carrier.request(endpoint.ask, endpoint.timeout, done)

    def _answered(self, endpoint: Endpoint, answer: Page | Failure) -> None:
        endpoint.is_busy = False
        if not endpoint.followers:
            return
        text, content_type, outcome = b"", "", answer if isinstance(answer, Failure) else None
        result: verdict.Series | Failure
        if isinstance(answer, Page):
            outcome = verdict.refusal(answer, endpoint.ask)
            # The body is gone when this returns; one copy serves the reader and whoever looks for a name's neighbours.
            text, content_type = bytes(answer.body), answer.content_type
        result = outcome or verdict.series(text, content_type, endpoint.reader, endpoint.ask)
        failure = result if isinstance(result, Failure) else None
        if self._observe is not None:
            self._observe(endpoint.ask, self._agenda.now() - endpoint.asked_at, failure)
        if failure is None:
            endpoint.failures = 0
            endpoint.failure = None
        elif self._tries_again(endpoint, failure):
            return
        else:
            self._count(endpoint, failure)
        self._give(endpoint, result, text, content_type)

    def _give(self, endpoint: Endpoint, result: verdict.Series | Failure, text: bytes, content_type: str) -> None:
        for follower, key in tuple(endpoint.followers):
            follower.take(key, result, text, content_type)

    def _tries_again(self, endpoint: Endpoint, failure: Failure) -> bool:
        """Appoint another try in this round, if the failure is of those that pass and the round is long enough."""
        now = self._agenda.now()
        pause = 0.05 + 0.2 * self._rng.random()
        ends = endpoint.boundary + endpoint.interval
        if failure.reason not in _AGAIN or endpoint.attempts > self._retries or endpoint.failures >= PATIENCE:
            return False
        if now + pause + endpoint.timeout > ends:
            return False

        def again() -> None:
            if endpoint.followers:
                self._ask(endpoint)

        self._agenda.at(now + pause, again)
        return True

    def _count(self, endpoint: Endpoint, failure: Failure) -> None:
        endpoint.failures += 1
        endpoint.failure = failure
        if endpoint.failures >= PATIENCE:
            extra = self._pause.delay(endpoint.failures - PATIENCE + 1, self._rng)
            endpoint.retry_at = self._agenda.now() + extra

    def _backed_off(self, endpoint: Endpoint, now: float) -> Failure:
        wait = endpoint.retry_at - now
        return Failure(
            Reason.BACKED_OFF,
            f"not asked again for {wait:.0f} s after {endpoint.failures} failures, last: {endpoint.failure}",
        )

    def _carrier_of(self, ask: Ask) -> Carrier | None:
        return self._http2 if ask.http2 else self._carrier


def longest(interval: float) -> float:
    """The longest timeout in seconds that fits into an interval and leaves time for others to take their turns."""
    return interval * (1 - RESERVE) * 0.9
