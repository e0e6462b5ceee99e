"""One Lease, held by at most one replica: leader election, and one shard's ownership. Run by `control.ownership`.

The rule that makes it safe: a holder counts its right from the moment it *sent* the renewal that succeeded, and gives
up `margin` seconds before anybody else may take the Lease over; another counts from the moment it *saw* the Lease
change. No clock is compared with another machine's.
"""

import asyncio
import contextlib
import logging
import math
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


def elapsed() -> float:
    """Seconds since boot, those asleep included: a machine that was suspended must not believe in its Leases."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def stamp(wall: float) -> str:
    """A time as Leases write it, for people to read; nothing here is decided by it."""
    return datetime.fromtimestamp(wall, UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class _Spec(msgspec.Struct, frozen=True):
    holderIdentity: str | None = None
    leaseDurationSeconds: int | None = None
    acquireTime: str | None = None
    renewTime: str | None = None
    leaseTransitions: int | None = None


class LeaseObject(objects.Partial, frozen=True):
    """A Lease as it is stored."""

    spec: _Spec = _Spec()


def _ignore() -> None:
    """Nobody wants to know."""


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
        noticed: Callable[[], None] = _ignore,
        shared: bool = False,
        monotonic: Callable[[], float] = elapsed,
        wall: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        """`changed` is told when the Lease is won and when it is lost, the latter before anybody else can win it.

        `noticed` is called when another holder, or none, is seen. A `shared` Lease is held together by all who have
        this identity: one of them that ends leaves it to the others.
        """
        self.name = name
        self.holder = ""
        """Who holds it, as last seen."""
        self.is_known = False
        """Whether it has been looked at since we began."""
        self._wanted = True
        self._nudge = asyncio.Event()
        self._asking = asyncio.Lock()
        """Held while the Lease is taken, renewed or released, so that none of these overtakes another."""
        self._noticed = noticed
        self._shared = shared
        self._lasts = timing.duration
        self._client = client
        self._namespace = namespace
        self._identity = identity
        self._timing = timing
        self._changed = changed
        self._monotonic = monotonic
        self._wall = wall
        self._rng = rng or random.Random()  # noqa: S311  (jitter)
        self._complaint: type[Exception] | None = None
        self._until = float("-inf")
        self._held = False
        self._sent = float("-inf")
        """When the last try began."""
        self._mine: LeaseObject | None = None
        """What our last write was answered: nobody else writes a Lease that is held, so one request renews it."""
        self._seen: tuple[str, float] = ("", float("-inf"))
        """The Lease's resourceVersion, and when we first saw it."""

    def is_held(self) -> bool:
        """Whether we may act on it at this very moment."""
        return self._monotonic() < self._until

    def free_for(self) -> float | None:
        """Seconds since which anybody may take it, as far as we have seen; None while somebody holds it."""
        if not self.is_known or self.is_held():
            return None
        # One that we lost is still ours to renew, as long as nobody else takes it.
        since = self._seen[1] + (0.0 if self.holder in ("", self._identity) else self._lasts)
        free = self._monotonic() - since
        return free if free >= 0 else None

    def want(self, wanted: bool) -> None:
        """Whether to take it when it is free. One that is held is renewed until `resign`."""
        if wanted and not self._wanted:
            self._nudge.set()
        self._wanted = wanted

    async def resign(self) -> None:
        """Give it up, for another to take at once, and do not want it for now."""
        self._wanted = False
        await self._release()

    async def run(self) -> None:
        """Compete for the Lease, renew it, and give it up when cancelled."""
        try:
            while True:
                await self._try()
                await self._pause()
        finally:
            if not self._shared:
                await asyncio.shield(self._release())
            self._until = float("-inf")

    async def _pause(self) -> None:
        """Until the next try; a Lease that runs out meanwhile is lost in time."""
        # From the beginning of a try to that of the next: with slow answers a pause between them would cost the Lease.
        wait = max(0.0, self._sent + self._timing.retry * self._rng.uniform(0.8, 1.2) - self._monotonic())
        if self._held:
            left = self._until - self._monotonic()
            if left < wait:
                await asyncio.sleep(max(0.0, left))
                self._settle()
                wait -= max(0.0, left)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, wait)):
                await self._nudge.wait()
        self._nudge.clear()
        self._settle()

    async def _try(self) -> None:
        """One try to take or renew the Lease, never longer than what is left of it."""
        async with self._asking:
            await self._try_alone()

    async def _try_alone(self) -> None:
        sent = self._sent = self._monotonic()
        if self._held:
            # At most half, so that after a request that hangs there is time for another.
            budget = min(self._until - sent, self._timing.deadline / 2)
        else:
            # What is won later than this could hardly be renewed in time.
            budget = 0.75 * self._timing.deadline
        try:
            async with asyncio.timeout(max(0.05, budget)):
                won = await self._take()
        except (errors.KubeError, TimeoutError) as error:
            self._complain(error)
        else:
            self._complaint = None
            self._until = sent + self._timing.deadline if won else float("-inf")
        self._settle()

    def _complain(self, error: Exception) -> None:
        """Say so at first, not with every try: without its Lease a replica does nothing, which is not to be silent."""
        if type(error) is not self._complaint:
            why = str(error) or "no answer in time"
            log.warning("cannot take or renew lease %s/%s: %s; trying again", self._namespace, self.name, why)
            self._complaint = type(error)

    async def _take(self) -> bool:
        if self._mine is not None and self.is_held() and not self._shared:
            with contextlib.suppress(errors.Conflict, errors.NotFound):
                return await self._write(self._mine, transitions=self._mine.spec.leaseTransitions or 0)
            # Somebody has written or deleted it all the same, or a write of ours was carried out without an answer.
            self._mine = None
        return await self._look_and_take()

    async def _look_and_take(self) -> bool:
        try:
            lease = await self._client.get(resources.LEASES, self._namespace, self.name, into=LeaseObject)
        except errors.NotFound:
            self._see("", "", self._timing.duration)
            return await self._write(None, transitions=0) if self._wanted else False
        holder = lease.spec.holderIdentity or ""
        self._see(holder, lease.metadata.resourceVersion, lease.spec.leaseDurationSeconds or self._timing.duration)
        if holder not in ("", self._identity) and self._monotonic() < self._seen[1] + self._lasts:
            return False
        if not self._wanted and not self.is_held():
            # Also one that says it is ours: it was lost, and others may have it.
            return False
        transitions = (lease.spec.leaseTransitions or 0) + (holder != self._identity)
        return await self._write(lease, transitions=transitions)

    def _see(self, holder: str, version: str, lasts: float) -> None:
        if version != self._seen[0] or not self.is_known:
            self._seen = (version, self._monotonic())
        before, self.holder, self._lasts = self.holder, holder, lasts
        news = before != holder or not self.is_known
        self.is_known = True
        if news:
            if holder not in ("", self._identity):
                # Else the log of a replica that stands by would end with its start.
                log.info("lease %s is held by %s", self.name, holder)
            self._noticed()

    async def _write(self, lease: LeaseObject | None, *, transitions: int) -> bool:
        now = self._stamp()
        acquired = lease.spec.acquireTime if lease and lease.spec.holderIdentity == self._identity else now
        body = self._body(lease, self._identity, acquired or now, self._timing.duration, transitions)
        try:
            if lease is None:
                written = await self._client.create(resources.LEASES, self._namespace, body, into=LeaseObject)
            else:
                written = await self._client.replace(
                    resources.LEASES, self._namespace, self.name, body, into=LeaseObject
                )
        except errors.Conflict:
            if self._shared:
                return await self._is_renewed_by_another()
            if self.is_held():
                # Somebody wrote between our look and our write. Whom it belongs to, the next look shows; until then our
                # right is what it was, and soon at its end.
                raise
            return False
        self._seen = (written.metadata.resourceVersion, self._monotonic())
        self._mine = written
        self.holder = self._identity
        return True

    async def _is_renewed_by_another(self) -> bool:
        """Whether what overtook our write was a renewal of our kind: it was made after we had looked, so it counts."""
        lease = await self._client.get(resources.LEASES, self._namespace, self.name, into=LeaseObject)
        self._see(lease.spec.holderIdentity or "", lease.metadata.resourceVersion, self._lasts)
        return self.holder == self._identity

    async def _release(self) -> None:
        """Let the next replica take over at once."""
        async with self._asking:
            await self._release_alone()

    async def _release_alone(self) -> None:
        held, self._until, self._mine = self.is_held(), float("-inf"), None
        self._settle()
        if not held:
            return
        try:
            async with asyncio.timeout(self._timing.retry):
                lease = await self._client.get(resources.LEASES, self._namespace, self.name, into=LeaseObject)
                if lease.spec.holderIdentity == self._identity:
                    body = self._body(lease, "", self._stamp(), 1, lease.spec.leaseTransitions or 0)
                    freed = await self._client.replace(
                        resources.LEASES, self._namespace, self.name, body, into=LeaseObject
                    )
                    self._see("", freed.metadata.resourceVersion, self._timing.duration)
        except (errors.KubeError, TimeoutError) as error:
            log.info("lease %s was not released and will run out: %s", self.name, error)

    def _body(
        self, lease: LeaseObject | None, holder: str, acquired: str, duration: float, transitions: int
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
                "leaseDurationSeconds": math.ceil(duration),
                "acquireTime": acquired,
                "renewTime": self._stamp(),
                "leaseTransitions": transitions,
            },
        }

    def _stamp(self) -> str:
        return stamp(self._wall())

    def _settle(self) -> None:
        """Tell of a change."""
        held = self.is_held()
        if held != self._held:
            self._held = held
            log.info("%s lease %s", "holding" if held else "no longer holding", self.name)
            self._changed(held)
