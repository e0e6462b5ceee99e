"""Asks the Kubernetes metrics APIs, once for everybody who wants the same. `resource`, `custom` and `external` call it.

These APIs are served by add-ons behind the API server, so most of their failures are about what is not installed or
not allowed. Each comes with its remedy.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from podtide.aio.tasks import Crew
from podtide.core import jsonsize
from podtide.core.model.reading import Failure, Reason
from podtide.kube import errors
from podtide.kube.client import Client
from podtide.kube.resources import Resource

T = TypeVar("T")

KNOWN = 60.0
"""Seconds for which a group is believed to be served in the same version."""
UNKNOWN = 5.0
"""Seconds for which a group is believed to be missing: somebody may be installing it."""
MOST = 32 * 1024 * 1024
"""Bytes of an answer. The usage of ten thousand pods has a quarter of that."""
_LONGEST_GROUP = 1024 * 1024
OF_EACH = 8
"""Requests of one namespace that are under way, or wait for their turn, at a time. All requests of the controller wait
in one row; an object with 64 sources that are read every second would fill it, and scaling would wait."""
_SHOWN = 300
"""Characters of a server's own message that are passed on."""


@dataclass(frozen=True, slots=True)
class Group:
    """One of the metrics APIs."""

    name: str
    versions: tuple[str, ...]
    """Those that we read, best first."""
    server: str
    """What usually serves it."""


RESOURCE = Group("metrics.k8s.io", ("v1beta1",), "metrics-server")
CUSTOM = Group("custom.metrics.k8s.io", ("v1beta2", "v1beta1"), "a metrics adapter (prometheus-adapter for one)")
EXTERNAL = Group("external.metrics.k8s.io", ("v1beta1",), "a metrics adapter (KEDA or prometheus-adapter for one)")


@dataclass(frozen=True, slots=True)
class Query:
    """One request, and what RBAC must permit for it."""

    group: Group
    version: str
    namespace: str
    path: str
    verb: str
    """`list` or `get`, as RBAC sees the path."""
    resource: str
    """As RBAC sees it: `pods`, `pods/requests_per_second`."""
    about: str
    """What is asked for, for messages: `metric requests_per_second of pods`."""
    parameters: tuple[tuple[str, str], ...] = ()


class _Version(msgspec.Struct):
    version: str


class _ApiGroup(msgspec.Struct):
    versions: list[_Version] = []


@dataclass(slots=True)
class _Asked:
    at: float
    answer: "asyncio.Future[Any]"


class MetricsApi:
    """The metrics APIs behind one API server."""

    def __init__(self, client: Client, crew: Crew) -> None:
        self._client = client
        self._crew = crew
        self._asked: dict[object, _Asked] = {}
        self._turns: dict[str, asyncio.Semaphore] = {}
        """By namespace, of those that ask."""
        self._asking: Counter[str] = Counter()

    async def version(self, group: Group, *, timeout: float) -> str | Failure:
        """The best version of a group that is served, or that none is."""
        asked = self._asked.get(group)
        is_failed = asked is not None and asked.answer.done() and isinstance(asked.answer.result(), Failure)
        fresh = UNKNOWN if is_failed else KNOWN
        return await self._shared(group, lambda: self._discover(group), timeout=timeout, fresh=fresh)

    async def get(self, query: Query, into: type[T], *, timeout: float, fresh: float) -> T | Failure:
        """The answer to a query that was asked at most `fresh` seconds ago, or why there is none."""
        return await self._shared((query, into), lambda: self._get(query, into), timeout=timeout, fresh=fresh)

    async def _shared(
        self, key: object, ask: Callable[[], Awaitable[T | Failure]], *, timeout: float, fresh: float
    ) -> T | Failure:
        """Whoever asks while a request is under way waits for its answer; giving up waiting does not stop it."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        asked = self._asked.get(key)
        if asked is None or (asked.answer.done() and now - asked.at > fresh):
            asked = self._asked[key] = _Asked(now, loop.create_future())
            # A list of thousands of pods is not kept for longer than somebody may come for it.
            loop.call_later(max(fresh, timeout), self._forget, key, asked)
            self._crew.start(_fill(asked.answer, ask), "metrics API")
        try:
            async with asyncio.timeout(timeout):
                outcome: T | Failure = await asyncio.shield(asked.answer)
                return outcome
        except TimeoutError:
            return Failure(Reason.TIMEOUT, f"the API server did not answer within {timeout:g} s")

    def _forget(self, key: object, asked: _Asked) -> None:
        if self._asked.get(key) is asked:
            del self._asked[key]

    async def _discover(self, group: Group) -> str | Failure:
        where = Resource(group.name, "", "", "")
        try:
            body = await self._client.request("GET", where, f"/apis/{group.name}", most=_LONGEST_GROUP)
            served = {one.version for one in msgspec.json.decode(body, type=_ApiGroup).versions}
        except errors.NotFound:
            return Failure(
                Reason.API, f"the cluster has no {group.name} API: install {group.server}, or use another source type"
            )
        except errors.KubeError as error:
            return Failure(Reason.API, f"{group.name} could not be looked up: {_said(error)}")
        except errors.UNREADABLE as error:
            return Failure(Reason.API, f"/apis/{group.name} is no APIGroup: {error}")
        for version in group.versions:
            if version in served:
                return version
        there = ", ".join(sorted(served)) or "none"
        return Failure(Reason.API, f"{group.name} is served as {there}; Podtide reads {' and '.join(group.versions)}")

    @contextlib.asynccontextmanager
    async def _turn(self, namespace: str) -> AsyncIterator[None]:
        turns = self._turns.setdefault(namespace, asyncio.Semaphore(OF_EACH))
        self._asking[namespace] += 1
        try:
            async with turns:
                yield
        finally:
            self._asking[namespace] -= 1
            if not self._asking[namespace]:
                del self._asking[namespace], self._turns[namespace]

    async def _get(self, query: Query, into: type[T]) -> T | Failure:
        where = Resource(query.group.name, query.version, query.resource.partition("/")[0], "")
        try:
            async with self._turn(query.namespace):
                body = await self._client.request("GET", where, query.path, query=dict(query.parameters), most=MOST)
            if jsonsize.is_crowded(body):
                many = f"more than {jsonsize.MOST} values in {len(body)} bytes"
                return Failure(Reason.TOO_LARGE, f"{query.path} answered {many}; narrow it down with labels")
            return msgspec.json.decode(body, type=into)
        except errors.KubeError as error:
            return refusal(error, query)
        except errors.UNREADABLE as error:
            return Failure(Reason.PARSE, f"{query.path} answered what is no {into.__name__}: {error}")


async def _fill(answer: "asyncio.Future[T | Failure]", ask: Callable[[], Awaitable[T | Failure]]) -> None:
    try:
        answer.set_result(await ask())
    finally:
        # Cancelled or crashed: nobody may wait for good.
        if not answer.done():
            answer.set_result(Failure(Reason.API, "the request to the metrics API was given up"))


def refusal(error: errors.KubeError, query: Query) -> Failure:
    """What an error of the API server means here, and what to do about it."""
    group, where = query.group, f'namespace "{query.namespace}"'
    match error:
        case errors.Forbidden():
            return Failure(
                Reason.API,
                f"the controller may not {query.verb} {query.resource} of {group.name} in {where}: grant the verb "
                f'"{query.verb}" on resource "{query.resource}" in apiGroup "{group.name}" to its service account',
            )
        case errors.Unauthorized():
            return Failure(Reason.API, "the API server does not accept the controller's credentials")
        case errors.NotFound():
            return Failure(
                Reason.NO_METRIC,
                f"{group.name} has no {query.about} in {where} ({_said(error)}); "
                f"`kubectl get --raw /apis/{group.name}/{query.version}` shows what it has",
            )
        case errors.ServerError(code=503):
            return Failure(
                Reason.API,
                f"{group.server} does not answer: `kubectl get apiservice {query.version}.{group.name}` says why "
                f"({_said(error)})",
            )
        case _:
            return Failure(Reason.API, f"{group.name}, {query.about}: {_said(error)}")


def _said(error: errors.KubeError) -> str:
    return (error.message if isinstance(error, errors.StatusError) else str(error))[:_SHOWN].strip()


def seconds(stamp: datetime | None) -> float:
    """Seconds since 1970; 0 where an API leaves its time stamp out."""
    if stamp is None:
        return 0.0
    # Kubernetes writes UTC; without a zone Python would take the machine's, and fail where that leaves the calendar.
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()


def parameters(**given: str) -> tuple[tuple[str, str], ...]:
    """Query parameters that are not empty."""
    return tuple((name, value) for name, value in given.items() if value)
