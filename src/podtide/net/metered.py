"""httpx's transport for servers that may mean harm: what is no body may be only so much. Called by `net.http`.

httpx, and what is beneath it, take some 20 µs for each frame, chunk or informational answer, though it has few bytes: a
server that sends nothing else would have a core to itself until the deadline, and the loop would come round rarely.
"""

import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import httpcore
import httpx

_ALLOWED = 128 * 1024
"""Bytes of heads and frames that an exchange may take, with what has been read of a body and not been handed on."""
_SHARE = 32
"""So many bytes of a body allow one byte more: chunks of 200 bytes are fine whatever the page's length."""
_READ = 32
"""What reading once counts, for TLS records of a byte each."""
_AT_ONCE = 16 * 1024
"""Bytes that are read, and may be made sense of, before others have their turn."""
_ERRORS = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol)


class Transport(httpx.AsyncBaseTransport):
    """As `httpx.AsyncHTTPTransport`, but for the limit; without proxies."""

    def __init__(self, verify: ssl.SSLContext | None, *, http1: bool, http2: bool, kept: int, idle: float) -> None:
        """Keeps so many idle connections for so many seconds."""
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=verify,
            max_connections=None,
            max_keepalive_connections=kept,
            keepalive_expiry=idle,
            http1=http1,
            http2=http2,
            network_backend=_Network(),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it, and read the head of the answer. Raises `httpx.TransportError`."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        asked = httpcore.Request(
            request.method, url, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        with _translated():
            answer = await self._pool.handle_async_request(asked)
        body = _Body(answer, answer.extensions["network_stream"].get_extra_info("meter"))
        return httpx.Response(answer.status, headers=answer.headers, stream=body, extensions=answer.extensions)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that counts what it reads."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self.left = _ALLOWED
        """Bytes that may still be read."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._inner.read(min(max_bytes, _AT_ONCE), timeout)
        self.left -= len(data) + _READ
        if self.left < 0:
            await self._inner.aclose()
            raise httpcore.RemoteProtocolError("the server sends frames, chunks or heads with hardly any body in them")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self if info == "meter" else self._inner.get_extra_info(info)


class _Network(httpcore.AsyncNetworkBackend):
    """Connects as httpx does."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._inner.connect_tcp(host, port, timeout, local_address, socket_options))


class _Body(httpx.AsyncByteStream):
    """A body, for which its connection may read more."""

    def __init__(self, answer: httpcore.Response, meter: _Stream) -> None:
        self._answer = answer
        self._meter = meter

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for piece in self._answer.aiter_stream():
                self._meter.left += len(piece) + len(piece) // _SHARE
                yield piece

    async def aclose(self) -> None:
        with _translated():
            await self._answer.aclose()
        self._meter.left = _ALLOWED


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        # httpx has given each the same name.
        kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise kind(str(error)) from error
