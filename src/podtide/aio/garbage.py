"""The garbage collector on a heap of which most lives as long as the process. Called by `control.app`.

A full collection of ten thousand pods, their connections and a thousand autoscalers stops everything for half a second.
What is there once all has been listed, and again once all has been connected, is therefore set aside.
"""

import asyncio
import ctypes
import gc
from collections.abc import Callable, Sequence

SETTLED = (5.0, 60.0)
"""Seconds after the first lists: connections are made, windows begun."""
_YOUNG = 20_000
"""Allocations between two collections of the youngest. Python's own 700 is for small heaps; a tick makes hundreds."""
_OFTEN = 15.0
"""Seconds between two collections of what is young. By their number alone they would be minutes apart in a small
cluster, and Python counts objects, of which a few can hold a whole connection."""
_RARELY = 60.0
_SHARE = 5000.0
"""Seconds between two collections of everything that is not set aside: at least so many, and so many times as long as
one takes, with giving back what is free."""


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


async def sweep(often: float = _OFTEN, rarely: float = _RARELY) -> None:
    """Collect by time from now on, and give back what is free, until cancelled."""
    now, give_back = asyncio.get_running_loop().time, _give_back()
    due = 0.0
    while True:
        await asyncio.sleep(often)
        began = now()
        if began < due:
            gc.collect(1)
        else:
            gc.collect()
            give_back(0)
            due = began + max(rarely, _SHARE * (now() - began))


def _give_back() -> Callable[[int], object]:
    """glibc's `malloc_trim`: by itself it gives back only what is free at the end of its heap. Elsewhere nothing."""
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return lambda padding: None
    return trim
