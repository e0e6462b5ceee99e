"""Which replicas of the controller live: each renews a Lease of its own, and lists those of the others.

`control.ownership` shares the shards out among them. Nothing depends on it for safety, which is the shards' Leases'
alone: a member that is wrongly thought dead or alive costs balance, never a second writer.
"""

import asyncio
import hashlib
import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from podtide.kube import errors, resources
from podtide.kube.client import Client
from podtide.kube.leases import LeaseObject, Timing, elapsed, stamp

log = logging.getLogger(__name__)

_LABEL = "podtide.dev/member-of"
_FORGET = 40
"""Lease durations after which the Lease of a member that died is deleted by whoever sees it."""


@dataclass(frozen=True, slots=True)
class _Seen:
    name: str
    """The Lease's."""
    version: str
    at: float
    """When this version was first seen."""


class Members:
    """The replicas of one controller, as one of them sees them."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        group: str,
        identity: str,
        *,
        timing: Timing = Timing(),
        noticed: Callable[[], None],
        monotonic: Callable[[], float] = elapsed,
        wall: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        """`group` is what the replicas have in common; `noticed` is called when one comes or goes."""
        self._client = client
        self._namespace = namespace
        self._group = group
        self.identity = identity
        """Who we are."""
        self._timing = timing
        self._noticed = noticed
        self._monotonic = monotonic
        self._wall = wall
        self._rng = rng or random.Random()  # noqa: S311  (jitter)
        digest = hashlib.blake2b(identity.encode(), digest_size=5).hexdigest()
        self._name = f"{group}-member-{digest}"
        self._seen: dict[str, _Seen] = {}
        self._complained = False

    def alive(self) -> list[str]:
        """The replicas that renewed lately; without the right to list them, nobody but us."""
        now = self._monotonic()
        return [identity for identity, seen in self._seen.items() if now - seen.at < self._timing.duration]

    async def look(self) -> None:
        """Renew our own Lease and list the others', once."""
        before = set(self.alive())
        try:
            async with asyncio.timeout(self._timing.deadline / 2):
                await self._renew()
                await self._list()
        except (errors.KubeError, TimeoutError) as error:
            if isinstance(error, errors.Forbidden) and not self._complained:
                self._complained = True
                log.warning("replicas cannot be told apart, so shards are not spread evenly: %s", error)
            log.debug("members: %s", error)
        if set(self.alive()) != before:
            self._noticed()

    async def run(self) -> None:
        """Look until cancelled, then leave."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(self._timing.retry * self._rng.uniform(0.8, 1.2))
        finally:
            await asyncio.shield(self._leave())

    async def _renew(self) -> None:
        body = {
            "apiVersion": resources.LEASES.api_version,
            "kind": "Lease",
            "metadata": {
                "name": self._name,
                "namespace": self._namespace,
                "labels": {_LABEL: self._group},
            },
            "spec": {
                "holderIdentity": self.identity,
                "leaseDurationSeconds": math.ceil(self._timing.duration),
                "renewTime": stamp(self._wall()),
            },
        }
        try:
            await self._client.patch(resources.LEASES, self._namespace, self._name, body, into=LeaseObject)
        except errors.NotFound:
            await self._client.create(resources.LEASES, self._namespace, body, into=LeaseObject)

    async def _list(self) -> None:
        found, _ = await self._client.list(
            resources.LEASES, self._namespace, into=LeaseObject, labelSelector=f"{_LABEL}={self._group}"
        )
        now = self._monotonic()
        listed: dict[str, _Seen] = {}
        for lease in found:
            identity, version = lease.spec.holderIdentity or "", lease.metadata.resourceVersion
            known = self._seen.get(identity)
            at = known.at if known is not None and known.version == version else now
            listed[identity] = _Seen(lease.metadata.name, version, at)
        self._seen = listed
        for seen in listed.values():
            if now - seen.at > _FORGET * self._timing.duration:
                await self._client.delete(resources.LEASES, self._namespace, seen.name)

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(self._timing.retry):
                await self._client.delete(resources.LEASES, self._namespace, self._name)
        except (errors.KubeError, TimeoutError) as error:
            log.debug("lease %s was not deleted and will run out: %s", self._name, error)
