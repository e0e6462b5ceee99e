"""PodAutoscalers from the API server, by the watch of `kube.informers`."""

import asyncio
from collections.abc import AsyncIterator

from podtide.api.settings import Settings
from podtide.control.feeds import base
from podtide.control.feeds.base import Change, Remove, Seen, Upsert
from podtide.core.model.spec import Key
from podtide.kube.cache import Cache
from podtide.kube.informers import Informers
from podtide.kube.kinds import AUTOSCALERS, Manifest

AT_ONCE = 32
"""Changes told between two turns of the loop. One may take a millisecond, and after an upgrade thousands come."""
BURST = 5
"""Edits of one object that are told at once."""
PACE = 1.0
"""Seconds for each further one, of which only the newest counts: every edit is read anew, begins a worker and writes a
status, and somebody's script may make a hundred in a second."""
_REMEMBERED = 1024
"""Objects whose edits are counted, above which those that have been left alone are forgotten."""


class CrdFeed:
    """Tells of an autoscaler when its spec or its annotations change, not when we write its status."""

    def __init__(self, informers: Informers, settings: Settings) -> None:
        self._settings = settings
        self._cache: Cache[Manifest] = informers.cache(AUTOSCALERS)
        self._changed: dict[Key, Manifest | None] = {}
        """The newest state of what has changed, in the order of the first change."""
        self._held: dict[Key, Manifest] = {}
        """The newest state of what is edited too often to be told of at once."""
        self._spent: dict[Key, float] = {}
        """When the edits that were told of will be paid for."""
        self._most_spent = _REMEMBERED
        self._wake = asyncio.Event()
        self._is_telling = False
        self._told: dict[Key, tuple[str, int, dict[str, str] | None]] = {}
        self._cache.subscribe(self._see)

    async def changes(self) -> AsyncIterator[Change]:
        """Every autoscaler, then every change of one."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._is_telling = True
            self._changed |= {key: held for key, held in self._held.items() if key not in self._changed}
            self._held.clear()
            number = 0
            while self._changed:
                key = next(iter(self._changed))
                change = self._change(key, self._changed.pop(key))
                number += 1
                if change is not None:
                    yield change
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
            if self._held:
                loop = asyncio.get_running_loop()
                loop.call_at(min(self._spent[key] for key in self._held) - (BURST - 1) * PACE, self._wake.set)
            self._is_telling = False

    def is_synced(self) -> bool:
        """Whether the first list has been told in full."""
        return self._cache.synced.is_set() and not self._is_telling and not self._changed

    def seen(self, key: Key) -> Seen:
        """The status as the watch shows it."""
        manifest = self._cache.get(key)
        if manifest is None:
            return Seen()
        return Seen(manifest.body.get("status") or {}, manifest.metadata.resourceVersion)

    def _see(self, key: Key, manifest: Manifest | None) -> None:
        self._changed[key] = manifest
        self._wake.set()

    def _change(self, key: Key, manifest: Manifest | None) -> Change | None:
        self._held.pop(key, None)
        if manifest is None:
            return Remove(key) if self._told.pop(key, None) else None
        meta = manifest.metadata
        seen = (meta.uid, meta.generation, meta.annotations)
        if self._told.get(key) == seen:
            return None
        if not self._may_tell(key):
            self._held[key] = manifest
            return None
        self._told[key] = seen
        return Upsert(key, meta, base.read(key, manifest.body, self._settings), manifest.body.get("status") or {})

    def _may_tell(self, key: Key) -> bool:
        now = asyncio.get_running_loop().time()
        paid = max(now, self._spent.get(key, now))
        if paid - now > (BURST - 1) * PACE + 1e-9:
            return False
        if len(self._spent) > self._most_spent:
            self._spent = {known: until for known, until in self._spent.items() if until > now}
            self._most_spent = max(_REMEMBERED, 2 * len(self._spent))
        self._spent[key] = paid + PACE
        return True
