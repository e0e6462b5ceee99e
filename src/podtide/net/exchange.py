"""One request that is under way. Shared by `net.engine` and `net.connection`."""

import errno
from collections.abc import Callable
from dataclasses import dataclass

from podtide.core.model.reading import Failure
from podtide.net.page import Ask, Page

Done = Callable[[Ask, Page | Failure], None]

_LOST = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ESHUTDOWN, errno.ENOTCONN)


@dataclass(slots=True, eq=False)
class Exchange:
    """One request, from being asked for to its one call of `done`."""

    ask: Ask
    request: bytes
    timeout: float
    deadline: float
    done: Done
    started: float = 0.0
    """When it got its connection; 0 while it waits for its turn."""
    is_retry: bool = False
    """Whether a stale connection has already been replaced once."""
    is_over: bool = False
    """Whether `done` has been called."""


def is_lost(error: OSError) -> bool:
    """Whether the error says that the other side has gone, as it does on a keep-alive connection it gave up."""
    return error.errno in _LOST
