"""One scrape per endpoint, many readers. `sources.pods` follows endpoints here; `net.engine` carries the requests.

Every endpoint is asked once in each round of the fastest of its followers. Rounds are the same for all endpoints of an
interval, and within a round they take turns by a hash, spread just widely enough that as many cold TLS connections
could be opened on one core. There is one timer and no task: an answer's way from the socket to the last follower is a
row of calls.
"""

import functools
import logging
import math
import random
import weakref
from collections.abc import Callable, Iterable

from podtide.aio.backoff import Backoff
from podtide.core import exposition
from podtide.core.model.reading import Failure, Reason
from podtide.net.page import Ask, Page
from podtide.sources import followed, verdict
from podtide.sources.agenda import Agenda
from podtide.sources.followed import Carrier, Endpoint, Follower

LOG = logging.getLogger(__name__)

PER_SECOND = 1000.0
"""Endpoints asked in a second when there is time enough: a cold TLS connection costs up to a millisecond of CPU."""
PATIENCE = 3
"""Failures in a row after which an endpoint is left alone for a while."""
_PAUSE = Backoff(first=1.0, maximum=60.0, jitter=0.5)
_AGAIN = frozenset({Reason.CONNECT, Reason.RESET})
"""What passes quickly, as when a server restarts: worth one more try within the round."""

Observe = Callable[[Ask, float, Failure | None], None]
"""Told of every scrape: what was asked, how many seconds it took, and what went wrong."""


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
        self._readers: weakref.WeakValueDictionary[frozenset[str], exposition.Reader] = weakref.WeakValueDictionary()
        """One for all endpoints of which the same is wanted, for as long as there are any: each may keep megabytes."""
        self._unplanned: dict[Endpoint, bool] = {}
        """Endpoints that are new or whose interval is, and whether they are to be asked soon."""

    def __len__(self) -> int:
        return len(self._endpoints)

    def spread(self, interval: float, timeout: float) -> float:
        """Seconds of a round over which endpoints take their turns: so few that every one has its whole timeout."""
        return min(interval * (1 - followed.RESERVE) - timeout, len(self._endpoints) / PER_SECOND)

    def follow(self, ask: Ask, follower: Follower, key: str, names: Iterable[str], *, soon: bool) -> None:
        """Have the follower receive these series of the endpoint in every round, under the key.

        With `soon` the endpoint is asked as soon as its turn can be, not only in the next round.
        """
        endpoint = self._endpoints.get(ask) or self._take_up(ask)
        endpoint.followers[follower, key] = tuple(names)
        self._settle(endpoint, soon=soon)

    def expect(self, ask: Ask) -> None:
        """It will be followed in place of another ask of the same server, which is left now."""
        carrier = self._http2 if ask.http2 else self._carrier
        if carrier is not None:
            carrier.expect(ask)

    def leave(self, ask: Ask, follower: Follower, key: str) -> None:
        """Stop following; an endpoint nobody follows is forgotten and its connection closed."""
        endpoint = self._endpoints[ask]
        del endpoint.followers[follower, key]
        if endpoint.followers:
            self._settle(endpoint, soon=False)
        else:
            self._let_go(endpoint)

    def _take_up(self, ask: Ask) -> Endpoint:
        endpoint = self._endpoints[ask] = Endpoint(ask, self._http2 if ask.http2 else self._carrier)
        endpoint.turn = functools.partial(self._turn, endpoint)
        endpoint.done = functools.partial(self._answered, endpoint)
        return endpoint

    def _let_go(self, endpoint: Endpoint) -> None:
        del self._endpoints[endpoint.ask]
        self._unplanned.pop(endpoint, None)
        if endpoint.appointment is not None:
            endpoint.appointment.cancel()
        if endpoint.carrier is not None:
            endpoint.carrier.forget(endpoint.ask)
        endpoint.let_go()

    # --- when ---------------------------------------------------------------------------------------------------------

    def _settle(self, endpoint: Endpoint, *, soon: bool) -> None:
        """Adapt to who follows now."""
        names = frozenset(name for wanted in endpoint.followers.values() for name in wanted)
        reader = self._readers.get(names)
        if reader is None:
            reader = self._readers[names] = exposition.Reader(sorted(names))
        endpoint.reader = reader
        if endpoint.settle() or soon:
            # Planned in the loop's next turn: only then is it known how many there are to spread.
            if not self._unplanned:
                self._agenda.at(self._agenda.now(), self._plan_all)
            self._unplanned[endpoint] = soon or self._unplanned.get(endpoint, False)

    def _plan_all(self) -> None:
        now = self._agenda.now()
        unplanned, self._unplanned = self._unplanned, {}
        for endpoint, soon in unplanned.items():
            if endpoint.appointment is None or not soon or endpoint.is_busy:
                self._plan(endpoint, now)
            when = now + endpoint.place * self.spread(endpoint.interval, endpoint.timeout)
            if soon and not endpoint.is_busy and (endpoint.appointment is None or when < endpoint.appointment.when):
                self._appoint(endpoint, when, endpoint.interval * math.floor(now / endpoint.interval))

    def _plan(self, endpoint: Endpoint, now: float) -> None:
        """Appoint the endpoint's turn in the next round."""
        offset = endpoint.place * self.spread(endpoint.interval, endpoint.timeout)
        begins = endpoint.next_round(now, offset)
        self._appoint(endpoint, begins + offset, begins)

    def _appoint(self, endpoint: Endpoint, when: float, begins: float) -> None:
        if endpoint.appointment is not None:
            endpoint.appointment.cancel()
        endpoint.begins = begins
        endpoint.appointment = self._agenda.at(when, endpoint.turn)

    # --- what ---------------------------------------------------------------------------------------------------------

    def _turn(self, endpoint: Endpoint) -> None:
        now = self._agenda.turned_at
        endpoint.boundary = endpoint.begins
        endpoint.attempts = 0
        self._plan(endpoint, now)
        self._ask(endpoint, now)

    def _ask(self, endpoint: Endpoint, now: float) -> None:
        if endpoint.is_busy:
            return
        if now < endpoint.retry_at:
            self._give(endpoint, _backed_off(endpoint, now), b"", "")
            return
        if endpoint.carrier is None:
            self._give(endpoint, Failure(Reason.PROTOCOL, f"{endpoint.ask}: HTTP/2 is not available here"), b"", "")
            return
        endpoint.is_busy = True
        endpoint.asked_at = now
        endpoint.attempts += 1
        try:
            endpoint.carrier.request(endpoint.ask, endpoint.timeout, endpoint.done)
        except ValueError as error:
            # A path or a header that HTTP does not allow; what an object asks for was checked before, mostly.
            self._answered(endpoint, endpoint.ask, Failure(Reason.PROTOCOL, f"{endpoint.ask}: {error}"))

    def _answered(self, endpoint: Endpoint, ask: Ask, answer: Page | Failure) -> None:
        endpoint.is_busy = False
        if not endpoint.followers:
            return
        text: verdict.Text = b""
        content_type = ""
        result: verdict.Series | Failure | None = answer if isinstance(answer, Failure) else None
        if isinstance(answer, Page):
            result = verdict.refusal(answer, ask)
            if result is None:
                # Read where it arrived: a copy of a large page costs as much as the search in it.
                text, content_type = answer.body, answer.content_type
                result = verdict.series(text, content_type, endpoint.reader, ask, start=answer.start)
        failure = result if isinstance(result, Failure) else None
        if self._observe is not None:
            took = answer.elapsed if isinstance(answer, Page) else self._agenda.now() - endpoint.asked_at
            self._observe(ask, took, failure)
        if failure is not None:
            if self._tries_again(endpoint, failure):
                return
            self._count(endpoint, failure)
        elif endpoint.failures:
            endpoint.failures = 0
            endpoint.failure = None
        if result is not None:
            self._give(endpoint, result, text, content_type)

    def _give(
        self, endpoint: Endpoint, result: verdict.Series | Failure, text: verdict.Text, content_type: str
    ) -> None:
        for follower, key in tuple(endpoint.followers):
            try:
                follower.take(key, result, text, content_type)
            except Exception:  # one reader's crash must not cost the others their value
                LOG.exception("%s: a reader crashed", endpoint.ask)

    def _tries_again(self, endpoint: Endpoint, failure: Failure) -> bool:
        """Appoint another try in this round, if the failure is of those that pass and the round is long enough."""
        if failure.reason not in _AGAIN or endpoint.attempts > self._retries or endpoint.failures >= PATIENCE:
            return False
        when = self._agenda.now() + 0.05 + 0.2 * self._rng.random()
        if when + endpoint.timeout > endpoint.boundary + endpoint.interval:
            return False

        def again() -> None:
            if endpoint.followers:
                self._ask(endpoint, self._agenda.now())

        self._agenda.at(when, again)
        return True

    def _count(self, endpoint: Endpoint, failure: Failure) -> None:
        endpoint.failures += 1
        endpoint.failure = failure
        if endpoint.failures >= PATIENCE:
            extra = self._pause.delay(endpoint.failures - PATIENCE + 1, self._rng)
            endpoint.retry_at = self._agenda.now() + extra


def _backed_off(endpoint: Endpoint, now: float) -> Failure:
    wait = endpoint.retry_at - now
    return Failure(
        Reason.BACKED_OFF,
        f"not asked again for {wait:.0f} s after {endpoint.failures} failures, last: {endpoint.failure}",
    )
