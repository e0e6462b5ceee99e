"""A thin typed client: kubernetes.aio carries credentials and bytes, msgspec decodes only the fields we declare.

Everything that talks to the API server calls this; nothing here retries, except that a 429 is waited out once.
"""

import asyncio
import contextlib
import functools
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import aiohttp
import msgspec
from kubernetes.aio import client as kubernetes_client

from podtide.kube import errors, permits, shallow
from podtide.kube.config import Configuration
from podtide.kube.limit import TokenBucket
from podtide.kube.permits import Permit
from podtide.kube.resources import LEASES, Resource

T = TypeVar("T")

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
"""What to accept where only an object's metadata is wanted."""
FIELD_MANAGER = "podtide"
_PAGE = 500
"""Objects in one answer to a list, as client-go's reflectors ask."""
_LONGEST_WAIT = 10.0
"""Seconds of Retry-After that are waited out here; a longer one is the caller's to plan for."""
_LONGEST_ERROR = 1024 * 1024
"""Bytes of an error that are read; an add-on behind the API server may have worded it."""

Observe = Callable[[str, str, int, float], None]
"""Called after each request with verb, resource, status code (0 without an answer) and seconds."""


def _always() -> bool:
    """A write that nothing forbids."""
    return True


def _ignore(verb: str, resource: str, code: int, seconds: float) -> None:
    """Observe nothing."""


class Client:
    """The API server, as one identity sees it."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        user_agent: str = "podtide",
        timeout: float = 10.0,
        qps: float = 50.0,
        burst: int = 100,
        observe: Observe = _ignore,
    ) -> None:
        """`timeout` is seconds for a whole exchange; `qps` and `burst` limit requests as client-go's flags do."""
        # No limit of connections: each watch holds one for minutes, and the token bucket limits the rest.
        configuration.connection_pool_maxsize = 0
        configuration.trace_configs = [permits.signals()]
        self._api = kubernetes_client.ApiClient(configuration)
        self._api.user_agent = user_agent
        self.host: str = configuration.host
        self.timeout = timeout
        self._bucket = TokenBucket(qps, burst)
        self._observe = observe

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._api.close()

    async def get(
        self, resource: Resource, namespace: str, name: str, *, into: type[T], sub: str = "", accept: str | None = None
    ) -> T:
        """One object, or its subresource, decoded as `into`."""
        body = await self.request("GET", resource, resource.path(namespace, name, sub), accept=accept)
        return _decode(body, into)

    async def list(
        self, resource: Resource, namespace: str = "", *, into: type[T], accept: str | None = None, **query: str
    ) -> tuple[list[T], str]:
        """Every object of a namespace (or of all), page by page, and the resourceVersion of the whole."""
        items: list[T] = []
        token = ""
        while True:
            page_query = {**query, "limit": str(_PAGE)} | ({"continue": token} if token else {})
            body = await self.request("GET", resource, resource.path(namespace), query=page_query, accept=accept)
            page = await _page(body)
            items += [_decode(bytes(raw), into) for raw in page.items or ()]
            token = page.metadata.continue_
            if not token:
                return items, page.metadata.resourceVersion

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Mapping[str, Any] | Sequence[Any],
        *,
        into: type[T],
        sub: str = "",
        content_type: str = MERGE,
        permit: Permit = _always,
        timeout: float | None = None,
        **query: str,
    ) -> T:
        """Patch one object (a JSON merge patch unless told otherwise) and return what it became.

        `permit` and `timeout` as for `request`.
        """
        answer = await self.request(
            "PATCH",
            resource,
            resource.path(namespace, name, sub),
            query={"fieldManager": FIELD_MANAGER, **query},
            body=body,
            content_type=content_type,
            permit=permit,
            timeout=timeout,
        )
        return _decode(answer, into)

    async def create(
        self,
        resource: Resource,
        namespace: str,
        body: Mapping[str, Any],
        *,
        into: type[T],
        permit: Permit = _always,
    ) -> T:
        """Create one object and return it as stored. `permit` as for `request`."""
        query = {"fieldManager": FIELD_MANAGER}
        answer = await self.request("POST", resource, resource.path(namespace), query=query, body=body, permit=permit)
        return _decode(answer, into)

    async def replace(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Mapping[str, Any],
        *,
        into: type[T],
        permit: Permit = _always,
    ) -> T:
        """Replace one object; its resourceVersion must be the present one. `permit` as for `request`."""
        query = {"fieldManager": FIELD_MANAGER}
        path = resource.path(namespace, name)
        answer = await self.request("PUT", resource, path, query=query, body=body, permit=permit)
        return _decode(answer, into)

    async def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete one object."""
        await self.request("DELETE", resource, resource.path(namespace, name))

    async def request(
        self,
        method: str,
        resource: Resource,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        content_type: str = "application/json",
        accept: str | None = None,
        permit: Permit = _always,
        timeout: float | None = None,
        most: int | None = None,
    ) -> bytes:
        """Send one request and return the body of a success.

        `permit` is asked after every wait, for its turn and for a connection, and once more with the bytes in hand.
        `timeout` is seconds for one exchange; None means the client's own. `most` is how many bytes are taken, where
        somebody else answers through the API server.

        Raises:
            Withheld: `permit` said no; nothing was sent.
            Unreachable: no answer in time.
            TooLarge: more than `most` bytes.
            StatusError: any answer of 400 and above; a short Retry-After of a 429 is waited out once first.
        """
        for attempt in (1, 2):
            try:
                async with self._send(
                    method, resource, path, query, body, content_type, accept, timeout or self.timeout, permit=permit
                ) as response:
                    answer = await _body(response, most)
                    if most is not None and len(answer) > most:
                        raise errors.TooLarge(f"the answer is larger than {most} bytes")
                    return answer
            except errors.TooManyRequests as refused:
                if attempt == 2 or (refused.retry_after or 1.0) > _LONGEST_WAIT:
                    raise
                await asyncio.sleep(refused.retry_after or 1.0)
        raise AssertionError("two attempts always end above")

    @contextlib.asynccontextmanager
    async def stream(
        self, resource: Resource, path: str, *, query: Mapping[str, str], silence: float, accept: str | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The lines of a watch. `silence` is the longest wait for a byte, in seconds, before it counts as cut."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self.timeout, sock_read=silence)
        async with self._send("GET", resource, path, query, None, "", accept, timeout, verb="WATCH") as response:
            yield _lines(response)

    @contextlib.asynccontextmanager
    async def _send(
        self,
        method: str,
        resource: Resource,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | Sequence[Any] | None,
        content_type: str,
        accept: str | None,
        timeout: "float | aiohttp.ClientTimeout",
        *,
        verb: str | None = None,
        permit: Permit = _always,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if any(part in (".", "..") for part in path.split("/")):
            # A name that leads elsewhere once the path is tidied up, as whoever sends it does. No object is called so.
            raise errors.NotFound(404, "NotFound", f"{resource.name}: there is no {path[:200]}")
        if resource is not LEASES:
            # A burst of anything else must not cost us the right to act: Leases never queue.
            await self._bucket.take()
        headers = {"Accept": accept or "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        started, code = time.monotonic(), 0
        errand = permits.Errand(permit)
        try:
            arguments = await self._api.param_serialize(
                method, path, header_params=headers, auth_settings=["BearerToken"], body=body
            )
            _, url, headers, body, _ = arguments
            if query:
                url += "?" + _encoded(tuple(query.items()))
            with permits.carrying(errand):
                errand.ask()
                answer = await self._api.call_api(method, url, headers, body, _request_timeout=timeout)
            response: aiohttp.ClientResponse = answer.response
            code = response.status
            async with response:
                if code >= 400:
                    said = await _body(response, _LONGEST_ERROR)
                    raise errors.from_status(code, said, retry_after=_retry_after(response))
                yield response
        except TimeoutError as error:
            raise errors.Unreachable(f"{self.host}: no answer in time") from _bare(error)
        except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
            if errand.is_withheld:
                raise permits.withheld() from _bare(error)
            raise errors.Unreachable(f"{self.host}: {error or type(error).__name__}") from _bare(error)
        finally:
            self._observe(verb or method, resource.name, code, time.monotonic() - started)


@functools.lru_cache(maxsize=64)
def _encoded(query: tuple[tuple[str, str], ...]) -> str:
    """As a URL has it. The same few are sent again and again; a watch's, which has a version, only once."""
    return urlencode(query)


async def _body(response: aiohttp.ClientResponse, most: int | None) -> bytes:
    """The body; of one longer than `most` its beginning, which is longer, too."""
    if most is None:
        return await response.read()
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > most:
            response.close()
            break
    return bytes(body)


def _bare(error: BaseException) -> BaseException:
    """The same without the traceback of what it comes from and its own.

    Frames of aiohttp hold the errors they raise: until the collector comes, every one would keep a whole request.
    """
    each: BaseException | None = error
    while each is not None and each.__traceback__ is not None:
        each.__traceback__ = None
        each = each.__cause__ or each.__context__
    return error


class _Meta(msgspec.Struct):
    resourceVersion: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct):
    metadata: _Meta
    items: list[msgspec.Raw] | None = None


def _decode(body: bytes, into: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=into)
    except errors.UNREADABLE as error:
        raise errors.ServerError(500, "Malformed", f"the answer does not decode: {error}") from error


async def _page(body: bytes) -> _List:
    try:
        return _decode(body, _List)
    except errors.ServerError as error:
        if not isinstance(error.__cause__, RecursionError):
            raise
    # In a thread, since it takes a second for what somebody may have made of megabytes.
    return _decode(await asyncio.to_thread(shallow.shallow, body), _List)


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Lines of any length: a large object's event is longer than any buffer aiohttp's own readline allows."""
    rest = bytearray()
    async for chunk in response.content.iter_any():
        rest += chunk
        *whole, tail = rest.split(b"\n")
        rest = tail
        for line in whole:
            if line.strip():
                yield bytes(line)


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
