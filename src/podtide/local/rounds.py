"""A queue of things to look at, each once however often it was named, worked off in turns that leave the loop free.

The workload controller and the pod fleet follow the store through it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from podtide.local.refusals import Refusal

T = TypeVar("T", bound=Hashable)

_TURN = 0.01
"""Seconds of work before other tasks get the loop: short beside a scrape interval, long beside one object's work."""

_log = logging.getLogger(__name__)


class Rounds(Generic[T]):
    """Keys waiting for a look."""

    def __init__(self, look: Callable[[T], None]) -> None:
        self._look = look
        self._waiting: dict[T, None] = {}
        self._wake = asyncio.Event()

    def add(self, key: T) -> None:
        """Asks for a look at `key`; asked again before it had its turn, it gets one look."""
        self._waiting[key] = None
        self._wake.set()

    async def run(self) -> None:
        """Looks at what is waiting, until it is cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            began = time.perf_counter()
            while self._waiting:
                key = next(iter(self._waiting))
                del self._waiting[key]
                try:
                    self._look(key)
                except Refusal as refusal:
                    # What the API refuses one object, say in a namespace being deleted, is no trouble of the others.
                    _log.warning("%s: %s", key, refusal)
                if time.perf_counter() - began > _TURN:
                    await asyncio.sleep(0)
                    began = time.perf_counter()
