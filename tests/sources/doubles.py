"""A carrier on virtual time: every server answers as the test says, after as long as the test says."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from podtide.core.model.reading import Failure, Reason
from podtide.net.page import Ask, Page
from podtide.sources.verdict import Series

Done = Callable[[Ask, Page | Failure], None]

PAGE = b"queue 3\nbusy 4\n"


@dataclass
class Carrier:
    """Carries requests to no server at all."""

    latency: dict[str, float] = field(default_factory=dict)
    """Host → seconds; infinity never answers. Others take a millisecond."""
    answers: dict[str, bytes | Failure] = field(default_factory=dict)
    """Host → its page or failure; others serve PAGE."""
    asked: list[tuple[float, str]] = field(default_factory=list)
    """When which host was asked."""
    timeouts: list[float] = field(default_factory=list)
    forgotten: list[Ask] = field(default_factory=list)

    def request(self, ask: Ask, timeout: float, done: Done) -> None:
        loop = asyncio.get_running_loop()
        self.asked.append((loop.time(), ask.host))
        self.timeouts.append(timeout)
        latency = self.latency.get(ask.host, 0.001)
        if latency > timeout:
            loop.call_later(timeout, done, ask, Failure(Reason.TIMEOUT, f"{ask}: no answer"))
        else:
            loop.call_later(latency, self._answer, ask, done, latency)

    def expect(self, ask: Ask) -> None:
        """Nothing is open here."""

    def forget(self, ask: Ask) -> None:
        self.forgotten.append(ask)

    def times(self, host: str) -> list[float]:
        return [at for at, asked in self.asked if asked == host]

    def _answer(self, ask: Ask, done: Done, elapsed: float) -> None:
        answer = self.answers.get(ask.host, PAGE)
        done(ask, answer if isinstance(answer, Failure) else Page(200, "text/plain", memoryview(answer), elapsed))


@dataclass(eq=False)
class Follower:
    """Keeps what it is given."""

    interval: float = 10.0
    timeout: float = 2.0
    taken: list[tuple[str, Series | Failure]] = field(default_factory=list)

    def take(self, key: str, answer: Series | Failure, text: bytes | memoryview, content_type: str) -> None:
        self.taken.append((key, answer))

    def reasons(self) -> list[Reason | None]:
        return [answer.reason if isinstance(answer, Failure) else None for _, answer in self.taken]
