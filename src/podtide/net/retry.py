"""A few tries within one budget of time. Sources that ask few servers retry so; the scrape pool has its own way."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import tenacity

from podtide.core.model.reading import Failure, Reason
from podtide.net.page import FetchedPage

TRIES = 3
_FIRST = 0.1
_LONGEST = 2.0
_PASSING = frozenset({Reason.CONNECT, Reason.RESET})
_STATUSES = frozenset({429, 502, 503, 504})
"""Said by servers, or by proxies before them, that expect to be well again soon."""

Outcome = FetchedPage | Failure


def passes(outcome: Outcome) -> bool:
    """Whether the next try may do better: a lost or refused connection, an overloaded or restarting server."""
    if isinstance(outcome, Failure):
        return outcome.reason in _PASSING
    return outcome.status in _STATUSES


async def within(
    budget: float, attempt: Callable[[float], Awaitable[Outcome]], *, rng: random.Random, tries: int = TRIES
) -> Outcome:
    """Try until it succeeds, fails for good, or so many seconds are over; the last outcome.

    `attempt` is told the seconds that are left, which it must keep. Between tries there is a pause that doubles, drawn
    at random so that those who failed together do not come back together.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + budget

    def pause(state: tenacity.RetryCallState) -> float:
        longest: float = min(_LONGEST, _FIRST * 2.0**state.attempt_number)
        return longest * (0.5 + 0.5 * rng.random())

    def is_over(state: tenacity.RetryCallState) -> bool:
        return state.attempt_number >= tries or loop.time() + state.upcoming_sleep >= end

    def last(state: tenacity.RetryCallState) -> Outcome:
        outcome: Outcome = state.outcome.result() if state.outcome else Failure(Reason.TIMEOUT)
        return outcome

    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_result(passes), wait=pause, stop=is_over, retry_error_callback=last, sleep=asyncio.sleep
    )

    async def once() -> Outcome:
        return await attempt(max(0.0, end - loop.time()))

    outcome: Outcome = await retrying(once)
    return outcome
