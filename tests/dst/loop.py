"""An event loop whose time jumps to the next timer, and which can stop or kill one of the processes that run on it.

Everything runs in one thread. A handle belongs to the process whose context it was made in: work of a paused process
waits until that goes on, work of a dead one is never done. So a crash is possible between any two steps, at any await.
"""

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from typing import Any

CURRENT: "ContextVar[Process | None]" = ContextVar("process", default=None)
"""The process whose code runs now; None is the world around them."""


class Process:
    """One controller process: what of it waits while it is stopped, and its own idea of the time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_stopped = False
        self.is_dead = False
        self.held: list[asyncio.Handle] = []
        self.skew = 0.0
        """Seconds that its wall clock is ahead."""
        self.offset = 0.0
        """Seconds that it was ahead when the process began: that is the time by which it decides."""

    def __repr__(self) -> str:
        return self.name


class Loop(asyncio.BaseEventLoop):
    """Virtual time, no sockets, no threads."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self.timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._number = 0
        self.limits = 0
        """Processes that are stopped or dead: while there are none, nobody need be asked."""
        self.world: Context = copy_context()

    def time(self) -> float:
        return self.now

    def later(self, delay: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """Do something in the world, whoever asks for it."""
        return self.call_at(self.now + max(0.0, delay), callback, *args, context=self.world)

    def stop_process(self, process: Process) -> None:
        """As SIGSTOP."""
        process.is_stopped = True
        self.limits += 1

    def resume(self, process: Process) -> None:
        """As SIGCONT: all that was due meanwhile is done now, in order."""
        process.is_stopped = False
        self.limits -= 1
        self._ready.extend(process.held)  # type: ignore[attr-defined]  # the base class's own queue
        process.held = []

    def kill(self, process: Process) -> None:
        """As SIGKILL: nothing of it ever runs again, nor does it say goodbye."""
        process.is_dead = True
        self.limits += 1

    def bury(self, process: Process) -> None:
        """Let a dead process's tasks end, so that nothing is left in memory; the world no longer listens to it."""
        process.is_dead = False
        self.limits -= 1
        self._ready.extend(process.held)  # type: ignore[attr-defined]
        process.held = []

    def call_at(  # type: ignore[override]  # the base class's has types of its own
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As the base class; of equal times the first made is the first done, whatever else is in the heap."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._number += 1
        heapq.heappush(self.timers, (when, self._number, timer))
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def _run_once(self) -> None:
        timers, ready = self.timers, self._ready  # type: ignore[attr-defined]
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            while timers and timers[0][2]._cancelled:
                self._timer_cancelled_count -= 1  # type: ignore[has-type]
                heapq.heappop(timers)[2]._scheduled = False  # type: ignore[attr-defined]
            if not timers:
                raise RuntimeError("nothing is left to wait for")
            self.now = max(self.now, timers[0][0])
        if self._timer_cancelled_count > 200 and 2 * self._timer_cancelled_count > len(timers):  # type: ignore[has-type]
            timers[:] = [entry for entry in timers if not entry[2]._cancelled]
            heapq.heapify(timers)
            self._timer_cancelled_count = 0
        while timers and timers[0][0] <= self.now:
            handle = heapq.heappop(timers)[2]
            handle._scheduled = False  # type: ignore[attr-defined]
            ready.append(handle)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            if self.limits:
                process = handle._context.get(CURRENT)
                if process is not None and (process.is_stopped or process.is_dead):
                    process.held.append(handle)
                    continue
            self.steps += 1
            handle._run()

    def _write_to_self(self) -> None:
        """Nobody sleeps in a system call."""

    def _process_events(self, event_list: object) -> None:
        """There are none."""
