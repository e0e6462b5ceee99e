"""Work that must go on: a coroutine restarted with backoff when it crashes. `control.fleet` runs each worker so."""

import logging
import random
from collections.abc import Awaitable, Callable

from podtide.aio import backoff, clock

STEADY = 300.0
"""Seconds of work without a crash after which earlier crashes are forgotten."""


PAUSE = backoff.Backoff()


async def supervise(
    name: str,
    work: Callable[[], Awaitable[None]],
    *,
    timer: clock.Clock,
    pause: backoff.Backoff = PAUSE,
    rng: random.Random,
    log: logging.Logger,
    on_crash: Callable[[Exception, int], None] | None = None,
) -> None:
    """Run `work` until it returns; after a crash log it once with its name, wait and run it again.

    `on_crash` is told the exception and how many crashes there have been in a row. Cancellation ends it.
    """
    crashes = 0
    while True:
        began = timer.now()
        try:
            return await work()
        except Exception as error:  # one worker's crash must not reach another
            if timer.now() - began >= STEADY:
                crashes = 0
            crashes += 1
            wait = pause.delay(crashes, rng)
            log.exception("%s crashed, starting it again in %.1f s", name, wait)
            if on_crash is not None:
                on_crash(error, crashes)
        await timer.sleep(wait)
