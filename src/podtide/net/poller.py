"""The set of sockets the engine waits on: epoll, or off Linux what `selectors` has. Called by `net.engine`."""

import select
import selectors
from typing import Protocol

READ = 1
WRITE = 4


class Poller(Protocol):
    """The part of `select.epoll` that the engine uses; level-triggered."""

    def register(self, fd: int, eventmask: int = ...) -> None: ...
    def modify(self, fd: int, eventmask: int) -> None: ...
    def unregister(self, fd: int) -> None: ...
    def poll(self, timeout: float | None = ..., maxevents: int = ...) -> list[tuple[int, int]]: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class Portable:
    """A `selectors` selector that is spoken to like epoll. It must have a descriptor, as kqueue has."""

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        self._selector = selector or selectors.DefaultSelector()

    def register(self, fd: int, eventmask: int = READ) -> None:
        self._selector.register(fd, _interest(eventmask))

    def modify(self, fd: int, eventmask: int) -> None:
        self._selector.modify(fd, _interest(eventmask))

    def unregister(self, fd: int) -> None:
        self._selector.unregister(fd)

    def poll(self, timeout: float | None = 0, maxevents: int = -1) -> list[tuple[int, int]]:
        ready = self._selector.select(timeout)
        events = [(key.fd, _mask(mask)) for key, mask in ready]
        return events if maxevents < 0 else events[:maxevents]

    def fileno(self) -> int:
        number: int = self._selector.fileno()  # type: ignore[attr-defined]  # every selector that can be waited on has it
        return number

    def close(self) -> None:
        self._selector.close()


def forgets_closed(poll: Poller) -> bool:
    """Whether a descriptor that is closed need not be unregistered: true for epoll itself."""
    return hasattr(select, "epoll") and isinstance(poll, select.epoll)


def make() -> Poller:
    """The best poller of this system."""
    return select.epoll() if hasattr(select, "epoll") else Portable()


def _interest(mask: int) -> int:
    return (selectors.EVENT_READ if mask & READ else 0) | (selectors.EVENT_WRITE if mask & WRITE else 0)


def _mask(interest: int) -> int:
    return (READ if interest & selectors.EVENT_READ else 0) | (WRITE if interest & selectors.EVENT_WRITE else 0)
