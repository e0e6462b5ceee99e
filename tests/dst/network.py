"""The way between a controller and the API server: what `kube.client` uses for a transport, without sockets.

`kube.client.Client` runs unchanged on top; only kubernetes.aio's `ApiClient` is replaced. A request can be late, lost
on the way there or on the way back, and a watch can be silent, cut, or lose events.
"""

import asyncio
import functools
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

import aiohttp
import msgspec

from tests.dst.apiserver import Refused, Server, Watch, where
from tests.dst.loop import CURRENT, Loop, Process


@dataclass(slots=True)
class Weather:
    """How the network and the server fare now, for everybody."""

    slow: float = 0.0
    """Seconds that requests take at most, beyond the usual milliseconds."""
    lost: float = 0.0
    """The share of requests that never arrive."""
    unanswered: float = 0.0
    """The share of requests that are carried out and whose answer is lost."""
    refused: float = 0.0
    """The share of requests that are refused with `code`."""
    code: int = 500
    retry_after: str = ""
    is_down: bool = False
    """Whether the server is being restarted."""


Sent = Callable[[Process, str, str, Mapping[str, Any], bytes], None]
"""Told of each request as it leaves a process: who, method, path, body, and the body's bytes."""
Arrived = Callable[[Process, str, str, Mapping[str, Any], float], Callable[[int], None] | None]
"""Told of each write as it reaches the server, and when it was sent; what it returns is told the answer's code."""


class Network:
    """Every link."""

    def __init__(self, loop: Loop, server: Server, rng: random.Random, *, sent: Sent, arrived: Arrived) -> None:
        self.weather = Weather()
        self.cut: set[Process] = set()
        """Processes that reach nobody."""
        self.loop = loop
        self.server = server
        self.rng = rng
        self.sent = sent
        self.arrived = arrived
        self.requests = 0
        self.faults: dict[str, int] = {}
        self.streams: list[Stream] = []
        self.read_list: Callable[[Process, bytes], None] = lambda process, body: None
        """Told of each list of autoscalers as a process reads it."""
        self.read_events: Callable[[Process, str, bytes], None] = lambda process, resource, chunk: None
        """Told of each chunk of a watch as a process reads it."""

    def count(self, fault: str) -> None:
        """One fault that struck."""
        self.faults[fault] = self.faults.get(fault, 0) + 1

    def latency(self) -> float:
        """Seconds for one request."""
        usual = 0.001 + 0.004 * self.rng.random()
        if not self.weather.slow:
            return usual
        self.count("api slow")
        return usual + self.weather.slow * self.rng.random()

    def drop_watches(self, *, lossy: bool = False) -> None:
        """End every watch. `lossy`: what was on its way is gone."""
        for stream in tuple(self.streams):
            stream.cut(lossy=lossy)


class Api:
    """Stands where `kubernetes.aio.client.ApiClient` does, for one process."""

    def __init__(self, network: Network, process: Process) -> None:
        self.user_agent = ""
        self._network = network
        self._process = process

    async def close(self) -> None:
        """There is nothing to close."""

    async def param_serialize(
        self, method: str, path: str, *, header_params: Mapping[str, str], auth_settings: object, body: Any
    ) -> tuple[str, str, Mapping[str, str], Any, None]:
        """As the original: method, URL, headers, body."""
        return method, path, header_params, body, None

    async def call_api(
        self, method: str, url: str, headers: Mapping[str, str], body: Any, _request_timeout: Any
    ) -> "Answered":
        """Send one request and wait for its answer."""
        network, process = self._network, self._process
        network.requests += 1
        path, query = _parsed(url)
        data = msgspec.json.encode(body) if body is not None else b""
        if method != "GET":
            network.sent(process, method, path, body or {}, data)
        is_watch = query.get("watch") == "true"
        timeout = 10.0 if is_watch else _request_timeout
        exchange = _Exchange(network, process, method, path, query, headers.get("Accept", ""), data, body)
        answer = network.loop.create_future()
        late = network.latency()
        if process.is_dead or (CURRENT.get() is not process):
            # A buried process: nobody listens.
            raise aiohttp.ClientConnectionError("the process is no more")
        weather, rng = network.weather, network.rng
        if process in network.cut or (weather.lost and rng.random() < weather.lost):
            network.count("request lost")
            network.loop.later(timeout, _fail, answer, TimeoutError())
        elif weather.is_down:
            network.loop.later(late, _fail, answer, aiohttp.ClientConnectionError("connection refused"))
        else:
            silence = _request_timeout.sock_read if is_watch else 0.0
            network.loop.later(late, exchange.arrive, answer, late, timeout, silence)
            if late > timeout:
                network.loop.later(timeout, _fail, answer, TimeoutError())
        return Answered(await answer)


@functools.lru_cache(maxsize=4096)
def _parsed(url: str) -> tuple[str, Mapping[str, str]]:
    path, _, query = url.partition("?")
    fields = (part.partition("=") for part in query.split("&"))
    return path, {name: unquote_plus(value) for name, _, value in fields if value}


class _Exchange:
    """One request at the server."""

    __slots__ = ("accept", "body", "data", "method", "network", "path", "process", "query", "sent_at")

    def __init__(
        self,
        network: Network,
        process: Process,
        method: str,
        path: str,
        query: Mapping[str, str],
        accept: str,
        data: bytes,
        body: Any,
    ) -> None:
        self.network = network
        self.process = process
        self.method = method
        self.path = path
        self.query = query
        self.accept = accept
        self.data = data
        self.body = body
        self.sent_at = network.loop.now

    def arrive(self, answer: "asyncio.Future[Response]", late: float, timeout: float, silence: float) -> None:
        """The request has reached the server."""
        network, rng = self.network, self.network.rng
        weather = network.weather
        if weather.is_down:
            _fail(answer, aiohttp.ClientConnectionError("connection reset"))
            return
        if weather.refused and rng.random() < weather.refused:
            network.count(f"api {weather.code}")
            told = {"kind": "Status", "message": "made up", "reason": "Injected", "code": weather.code}
            headers = {"Retry-After": weather.retry_after} if weather.retry_after else {}
            _give(answer, Response(weather.code, msgspec.json.encode(told), headers))
            return
        if self.query.get("watch") == "true":
            if not answer.done():
                _give(answer, Stream(network, self, silence))
            return
        arrived = None
        if self.method != "GET":
            arrived = network.arrived(self.process, self.method, self.path, self.body or {}, self.sent_at)
        try:
            code, body = network.server.answer(self.method, self.path, self.query, self.accept, self.data)
        except Refused as refusal:
            code, body = refusal.code, refusal.body
        if arrived is not None:
            arrived(code)
        if (weather.unanswered and rng.random() < weather.unanswered) or self.process in network.cut:
            network.count("answer lost")
            network.loop.later(max(0.0, timeout - late), _fail, answer, TimeoutError())
            return
        response = Response(code, body, {})
        if self.method == "GET" and code == 200 and self.path.endswith("/podautoscalers"):
            response.on_read = lambda: network.read_list(self.process, body)
        _give(answer, response)


def _give(answer: "asyncio.Future[Any]", response: "Response") -> None:
    if not answer.done():
        answer.set_result(response)


def _fail(answer: "asyncio.Future[Any]", error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)


@dataclass(slots=True)
class Answered:
    """What `call_api` returns."""

    response: Any


class Response:
    """A whole answer, as aiohttp shows it."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.status = status
        self.headers = headers
        self._body = body
        self.content = self
        self.on_read: Callable[[], None] | None = None

    async def __aenter__(self) -> "Response":
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing is kept open."""

    async def read(self) -> bytes:
        """The whole body."""
        if self.on_read is not None:
            self.on_read()
        return self._body

    async def iter_any(self) -> AsyncIterator[bytes]:
        """The same in pieces, of which there is one."""
        yield await self.read()

    def close(self) -> None:
        """Read no further."""


class Stream(Response):
    """One watch, on its way from the server to a process."""

    def __init__(self, network: Network, exchange: _Exchange, silence: float) -> None:
        super().__init__(200, b"", {})
        self.process = exchange.process
        self._network = network
        self._silence = silence
        self._lines: deque[tuple[float, bytes, int]] = deque()
        """When each line arrives, the line, and up to which version it tells."""
        self._is_over = False
        self._is_broken = False
        self._waiter: asyncio.Future[None] | None = None
        self.resource = where(exchange.path).resource
        self._delay = 0.001 + 0.02 * network.rng.random()
        """Seconds that events take; drawn anew per watch, so that kinds overtake each other."""
        target = where(exchange.path)
        metadata_only = "PartialObjectMetadata" in exchange.accept
        self._watch = Watch(
            target.resource, target.namespace, metadata_only, self._take, self.end, exchange.process.name
        )
        self.is_dead = False
        """Whether nothing arrives any more, though nobody has closed the connection."""
        self.lossy = 0.0
        """The share of events that are lost on the way; a server whose own cache is broken does that."""
        error = network.server.watch(exchange.path, exchange.query.get("resourceVersion", ""), self._watch)
        network.streams.append(self)
        if error is not None:
            self._lines.append((network.loop.now, error, 0))
            self.end()
        lasts = float(exchange.query.get("timeoutSeconds") or 1800)
        self._timer = network.loop.later(lasts, self.end)
        self._heard = network.loop.now
        self._guard = network.loop.later(silence, self._listen)

    def _take(self, kind: str, version: int, line: bytes) -> None:
        network = self._network
        if self.lossy and kind != "BOOKMARK" and network.rng.random() < self.lossy:
            network.count("event lost")
            return
        at = network.loop.now + self._delay + network.weather.slow * 0.2
        self._lines.append((at, line, version))
        network.loop.later(at - network.loop.now, self._wake)

    def end(self) -> None:
        """The server ends the watch in order."""
        self._close()
        self._is_over = True
        self._wake()

    def cut(self, *, lossy: bool) -> None:
        """The connection breaks."""
        if self._is_over:
            return
        self._network.count("watch cut")
        if lossy:
            self._lines.clear()
        self._is_broken = True
        self.end()

    def _listen(self) -> None:
        """A client that has heard nothing for too long gives the connection up."""
        loop = self._network.loop
        left = self._heard + self._silence - loop.now
        if left > 0:
            self._guard = loop.later(left, self._listen)
        elif self._waiter is not None and not self._waiter.done():
            _fail(self._waiter, TimeoutError())
        else:
            # Its process is stopped, or at work on the last chunk.
            self._guard = loop.later(30.0, self._listen)

    def _close(self) -> None:
        self._network.server.unwatch(self._watch)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def __aexit__(self, *exc: object) -> None:
        self._timer.cancel()
        self._guard.cancel()
        self._close()
        self._network.streams.remove(self)

    async def iter_any(self) -> AsyncIterator[bytes]:
        """Chunks as they arrive."""
        loop = self._network.loop
        while True:
            if not self._is_silent():
                chunk = self._arrived()
                if chunk:
                    yield chunk
                    continue
                if self._is_over and not self._lines:
                    if self._is_broken:
                        raise aiohttp.ClientPayloadError("the connection was cut")
                    return
            self._waiter = loop.create_future()
            if self._lines and not self._is_silent():
                loop.later(self._lines[0][0] - loop.now, self._wake)
            await self._waiter

    def _is_silent(self) -> bool:
        return self.is_dead or self.process in self._network.cut

    def heal(self) -> None:
        """The partition is over, and what was sent meanwhile arrives."""
        self._wake()

    def _arrived(self) -> bytes:
        loop, chunk = self._network.loop, []
        while self._lines and self._lines[0][0] <= loop.now:
            chunk.append(self._lines.popleft()[1])
        if chunk:
            self._heard = loop.now
            self._network.read_events(self.process, self.resource, b"".join(chunk))
        return b"".join(chunk)
