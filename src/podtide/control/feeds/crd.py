"""PodAutoscalers from the API server, by the watch of `kube.informers`."""

import asyncio
from collections.abc import AsyncIterator

from podtide.aio.mailbox import Mailbox
from podtide.api.settings import Settings
from podtide.control.feeds import base
from podtide.control.feeds.base import Change, Remove, Seen, Upsert
from podtide.core.model.spec import Key
from podtide.kube.cache import Cache
from podtide.kube.informers import Informers
from podtide.kube.kinds import AUTOSCALERS, Manifest

AT_ONCE = 32
"""Changes told between two turns of the loop. One may take a millisecond, and after an upgrade thousands come."""


class CrdFeed:
    """Tells of an autoscaler when its spec or its annotations change, not when we write its status."""

    def __init__(self, informers: Informers, settings: Settings) -> None:
        self._settings = settings
        self._cache: Cache[Manifest] = informers.cache(AUTOSCALERS)
        self._changes: Mailbox[tuple[Key, Manifest | None]] = Mailbox(capacity=1_000_000)
        self._is_telling = False
        self._told: dict[Key, tuple[str, int, dict[str, str] | None]] = {}
        self._cache.subscribe(lambda key, manifest: self._changes.put((key, manifest)))

    async def changes(self) -> AsyncIterator[Change]:
        """Every autoscaler, then every change of one."""
        while True:
            await self._changes.wake.wait()
            self._is_telling = True
            for number, (key, manifest) in enumerate(self._changes.drain(), 1):
                change = self._change(key, manifest)
                if change is not None:
                    yield change
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
            self._is_telling = False

    def is_synced(self) -> bool:
        """Whether the first list has been told in full."""
        return self._cache.synced.is_set() and not self._is_telling and not len(self._changes)

    def seen(self, key: Key) -> Seen:
        """The status as the watch shows it."""
        manifest = self._cache.get(key)
        if manifest is None:
            return Seen()
        return Seen(manifest.body.get("status") or {}, manifest.metadata.resourceVersion)

    def _change(self, key: Key, manifest: Manifest | None) -> Change | None:
        if manifest is None:
            return Remove(key) if self._told.pop(key, None) else None
        meta = manifest.metadata
        seen = (meta.uid, meta.generation, meta.annotations)
        if self._told.get(key) == seen:
            return None
        self._told[key] = seen
        return Upsert(key, meta, base.read(key, manifest.body, self._settings), manifest.body.get("status") or {})
