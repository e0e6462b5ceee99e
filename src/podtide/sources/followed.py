"""What the pool keeps: endpoints and who follows them; and the contracts with those who follow and those who carry."""

import math
import zlib
from collections.abc import Callable
from typing import Protocol

from podtide.core import exposition
from podtide.core.model.reading import Failure
from podtide.net.page import Ask, Page
from podtide.sources import verdict
from podtide.sources.agenda import Appointment

RESERVE = 0.1
"""The share of an interval that is kept free at its end, for what is late."""

Done = Callable[[Ask, Page | Failure], None]


class Carrier(Protocol):
    """What carries requests: `net.engine.Engine`."""

    def request(self, ask: Ask, timeout: float, done: Done) -> None:
        """Ask once; call `done` once, within the timeout in seconds."""
        ...

    def expect(self, ask: Ask) -> None:
        """Keep open for it what another ask of the same server has, and may be forgotten for."""
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

    def take(self, key: str, answer: verdict.Series | Failure, text: verdict.Text, content_type: str) -> None:
        """Receive one endpoint's answer: its wanted series (of this and of other followers), and the page itself."""
        ...


class Endpoint:
    """One ask, who wants it, and how it has fared."""

    __slots__ = (
        "appointment",
        "ask",
        "asked_at",
        "attempts",
        "begins",
        "boundary",
        "carrier",
        "done",
        "failure",
        "failures",
        "followers",
        "interval",
        "is_busy",
        "place",
        "reader",
        "retry_at",
        "timeout",
        "turn",
    )

    def __init__(self, ask: Ask, carrier: Carrier | None) -> None:
        self.ask = ask
        self.carrier = carrier
        """None where nothing here speaks the protocol."""
        self.followers: dict[tuple[Follower, str], tuple[str, ...]] = {}
        """Who, under which key, wants which names."""
        # A hash of its own: that of str differs from process to process, and two replicas should agree.
        self.place = zlib.crc32(f"{ask.host} {ask.port} {ask.path}".encode()) / 2**32
        """Where in a round its turn is, 0 to 1."""
        self.interval = self.timeout = 0.0
        self.reader = exposition.Reader(())
        self.turn: Callable[[], None] = _nothing
        """Takes its turn; made once, because a closure per scrape is dearer."""
        self.done: Done = _nothing_of
        """Receives the carrier's answer."""
        self.appointment: Appointment | None = None
        """The next turn."""
        self.begins = -math.inf
        """When the round of the next turn begins."""
        self.boundary = -math.inf
        """When the round of the last turn began."""
        self.asked_at = 0.0
        self.is_busy = False
        self.attempts = 0
        self.failures = 0
        """In a row."""
        self.failure: Failure | None = None
        self.retry_at = -math.inf

    def settle(self) -> bool:
        """Adapt pace and patience to who follows now; whether the pace has changed."""
        before = self.interval
        self.interval = min(follower.interval for follower, _ in self.followers)
        self.timeout = min(max(follower.timeout for follower, _ in self.followers), longest(self.interval))
        return self.interval != before

    def let_go(self) -> None:
        """Be nobody's: what it calls refers to it, and would keep it until the collector comes."""
        self.turn, self.done = _nothing, _nothing_of

    def next_round(self, now: float, offset: float) -> float:
        """When the first round begins after that of the last turn whose own turn, at the offset, is still to come."""
        # The small addend undoes the rounding of a boundary that is itself a multiple of the interval.
        after = math.floor(self.boundary / self.interval + 1e-6) + 1 if self.boundary > -math.inf else 0
        return self.interval * max(after, math.ceil((now - offset) / self.interval))


def longest(interval: float) -> float:
    """The longest timeout in seconds that fits into an interval and leaves time for others to take their turns."""
    return interval * (1 - RESERVE) * 0.9


def _nothing() -> None:
    """Stands in until the pool has taken the endpoint up, and again when it has let it go."""


def _nothing_of(ask: Ask, answer: Page | Failure) -> None:
    """As `_nothing`."""
