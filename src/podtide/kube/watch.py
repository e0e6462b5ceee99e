"""List, then watch, for ever: keeps one cache equal to what the API server holds. Run as a task by `kube.informers`.

A watch that ends is resumed where it was; one that is too old (410), or silent past its own time limit, starts over
with a list. The cache keeps its last state through every outage: what is stale is the decision core's to judge.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from podtide.core.model.spec import Key
from podtide.kube import errors, objects, remedies
from podtide.kube.cache import Cache
from podtide.kube.client import METADATA, Client
from podtide.kube.resources import Resource

log = logging.getLogger(__name__)

W = TypeVar("W", bound=objects.Partial)
T = TypeVar("T")
D = TypeVar("D")

_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


@dataclass(frozen=True, slots=True)
class Kind(Generic[W, T]):
    """What is watched, and what is kept of it."""

    resource: Resource
    wire: type[W]
    """What an object's bytes are decoded as."""
    keep: Callable[[W, bytes], T]
    """What the cache holds of an object, from the decoded and the raw form."""
    metadata_only: bool = False
    """Ask the server to leave out everything but the metadata."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a reflector spends its time, in seconds."""

    watch: float = 300.0
    """The least a watch lasts; up to twice that, drawn, so that a fleet does not come back all at once."""
    resync: float = 1800.0
    """After so long everything is listed anew."""
    first_wait: float = 0.5
    longest_wait: float = 10.0
    """Between tries, from the first failure on, doubling. client-go waits up to 30 s; but a Lease is had again 2 s
    after an outage, and as long as the watches are not, decisions rest on an old view and are refused."""
    longest_relist: float = 30.0
    """The same between lists, which cost more, of a server that keeps no past to watch from."""
    grace: float = 15.0
    """Silence past a watch's own end after which it counts as cut."""


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class Reflector(Generic[W, T]):
    """One kind, of one namespace or of all, kept in one cache."""

    def __init__(
        self,
        client: Client,
        kind: Kind[W, T],
        cache: Cache[T],
        *,
        namespace: str = "",
        pace: Pace = Pace(),
        rng: random.Random | None = None,
    ) -> None:
        self.failure: errors.KubeError | None = None
        """Why nothing new is to be had now; None while all is well."""
        self.listed = asyncio.Event()
        """Set once the first list is in the cache."""
        self._client = client
        self._kind = kind
        self._resource = kind.resource
        self._cache = cache
        self._namespace = namespace
        self._pace = pace
        self._rng = rng or random.Random()  # noqa: S311  (jitter)
        self._version = ""
        self._listed_at = 0.0
        self._failures = 0
        self._left_out = 0
        """Objects that could not be read."""
        self._gone = 0
        """How often in a row a watch was too old before it told of anything."""
        self._object = msgspec.json.Decoder(kind.wire)
        self._event = msgspec.json.Decoder(_Event)
        self._metadata = msgspec.json.Decoder(objects.Partial)

    async def run(self) -> None:
        """Keep the cache true until cancelled."""
        while True:
            try:
                await self._list_when_due()
                await self._watch()
            except errors.Gone:
                log.debug("the watch of %s is too old; listing anew", self._resource.name)
                self._version = ""
                self._gone += 1
                if self._gone > 1:
                    # One is a watch that slept too long; the next at once is a server that keeps no past.
                    await asyncio.sleep(self._pause(self._gone - 1, self._pace.longest_relist))
            except errors.KubeError as error:
                self._failures += 1
                self._report(error)
                if isinstance(error, errors.NotFound | errors.Forbidden | errors.Invalid):
                    self._version = ""
                await asyncio.sleep(self._wait(error))

    async def _list_when_due(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._version and now - self._listed_at < self._pace.resync:
            return
        accept = _METADATA_LIST if self._kind.metadata_only else None
        found, version = await self._client.list(self._resource, self._namespace, into=msgspec.Raw, accept=accept)
        items: dict[Key, T] = {}
        for count, raw in enumerate(found):
            try:
                key, item, _ = self._read(bytes(raw))
            except errors.ServerError as error:
                self._leave_out(bytes(raw), error, items)
            else:
                items[key] = item
            if count % 500 == 499:
                # Ten thousand pods are a third of a second; others go on meanwhile.
                await asyncio.sleep(0)
        self._cache.replace(items, namespace=self._namespace)
        self._version, self._listed_at = version, now
        self._well()
        self.listed.set()

    async def _watch(self) -> None:
        """Apply events until the server ends the watch."""
        lasts = self._pace.watch * (1 + self._rng.random())
        query = {
            "watch": "true",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, round(lasts))),
        }
        accept = METADATA if self._kind.metadata_only else None
        path = self._resource.path(self._namespace)
        started = asyncio.get_running_loop().time()
        async with self._client.stream(
            self._resource, path, query=query, silence=lasts + self._pace.grace, accept=accept
        ) as lines:
            async for line in lines:
                self._apply(line)
                self._well()
                self._gone = 0
        if asyncio.get_running_loop().time() - started < self._pace.first_wait:
            # A server that ends every watch at once is not to be asked in a tight loop.
            await asyncio.sleep(self._pace.first_wait)

    def _apply(self, line: bytes) -> None:
        try:
            event = self._event.decode(line)
        except RecursionError as error:
            # Somebody's object is nested deeper than anything that is read; the next event goes on from here.
            self._leave_out(b"", error, {})
            return
        except errors.UNREADABLE as error:
            raise self._malformed(error) from error
        body = bytes(event.object)
        if event.type == "ERROR":
            raise errors.from_status(0, body)
        if event.type == "BOOKMARK":
            self._version = self._decode(self._metadata, body).metadata.resourceVersion
            return
        if event.type == "DELETED":
            meta = self._decode(self._metadata, body).metadata
            self._cache.drop(Key(meta.namespace, meta.name))
            self._version = meta.resourceVersion
            return
        try:
            key, item, version = self._read(body)
        except errors.ServerError as error:
            self._leave_out(body, error, {})
            return
        self._cache.put(key, item)
        self._version = version

    def _leave_out(self, body: bytes, error: Exception, items: dict[Key, T]) -> None:
        """One object that cannot be read is as it was before, if it was; it must not keep others from being seen."""
        what = "an object"
        with contextlib.suppress(*errors.UNREADABLE):
            meta = self._metadata.decode(body).metadata
            key = Key(meta.namespace, meta.name)
            what = str(key)
            known = self._cache.get(key)
            if known is not None:
                items[key] = known
        if self._left_out % 100 == 0:
            log.warning("%s of %s cannot be read and is left as it was: %s", what, self._resource.name, error)
        self._left_out += 1

    def _read(self, body: bytes) -> tuple[Key, T, str]:
        wire = self._decode(self._object, body)
        meta = wire.metadata
        try:
            kept = self._kind.keep(wire, body)
        except (*errors.UNREADABLE, ValueError) as error:
            raise self._malformed(error) from error
        return Key(meta.namespace, meta.name), kept, meta.resourceVersion

    def _decode(self, decoder: "msgspec.json.Decoder[D]", body: bytes) -> "D":
        try:
            return decoder.decode(body)
        except errors.UNREADABLE as error:
            raise self._malformed(error) from error

    def _malformed(self, error: Exception) -> errors.KubeError:
        return errors.ServerError(500, "Malformed", f"{self._resource.name}: {error}")

    def _well(self) -> None:
        if self.failure is not None:
            log.info("watching %s again", self._resource.name)
        self.failure, self._failures = None, 0

    def _report(self, error: errors.KubeError) -> None:
        """Say so at first, and now and then, not with every try."""
        if type(self.failure) is not type(error) or self._failures % 20 == 0:
            log.warning(
                "cannot watch %s: %s; trying again", self._resource.name, remedies.advised(error, self._resource)
            )
        self.failure = error

    def _wait(self, error: errors.KubeError) -> float:
        asked = error.retry_after if isinstance(error, errors.StatusError) else None
        return max(self._pause(self._failures, self._pace.longest_wait), asked or 0.0)

    def _pause(self, tries: int, longest: float) -> float:
        doubled = self._pace.first_wait * 2.0 ** min(tries - 1, 16)
        return min(doubled, longest) * self._rng.uniform(0.5, 1.0)
