"""The scrape engine as an httpx transport, for any `httpx.AsyncClient`. Tests put another transport in its place.

Only GET, as a scrape is one. Redirects are httpx's business, which follows none unless it is told to.
"""

import ssl
from types import TracebackType

import httpx

from podtide.core.model.reading import Failure, Reason
from podtide.net import engine, page, wire

_OURS = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length"))
"""Request headers that belong to the connection, which is the engine's."""
_FRAMING = frozenset((b"content-length", b"content-encoding", b"transfer-encoding"))
_LONGEST = 60.0
"""Seconds for a request whose timeout httpx leaves open: nothing waits for ever."""

_ERRORS: dict[Reason, type[httpx.TransportError]] = {
    Reason.TIMEOUT: httpx.ReadTimeout,
    Reason.RESET: httpx.ReadError,
    Reason.PROTOCOL: httpx.RemoteProtocolError,
    Reason.TOO_LARGE: httpx.RemoteProtocolError,
    Reason.CONTENT: httpx.RemoteProtocolError,
}
"""Everything else means that there was no connection."""


class Transport(httpx.AsyncBaseTransport):
    """Sends requests through an engine, which keeps one connection per server.

    `verify` is the context for https; without one https is refused. The engine is closed with the transport unless
    it was given.
    """

    def __init__(self, verify: ssl.SSLContext | None = None, scraper: engine.Engine | None = None) -> None:
        self._verify = verify
        self._scraper = scraper or engine.Engine()
        self._is_owner = scraper is None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Scrape once. Raises `httpx.TransportError`; the timeout covers the whole exchange."""
        ask = self._ask(request)
        outcome = await self._scraper.fetch(ask, _timeout(request))
        if isinstance(outcome, Failure):
            raise _ERRORS.get(outcome.reason, httpx.ConnectError)(str(outcome), request=request)
        return httpx.Response(outcome.status, headers=_headers(outcome), content=outcome.body, request=request)

    async def aclose(self) -> None:
        """Close the engine, if it is this transport's own."""
        if self._is_owner:
            await self._scraper.aclose()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    def _ask(self, request: httpx.Request) -> page.Ask:
        if request.method != "GET":
            raise httpx.UnsupportedProtocol(f"this transport scrapes: GET only, not {request.method}", request=request)
        url = request.url
        context = None
        if url.scheme == "https":
            context = self._verify
            if context is None:
                raise httpx.UnsupportedProtocol("https needs a TLS context: Transport(verify=…)", request=request)
        elif url.scheme != "http":
            raise httpx.UnsupportedProtocol(f"no such scheme: {url.scheme!r}", request=request)
        name = request.extensions.get("sni_hostname")
        return page.Ask(
            host=url.host,
            port=url.port or (443 if context else 80),
            path=url.raw_path.decode("ascii"),
            context=context,
            server_name=name.decode("ascii") if isinstance(name, bytes) else name,
            headers=_request_headers(request),
        )


def _timeout(request: httpx.Request) -> float:
    """httpx times each step; the engine the whole, so the steps that can take long are added."""
    steps = request.extensions.get("timeout", {})
    given = [steps[step] for step in ("connect", "read") if steps.get(step) is not None]
    return min(sum(given), _LONGEST) if given else _LONGEST


def _headers(read: page.FetchedPage) -> list[tuple[bytes, bytes]]:
    """The answer's own, but for what told of the body on its way: it is decoded and whole by now."""
    kept = [(name, value) for name, value in wire.fields(read.head) if name.lower() not in _FRAMING]
    return [*kept, (b"Content-Length", b"%d" % len(read.body))]


def _request_headers(request: httpx.Request) -> tuple[tuple[str, str], ...]:
    """The request's own, but for the connection's; of encodings the engine reads gzip alone."""
    return tuple(
        (name, "gzip" if "gzip" in value else "identity") if name.lower() == "accept-encoding" else (name, value)
        for name, value in request.headers.items()
        if name.lower() not in _OURS
    )
