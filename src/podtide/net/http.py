"""The HTTP client for everything that is no pod's page: URLs of endpoints and Prometheus, and pods that speak HTTP/2.

httpx as it comes, with limits: one deadline per exchange, a bound on the body while it arrives, no redirects, no
proxies from the environment, no compression, and errors as named failures.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from podtide.core.model.reading import Failure, Reason
from podtide.net import arriving, errors, guard, metered, page, prepare, tls

# At its debug level it would write every header into the log, credentials among them.
logging.getLogger("hpack").setLevel(logging.INFO)

KEPT = 300.0
"""Seconds after which an unused client, and its connections, are closed."""

_HEADERS = {
    "User-Agent": "podtide",
    "Accept": "*/*",
    # A body that unpacks to a thousand times its size could not be bounded while it arrives.
    "Accept-Encoding": "identity",
}


_Kind = tuple[ssl.SSLContext | None, bool, str | None]


class Client:
    """Gets pages. One `httpx.AsyncClient` per TLS context, protocol and name to verify.

    httpx knows a connection by its address alone, and would ask one server over a connection verified for another.
    """

    def __init__(
        self, limits: page.Limits, *, watch: guard.Guard | None = None, beside: arriving.Arriving | None = None
    ) -> None:
        """With `watch`, only hosts that it lets pass are connected to, at the addresses it has checked.

        `beside` is what arrives for other clients that have one limit with this one.
        """
        self._limits = limits
        self._guard = watch
        self._clients: dict[_Kind, tuple[httpx.AsyncClient, float]] = {}
        self._arriving = beside or arriving.Arriving(limits.buffer_bytes)

    async def get(
        self,
        url: str,
        way: prepare.Prepared,
        timeout: float,
        *,
        params: Mapping[str, str] | None = None,
        owner: str = "",
    ) -> page.FetchedPage | Failure:
        """Get a page within the timeout in seconds. `params` are added to the URL's query.

        `owner` is in whose name: each may look up so many names at a time.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            ask = ask_for(url, way)
            async with asyncio.timeout(timeout):
                return await self._get(url, ask, params, began, owner)
        except (ValueError, httpx.InvalidURL) as error:
            return Failure(Reason.CONNECT, f"{url.rpartition('@')[2]} is no URL: {error}")
        except TimeoutError:
            return Failure(Reason.TIMEOUT, f"{ask}: no whole answer within {timeout:g} s")

    async def aclose(self) -> None:
        """Close every connection."""
        clients, self._clients = self._clients, {}
        for client, _ in clients.values():
            await client.aclose()
        if self._guard is not None:
            await self._guard.aclose()

    async def _get(
        self, url: str, ask: page.Ask, params: Mapping[str, str] | None, began: float, owner: str
    ) -> page.FetchedPage | Failure:
        addresses = await self._addresses(ask, owner)
        if isinstance(addresses, Failure):
            return addresses
        client = await self._client(ask, began)
        outcome: page.FetchedPage | Failure = Failure(Reason.CONNECT, f"{ask}: the name has no address")
        for address in addresses:
            outcome = await self._exchange(client, _request(client, url, ask, address, params), ask, began)
            # Only a server that could not even be connected to is worth trying elsewhere.
            if not (isinstance(outcome, Failure) and outcome.reason is Reason.CONNECT):
                break
        return outcome

    async def _addresses(self, ask: page.Ask, owner: str) -> list[str] | Failure:
        if self._guard is None:
            return [ask.host]
        return await self._guard.addresses(ask.host, ask.port, owner=owner)

    async def _client(self, ask: page.Ask, now: float) -> httpx.AsyncClient:
        for key, (old, used) in list(self._clients.items()):
            if now - used > KEPT:
                del self._clients[key]
                await old.aclose()
        name = ask.server_name or ask.host if ask.context else None
        kind = ask.context, ask.http2, name
        found = self._clients.get(kind)
        # Over plain TCP nobody negotiates: HTTP/2 is spoken because it is known to be understood.
        client = found[0] if found else _make(ask.context, http2=ask.http2, http1=not ask.http2 or bool(ask.context))
        self._clients[kind] = client, now
        return client

    async def _exchange(
        self, client: httpx.AsyncClient, request: httpx.Request, ask: page.Ask, began: float
    ) -> page.FetchedPage | Failure:
        try:
            response = await client.send(request, stream=True)
            try:
                body = await self._body(response, ask)
            finally:
                await response.aclose()
        except (httpx.HTTPError, OSError) as error:  # what a server says in TLS after the handshake comes unwrapped
            return named(error, ask)
        if isinstance(body, Failure):
            return body
        return page.FetchedPage(
            status=response.status_code,
            content_type=response.headers.get("content-type", ""),
            body=body,
            elapsed=asyncio.get_running_loop().time() - began,
            location=response.headers.get("location", ""),
            www_authenticate=response.headers.get("www-authenticate", ""),
            server=response.headers.get("server", ""),
        )

    async def _body(self, response: httpx.Response, ask: page.Ask) -> bytes | Failure:
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            return Failure(Reason.PROTOCOL, f"{ask}: the answer is compressed ({coding[:40]}), which nobody asked for")
        with self._arriving.body() as body:
            async for chunk in response.aiter_raw():
                self._arriving.add(body, chunk)
                if len(body.content) > self._limits.page_bytes:
                    most = self._limits.page_bytes
                    return Failure(Reason.TOO_LARGE, f"{ask}: the answer is larger than {most} bytes")
                if body.is_given_up:
                    return Failure(Reason.TOO_LARGE, f"{ask}: the answer has no room beside other large ones")
            if body.is_given_up:
                return Failure(Reason.TOO_LARGE, f"{ask}: the answer has no room beside other large ones")
            return bytes(body.content)


def ask_for(url: str, way: prepare.Prepared) -> page.Ask:
    """What a URL asks for. ValueError for what is no http or https URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it must begin with http:// or https:// and a host")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return page.Ask(parts.hostname, port, path, way.context, way.server_name, way.headers, way.http2)


def named(error: httpx.HTTPError | OSError, ask: page.Ask) -> Failure:
    """What an error of httpx means; the cause it wraps says more than itself."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return tls.classify(cause, ask)
        if isinstance(cause, OSError) and cause.errno is not None:
            return errors.named(cause, str(ask))
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.TimeoutException):
        return Failure(Reason.TIMEOUT, f"{ask}: no answer in time")
    if isinstance(error, httpx.ConnectError):
        return Failure(Reason.CONNECT, f"{ask}: {error}")
    if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.CloseError):
        return Failure(Reason.RESET, f"{ask}: the server closed the connection before its answer was whole")
    return Failure(Reason.PROTOCOL, f"{ask}: {error}")


def _make(context: ssl.SSLContext | None, *, http2: bool, http1: bool) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=metered.Transport(context, http1=http1, http2=http2, kept=64, idle=60.0),
        trust_env=False,
        follow_redirects=False,
        # The deadline over all is the caller's.
        timeout=None,  # noqa: S113
    )


def _request(
    client: httpx.AsyncClient, url: str, ask: page.Ask, address: str, params: Mapping[str, str] | None
) -> httpx.Request:
    """The request for a URL, sent to an address that was looked up for its host."""
    target = httpx.URL(url)
    given = (("Host", target.netloc.decode("ascii")), *_HEADERS.items(), *ask.headers)
    # As bytes, because httpx would take text for ASCII and quote what is not in its complaint.
    fields = {name.lower(): (name.encode("ascii"), value.encode("latin-1")) for name, value in given}
    request = client.build_request(
        "GET",
        target.copy_with(host=address.partition("%")[0]),
        params=None if params is None else {**dict(target.params), **params},
        headers=list(fields.values()),
    )
    # The name to verify stays the URL's, whatever address it has.
    request.extensions["sni_hostname"] = ask.server_name or ask.host
    return request
