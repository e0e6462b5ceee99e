"""What a server that does not answer as it should speaks instead: TLS or not, HTTP/1.1 or 2. `probe` asks."""

from dataclasses import replace

from podtide.core.model.reading import Failure, Reason
from podtide.net import http, page, prepare, tls
from podtide.net.handshake import Handshake, look

_SPEECHLESS = frozenset({Reason.PROTOCOL, Reason.RESET, Reason.STATUS, Reason.TLS, Reason.TIMEOUT})
"""Failures behind which another protocol may be."""


async def explained(failure: Failure, ask: page.Ask, timeout: float) -> Failure:
    """The failure, with the setting to change where the server turns out to speak something else."""
    if failure.reason not in _SPEECHLESS:
        return failure
    advice = await _other(ask, timeout)
    return failure if advice is None else Failure(failure.reason, f"{failure.detail} — {advice}")


async def _other(ask: page.Ask, timeout: float) -> str | None:
    if ask.context is None:
        secured = await look(ask, timeout, protocols=tls.HTTP2)
        if isinstance(secured, Handshake):
            return "tried: the server speaks TLS on this port: set `protocolType: https`"
    other = replace(ask, http2=not ask.http2)
    if ask.context is not None:
        secured = await look(ask, timeout, protocols=tls.HTTP2)
        if isinstance(secured, Failure):
            is_plain = await _answers(_bare(ask), timeout)
            return "tried: the server speaks plain HTTP on this port: set `protocolType: http`" if is_plain else None
        # Of the two it is offered, a server that can do both takes HTTP/2.
        if ask.http2 and secured.protocol != "h2":
            return f"tried: the server negotiates {secured.protocol or 'nothing'}: leave `http2` off"
        if not ask.http2 and secured.protocol == "h2" and await _refuses_http1(ask, timeout):
            return "tried: the server speaks HTTP/2 only: set `http2: true`"
        return None
    if await _answers(other, timeout):
        if other.http2:
            return "tried: the server speaks HTTP/2 only: set `http2: true`"
        return "tried: the server speaks HTTP/1.1 only: leave `http2` off"
    return None


def _bare(ask: page.Ask) -> page.Ask:
    """The same without TLS, and without the credentials that were meant for it."""
    shown = tuple(header for header in ask.headers if header[0].lower() in ("accept", "host"))
    return replace(ask, context=None, server_name=None, headers=shown, http2=False)


async def _refuses_http1(ask: page.Ask, timeout: float) -> bool:
    offered = await look(ask, timeout, protocols=tls.HTTP1)
    return isinstance(offered, Failure) or offered.protocol is None


async def _answers(ask: page.Ask, timeout: float) -> bool:
    """Whether the server gives a whole answer to this."""
    client = http.Client(page.Limits())
    try:
        way = prepare.Prepared(ask.context, ask.server_name, ask.headers, ask.http2)
        outcome = await client.get(str(ask), way, timeout)
    finally:
        await client.aclose()
    return isinstance(outcome, page.FetchedPage) and outcome.status < 400
