"""The last question before a write: whether it may still go out, now that there is a connection. For `kube.client`.

Between a request's turn and its bytes on the socket lie DNS, TCP and TLS: seconds, in which a Lease can run out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import SimpleNamespace

import aiohttp

from podtide.kube import errors

Permit = Callable[[], bool]
"""Whether a write may still go out."""


def withheld() -> errors.Withheld:
    """What a write fails with that is not permitted."""
    return errors.Withheld("not sent: this replica may no longer write")


class Errand:
    """One request on its way."""

    def __init__(self, permit: Permit) -> None:
        self._permit = permit
        self.is_withheld = False
        """Whether it was not permitted: aiohttp passes on what stops a body as an error of the connection."""

    def ask(self) -> None:
        """Go on only if it is permitted.

        Raises:
            Withheld: it is not.
        """
        if not self._permit():
            self.is_withheld = True
            raise withheld()


# aiohttp takes no argument of ours from the request to its signals except through the caller, which is the kubernetes
# package here; a task, and the one that aiohttp makes for a body, has its own context.
_errand: ContextVar[Errand | None] = ContextVar("errand", default=None)


@contextmanager
def carrying(errand: Errand) -> Iterator[None]:
    """Whatever is sent within asks this errand first."""
    token = _errand.set(errand)
    try:
        yield
    finally:
        _errand.reset(token)


def signals() -> aiohttp.TraceConfig:
    """What has aiohttp ask: with the connection in hand, and again right before the body is written.

    These signals are awaited before the bytes in question are handed over, and what they raise closes the connection.
    The headers wait for the body to go out with it, on Python before 3.12 one turn of the event loop later.
    """
    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(_ask)
    tracing.on_request_chunk_sent.append(_ask)
    return tracing


async def _ask(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    del session, context, params
    if (errand := _errand.get()) is not None:
        errand.ask()
