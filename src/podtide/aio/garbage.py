"""The garbage collector on a heap of which most lives as long as the process. Called by `control.app`.

A full collection of ten thousand pods, their connections and a thousand autoscalers stops everything for half a second.
What is there once all has been listed, and again once all has been connected, is therefore set aside.
"""

import asyncio
import ctypes
import gc
import time
from collections.abc import Callable, Sequence

SETTLED = (5.0, 60.0)
"""Seconds after the first lists: connections are made, windows begun."""
_YOUNG = 20_000
"""Allocations between two collections of the youngest. Python's own 700 is for small heaps; a tick makes hundreds."""
_AFTER = 60.0
_SHARE = 5000.0
"""Seconds between two sweeps: at least so many, and so many times as long as one takes, 0.08 s with ten thousand pods.
By their number alone collections would be minutes apart in a small cluster, and a few objects can hold much."""


def freeze() -> None:
    """Drop what is garbage and never look again at what is not. Memory is still freed when nothing refers to it."""
    gc.collect()
    gc.freeze()


async def settle(after: Sequence[float] = SETTLED) -> None:
    """Freeze the heap so many seconds from now, each in turn, and collect less often from then on."""
    passed = 0.0
    for seconds in after:
        await asyncio.sleep(seconds - passed)
        passed = seconds
        freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])


async def sweep(after: float = _AFTER) -> None:
    """Collect by time from now on, and give back what is free, until cancelled."""
    give_back, took = _give_back(), 0.0
    while True:
        await asyncio.sleep(max(after, _SHARE * took))
        # Of this thread alone: a process that is stopped meanwhile shall not wait for hours.
        began = time.thread_time()
        gc.collect()
        give_back(0)
        took = time.thread_time() - began


def _give_back() -> Callable[[int], object]:
    """glibc's `malloc_trim`: by itself it gives back only what is free at the end of its heap. Elsewhere nothing."""
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return lambda padding: None
    return trim
