"""One watch per kind and namespace, however many read it: starts reflectors at first use. Made by `control.app`."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from podtide.kube import errors
from podtide.kube.cache import Cache
from podtide.kube.client import Client
from podtide.kube.resources import Resource
from podtide.kube.watch import Kind, Pace, Reflector, W

T = TypeVar("T")

_Form = tuple[Resource, type[Any]]
"""What is watched, and as what it is decoded: ReplicaSets are watched for their owners, whole where one is scaled."""


class Informers:
    """The caches of one process. Reflectors run as tasks of the group that was given, and end with it."""

    def __init__(
        self,
        client: Client,
        group: asyncio.TaskGroup,
        *,
        namespaces: Sequence[str] = (),
        pace: Pace = Pace(),
        rng: random.Random | None = None,
    ) -> None:
        """`namespaces`: those to watch; none means all of them, with one watch per kind."""
        self.client = client
        self._group = group
        self._namespaces = tuple(namespaces) or ("",)
        self._pace = pace
        self._rng = rng
        self._caches: dict[_Form, Cache[Any]] = {}
        self._reflectors: dict[_Form, list[Reflector[Any, Any]]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def cache(self, kind: Kind[W, T], **indexes: Callable[[T], Iterable[str]]) -> Cache[T]:
        """The cache of a kind; the first call starts its watches and settles its indexes."""
        known = self._caches.get(_form(kind))
        if known is not None:
            return known
        cache: Cache[T] = Cache(**indexes)
        reflectors = [
            Reflector(self.client, kind, cache, namespace=namespace, pace=self._pace, rng=self._rng)
            for namespace in self._namespaces
        ]
        self._caches[_form(kind)] = cache
        self._reflectors[_form(kind)] = reflectors
        for reflector in reflectors:
            self._tasks.append(self._group.create_task(reflector.run(), name=f"watch {kind.resource.name}"))
        self._tasks.append(self._group.create_task(_sync(cache, reflectors), name=f"sync {kind.resource.name}"))
        return cache

    def stop(self) -> None:
        """End every watch."""
        for task in self._tasks:
            task.cancel()

    def failure(self, resource: Resource) -> errors.KubeError | None:
        """Why a kind cannot be watched now, if so."""
        reflectors = (r for form, found in self._reflectors.items() if form[0] == resource for r in found)
        return next((r.failure for r in reflectors if r.failure is not None), None)

    async def listed(self, kind: Kind[Any, Any], *, within: float) -> None:
        """Wait for the first list of a kind whose cache there is, unless its watch is known to fail.

        Raises:
            KubeError: why there is none, or that none came `within` so many seconds.
        """
        synced, resource = self._caches[_form(kind)].synced, kind.resource
        if synced.is_set():
            return
        if self.failure(resource) is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await synced.wait()
        if not synced.is_set():
            raise self.failure(resource) or errors.Unreachable(f"no list of {resource.name} within {within:g} s")

    def synced(self) -> bool:
        """Whether every cache has had its first list, or cannot have it for want of rights or of the API."""
        return all(
            cache.synced.is_set() or isinstance(self.failure(form[0]), errors.Forbidden | errors.NotFound)
            for form, cache in self._caches.items()
        )


async def _sync(cache: Cache[Any], reflectors: Iterable[Reflector[Any, Any]]) -> None:
    for reflector in reflectors:
        await reflector.listed.wait()
    cache.synced.set()


def _form(kind: Kind[Any, Any]) -> _Form:
    return kind.resource, kind.wire
