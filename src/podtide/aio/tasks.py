"""Work that must go on: a coroutine restarted with backoff when it crashes. `control.fleet` runs each worker so."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine

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


class Crew:
    """Short tasks started from callbacks: they have a name, are kept until they end, and end with their owner."""

    __slots__ = ("_log", "_tasks")

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Run it; a crash is logged with the name."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def aclose(self) -> None:
        """Cancel what still runs and wait for its end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __len__(self) -> int:
        return len(self._tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._log.error("%s crashed", task.get_name(), exc_info=task.exception())
