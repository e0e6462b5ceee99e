"""Keeps what the autoscalers of a shard remember where the shard's next owner finds it: a failover forgets nothing.

At most the seconds since the last save are lost. The decision core takes those for missed readings, and the current
count for what was recommended meanwhile. Where nothing can be kept, shrinking waits until the windows are full again.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping

from podtide.kube import errors
from podtide.kube.blobs import Blobs
from podtide.kube.client import Client

log = logging.getLogger(__name__)

WITHIN = 3.0
"""Seconds that loading or saving may take: a shard without an owner is worse than one without a past."""


class Keeper:
    """The kept states of every shard."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        """They are in the ConfigMaps `name`-state-SHARD-PART of the namespace."""
        self._client = client
        self._namespace = namespace
        self._name = name
        self._blobs: dict[int, Blobs] = {}
        self._complaint = ""
        self._saving = asyncio.Lock()
        """One save at a time: the periodic one and a last one must not overtake each other."""

    async def load(self, number: int) -> Mapping[str, bytes]:
        """What the last owner of a shard left, by `label` of an autoscaler's uid; empty if that cannot be had."""
        blobs = self._blobs[number] = Blobs(self._client, self._namespace, f"{self._name}-state-{number}")
        try:
            async with asyncio.timeout(WITHIN):
                found = await blobs.load()
        except (errors.KubeError, TimeoutError) as error:
            why = str(error) or "no answer in time"
            self._complain(f"what shard {number} remembers cannot be read, its windows begin empty: {why}")
            return {}
        log.info("shard %d remembers %d autoscalers", number, len(found))
        return found

    async def save(self, number: int, states: Iterable[tuple[str, bytes]], *, permit: Callable[[], bool]) -> bool:
        """Keep the states of a shard's autoscalers, by `label` of the uid; whether that could be done."""
        async with self._saving:
            return await self._save(number, states, permit)

    async def _save(self, number: int, states: Iterable[tuple[str, bytes]], permit: Callable[[], bool]) -> bool:
        blobs = self._blobs.get(number)
        if blobs is None:
            return False
        kept: dict[str, bytes] = {}
        for count, (name, state) in enumerate(states):
            kept[name] = state
            if count % 20 == 19:
                # A thousand take half a second; ticks go on meanwhile.
                await asyncio.sleep(0)
        try:
            async with asyncio.timeout(WITHIN):
                await blobs.save(kept, permit=permit)
        except errors.Withheld:
            return False
        except errors.Conflict:
            # The owner before us wrote once more; what it knows, we know better by now.
            await self.load(number)
            return False
        except (errors.KubeError, TimeoutError) as error:
            why = str(error) or "no answer in time"
            self._complain(f"what shard {number} remembers cannot be kept; a failover will begin anew: {why}")
            return False
        self._complaint = ""
        return True

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            log.warning("%s", text)
        self._complaint = text


def label(uid: str) -> str:
    """An autoscaler's uid as a key of a ConfigMap; one from a file has a uid that is none."""
    return hashlib.blake2b(uid.encode(), digest_size=12).hexdigest()
