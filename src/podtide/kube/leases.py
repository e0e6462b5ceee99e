"""One Lease, held by at most one replica: leader election, and one shard's ownership. Run by `control.ownership`.

The rule that makes it safe: a holder counts its right from the moment it *sent* the renewal that succeeded, and gives
up `margin` seconds before anybody else may take the Lease over; another counts from the moment it *saw* the Lease
change. No clock is compared with another machine's.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from podtide.kube import errors, objects, resources
from podtide.kube.client import Client

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """The three times of a Lease in seconds; client-go's defaults."""

    duration: float = 15.0
    """How long a Lease lasts that nobody renews."""
    deadline: float = 10.0
    """How long after its last good renewal a holder goes on acting; shorter than `duration`."""
    retry: float = 2.0
    """Between two tries."""


class _Spec(msgspec.Struct, frozen=True):
    holderIdentity: str | None = None  # noqa: N815
    leaseDurationSeconds: int | None = None  # noqa: N815
    acquireTime: str | None = None  # noqa: N815
    renewTime: str | None = None  # noqa: N815
    leaseTransitions: int | None = None  # noqa: N815


class _Lease(objects.Partial, frozen=True):
    spec: _Spec = _Spec()


class Lease:
    """One Lease, as one replica competes for it."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        *,
        timing: Timing = Timing(),
        changed: Callable[[bool], None],
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        """`changed` is told when the Lease is won and when it is lost, the latter before anybody else can win it."""
        self.name = name
        self.holder = ""
        """Who holds it, as last seen."""
        self._client = client
        self._namespace = namespace
        self._identity = identity
        self._timing = timing
        self._changed = changed
        self._monotonic = monotonic
        self._wall = wall
        self._rng = rng or random.Random()  # noqa: S311  (jitter)
        self._until = float("-inf")
        self._held = False
        self._seen: tuple[str, float] = ("", float("-inf"))
        """The Lease's resourceVersion, and when we first saw it."""

    def is_held(self) -> bool:
        """Whether we may act on it at this very moment."""
        return self._monotonic() < self._until

    async def run(self) -> None:
        """Compete for the Lease, renew it, and give it up when cancelled."""
        try:
            while True:
                await self._try()
                await self._pause()
        finally:
            await asyncio.shield(self._release())

    async def _pause(self) -> None:
        """Until the next try; a Lease that runs out meanwhile is lost in time."""
        wait = self._timing.retry * self._rng.uniform(0.8, 1.2)
        if self._held:
            left = self._until - self._monotonic()
            if left < wait:
                await asyncio.sleep(max(0.0, left))
                self._settle()
                wait -= max(0.0, left)
        await asyncio.sleep(max(0.0, wait))
        self._settle()

    async def _try(self) -> None:
        """One try to take or renew the Lease, never longer than what is left of it."""
        sent = self._monotonic()
        budget = self._until - sent if self._held else self._timing.deadline
        try:
            async with asyncio.timeout(max(0.05, min(budget, self._timing.deadline / 2))):
                won = await self._take()
        except (errors.KubeError, TimeoutError) as error:
            log.debug("lease %s: %s", self.name, error)
        else:
            self._until = sent + self._timing.deadline if won else float("-inf")
        self._settle()

    async def _take(self) -> bool:
        try:
            lease = await self._client.get(resources.LEASES, self._namespace, self.name, into=_Lease)
        except errors.NotFound:
            return await self._write(None, transitions=0)
        holder = lease.spec.holderIdentity or ""
        self.holder = holder
        version = lease.metadata.resourceVersion
        if version != self._seen[0]:
            self._seen = (version, self._monotonic())
        lasts = lease.spec.leaseDurationSeconds or self._timing.duration
        if holder not in ("", self._identity) and self._monotonic() < self._seen[1] + lasts:
            return False
        transitions = (lease.spec.leaseTransitions or 0) + (holder != self._identity)
        return await self._write(lease, transitions=transitions)

    async def _write(self, lease: _Lease | None, *, transitions: int) -> bool:
        now = self._stamp()
        acquired = lease.spec.acquireTime if lease and lease.spec.holderIdentity == self._identity else now
        body = self._body(lease, self._identity, acquired or now, self._timing.duration, transitions)
        try:
            if lease is None:
                written = await self._client.create(resources.LEASES, self._namespace, body, into=_Lease)
            else:
                written = await self._client.replace(resources.LEASES, self._namespace, self.name, body, into=_Lease)
        except errors.Conflict:
            return False
        self._seen = (written.metadata.resourceVersion, self._monotonic())
        self.holder = self._identity
        return True

    async def _release(self) -> None:
        """Let the next replica take over at once."""
        held, self._until = self.is_held(), float("-inf")
        self._settle()
        if not held:
            return
        try:
            async with asyncio.timeout(self._timing.retry):
                lease = await self._client.get(resources.LEASES, self._namespace, self.name, into=_Lease)
                if lease.spec.holderIdentity == self._identity:
                    body = self._body(lease, "", self._stamp(), 1, lease.spec.leaseTransitions or 0)
                    await self._client.replace(resources.LEASES, self._namespace, self.name, body, into=_Lease)
        except (errors.KubeError, TimeoutError) as error:
            log.info("lease %s was not released and will run out: %s", self.name, error)

    def _body(
        self, lease: _Lease | None, holder: str, acquired: str, duration: float, transitions: int
    ) -> dict[str, Any]:
        metadata = {"name": self.name, "namespace": self._namespace}
        if lease is not None:
            metadata["resourceVersion"] = lease.metadata.resourceVersion
        return {
            "apiVersion": resources.LEASES.api_version,
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": round(duration),
                "acquireTime": acquired,
                "renewTime": self._stamp(),
                "leaseTransitions": transitions,
            },
        }

    def _stamp(self) -> str:
        return datetime.fromtimestamp(self._wall(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _settle(self) -> None:
        """Tell of a change."""
        held = self.is_held()
        if held != self._held:
            self._held = held
            log.info("%s lease %s", "holding" if held else "no longer holding", self.name)
            self._changed(held)
