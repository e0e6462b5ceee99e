"""Starts, restarts and stops a worker per autoscaler that this replica owns. One worker's crash touches no other."""

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from podtide.aio import tasks
from podtide.aio.clock import Clock
from podtide.control import heritage, keeper
from podtide.control.feeds.base import Change, Feed, Remove, Upsert
from podtide.control.keeper import Keeper
from podtide.control.ownership import Ownership
from podtide.control.report import Reports
from podtide.control.worker import Worker
from podtide.core.memory import Memory
from podtide.core.model.spec import AutoscalerSpec, Endpoint, Key, PodPage, Query
from podtide.sources.registry import Sources
from podtide.targets.registry import Targets
from podtide.telemetry.meters import Meters
from podtide.telemetry.record import Tapes

log = logging.getLogger(__name__)

TELL_WITHIN = 3.0
"""Seconds that the last statuses get when a shard is handed over."""
STOP_WITHIN = 6.0
"""Seconds that a worker gets to finish its tick, a patch in flight among it, before it is cancelled."""


@dataclass(slots=True)
class _Member:
    """One valid autoscaler."""

    upsert: Upsert
    spec: AutoscalerSpec
    shard: int
    memory: Memory | None = None
    worker: Worker | None = None
    task: asyncio.Task[None] | None = None
    ticked_at: float | None = None
    """When its last worker began its last tick."""


class Fleet:
    """Every autoscaler of the feed, and the workers of those that are ours. It serves `ownership.Shards`."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        feed: Feed,
        ownership: Ownership,
        targets: Targets,
        sources: Sources,
        reports: Reports,
        *,
        keeper: Keeper | None,
        keep_every: float,
        clock: Clock,
        meters: Meters,
        rng: random.Random,
        insecure_skip_verify: bool = False,
        tapes: Tapes | None = None,
    ) -> None:
        """Workers run as tasks of `group`. What they remember is kept every `keep_every` seconds.

        `insecure_skip_verify` is what holds for sources that say nothing; `tapes` are what workers record on.
        """
        self._group = group
        self._feed = feed
        self._ownership = ownership
        self._targets = targets
        self._sources = sources
        self._reports = reports
        self._keeper = keeper
        self._keep_every = keep_every
        self._clock = clock
        self._meters = meters
        self._rng = rng
        self._insecure_skip_verify = insecure_skip_verify
        self._tapes = tapes
        self._members: dict[Key, _Member] = {}
        self._invalid: dict[Key, Upsert] = {}
        self._endings: dict[Key, asyncio.Task[None]] = {}
        """The end of each name's last worker, which the next one waits for: they may share a memory or a target."""
        self._kept: dict[int, dict[str, bytes]] = {}
        """The shards that are ours, and what their last owner left and nobody has taken up yet."""
        self._terms: Counter[int] = Counter()
        """How often a shard was won or lost: what is loaded in one term must not be begun with in the next."""
        self._active = 0
        self._is_ending = False
        ownership.serve(self)

    async def run(self) -> None:
        """Follow the feed until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="feed")
            if self._keeper is not None:
                group.create_task(self._keep_all(), name="keeper")

    async def stop(self) -> None:
        """Let every worker finish its tick, keep what it remembers, and end."""
        self._is_ending = True
        await asyncio.gather(*(self.hand_over(number) for number in tuple(self._kept)))
        if self._endings:
            await asyncio.wait(self._endings.values())

    # --- shards -------------------------------------------------------------------------------------------------------

    def open(self, number: int) -> None:
        """A shard is ours now: go on where its last owner stopped."""
        self._terms[number] += 1
        self._group.create_task(self._open(number, self._terms[number]), name=f"open shard {number}")

    async def _open(self, number: int, term: int) -> None:
        left = await self._keeper.load(number) if self._keeper else {}
        if self._is_ending or self._terms[number] != term or not self._ownership.holds(number):
            return
        self._kept[number] = dict(left)
        for member in self._of(number):
            self._start_if_ours(member)
        for upsert in self._invalid.values():
            if self._ownership.shard(upsert.metadata.uid) == number:
                self._refuse(upsert)
        self._count()

    def close(self, number: int) -> None:
        """A shard is ours no more: end its workers and forget what they remember, since others go on from here."""
        self._terms[number] += 1
        self._kept.pop(number, None)
        for member in self._of(number):
            self._end(member)
            member.memory = member.ticked_at = None
            self._reports.forget(member.spec.key)
        self._count()

    async def hand_over(self, number: int) -> None:
        """End a shard's workers after their present tick, and keep what they remember for its next owner."""
        left = self._kept.pop(number, None)
        members = list(self._of(number))
        for member in members:
            self._end(member)
        endings = {self._endings[member.spec.key] for member in members if member.spec.key in self._endings}
        if endings:
            await asyncio.wait(endings)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TELL_WITHIN):
                await self._reports.flush()
        if left is not None:
            await self._keep(number, left)
        self._count()

    def _of(self, number: int) -> Iterator[_Member]:
        return (member for member in tuple(self._members.values()) if member.shard == number)

    # --- what is remembered -------------------------------------------------------------------------------------------

    async def _keep_all(self) -> None:
        while True:
            await self._clock.sleep(self._keep_every * (1 - 0.2 * self._rng.random()))
            for number, left in tuple(self._kept.items()):
                await self._keep(number, left)

    async def _keep(self, number: int, left: Mapping[str, bytes]) -> None:
        if self._keeper is not None:
            states = self._states(number, left)
            await self._keeper.save(number, states, permit=lambda: self._ownership.holds(number))

    def _states(self, number: int, left: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
        """What each autoscaler of a shard remembers, or what was left of it if it does not run (yet)."""
        if not self._feed.is_synced():
            # Whose autoscaler has not been told of yet is not gone.
            yield from left.items()
        for member in self._of(number):
            label = keeper.label(member.spec.uid)
            if member.memory is not None:
                yield label, member.memory.snapshot()
            elif label in left:
                yield label, left[label]

    def _remembered(self, member: _Member) -> Memory:
        """The memory that an autoscaler goes on with."""
        kept = self._kept[member.shard].pop(keeper.label(member.spec.uid), None)
        return heritage.inherit(member.spec, kept, self._feed.seen(member.spec.key).status, self._clock.now())

    def decoded(self, key: Key) -> Upsert | None:
        """An autoscaler as last read, valid or not."""
        member = self._members.get(key)
        return member.upsert if member else self._invalid.get(key)

    # --- autoscalers --------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        async for change in self._feed.changes():
            self._change(change)

    def _change(self, change: Change) -> None:
        before = self._members.pop(change.key, None)
        self._invalid.pop(change.key, None)
        ended = self._end(before) if before is not None else None
        if isinstance(change, Remove):
            self._targets.rivals.drop(change.key)
            self._reports.forget(change.key)
        elif change.decoded.spec is None:
            self._targets.rivals.drop(change.key)
            self._invalid[change.key] = change
            if self._ownership.shard(change.metadata.uid) in self._kept:
                self._refuse(change)
        else:
            member = self._upsert(change, change.decoded.spec, before)
            if ended is not None and member.worker is not None:
                # Only now: what is open is left to a worker that there is, and closed where there is none.
                ended.following.heir = member.worker.following
        self._count()

    def _refuse(self, upsert: Upsert) -> None:
        seen = self._feed.seen(upsert.key)
        self._reports.invalid(upsert.key, upsert.metadata, upsert.decoded, seen, self._clock.now())

    def _upsert(self, upsert: Upsert, spec: AutoscalerSpec, before: _Member | None) -> _Member:
        self._targets.rivals.put(spec, upsert.metadata)
        member = _Member(upsert, spec, self._ownership.shard(spec.uid))
        if before is not None and before.spec.uid == spec.uid and before.spec.target == spec.target:
            # A changed spec keeps its windows: an edit must not make a workload forget its load.
            member.memory, member.ticked_at = before.memory, before.ticked_at
        self._members[spec.key] = member
        for warning in upsert.decoded.warnings:
            log.warning("%s: %s", spec.key, warning, extra={"fields": {"autoscaler": str(spec.key)}})
        self._start_if_ours(member)
        return member

    def _start_if_ours(self, member: _Member) -> None:
        if member.shard in self._kept and member.task is None:
            self._start(member)

    def _start(self, member: _Member) -> None:
        spec, uid = member.spec, member.spec.uid
        if member.memory is None:
            member.memory = self._remembered(member)
        upsert = member.upsert
        seen = partial(self._feed.seen, spec.key)
        reporter = self._reports.reporter(spec, upsert.metadata, seen, upsert.decoded.warnings)
        worker = Worker(
            spec,
            member.memory,
            self._targets.for_spec(spec),
            self._sources,
            reporter,
            may_write=lambda: self._ownership.owns(uid),
            clock=self._clock,
            meters=self._meters,
            tape=self._tapes(str(spec.key), member.upsert.decoded.manifest) if self._tapes else None,
            ticked_at=member.ticked_at,
        )
        self._meters.insecure(spec.key, _skips_verification(spec, default=self._insecure_skip_verify))
        self._active += 1
        member.worker = worker
        after = self._endings.get(spec.key)
        member.task = self._group.create_task(self._work(worker, after=after), name=f"autoscaler {spec.key}")

    async def _work(self, worker: Worker, *, after: asyncio.Task[None] | None) -> None:
        try:
            if after is not None:
                await asyncio.wait({after})
            await tasks.supervise(
                f"autoscaler {worker.spec.key}",
                worker.run,
                timer=self._clock,
                rng=self._rng,
                log=log,
                on_crash=self._crashed,
            )
        finally:
            # One that was ended while it waited for its predecessor never ran, and may have inherited.
            worker.following.end()

    def _end(self, member: _Member) -> Worker | None:
        """End its worker, if it has one, after its present tick."""
        worker, task = member.worker, member.task
        member.worker = member.task = None
        if worker is not None and task is not None:
            self._active -= 1
            member.ticked_at = worker.ticked_at
            worker.stop()
            key = member.spec.key
            self._endings[key] = self._group.create_task(_finish(task), name=f"end of {key}")
            self._endings[key].add_done_callback(lambda ended: self._ended(key, ended))
        return worker

    def _ended(self, key: Key, ending: asyncio.Task[None]) -> None:
        if self._endings.get(key) is ending:
            del self._endings[key]

    def _crashed(self, error: Exception, times: int) -> None:
        self._meters.crashes.inc()

    def _count(self) -> None:
        self._meters.autoscalers.labels("active").set(self._active)
        self._meters.autoscalers.labels("elsewhere").set(len(self._members) - self._active)
        self._meters.autoscalers.labels("invalid").set(len(self._invalid))


async def _finish(task: "asyncio.Task[Any]") -> None:
    _, late = await asyncio.wait({task}, timeout=STOP_WITHIN)
    if late:
        task.cancel()
        await asyncio.wait(late)


def _skips_verification(spec: AutoscalerSpec, *, default: bool) -> bool:
    asked = [metric.source.http for metric in spec.metrics if isinstance(metric.source, Endpoint | PodPage | Query)]
    # Without a scheme the pods' annotations may say https.
    secure = [http.tls.insecure_skip_verify for http in asked if http.scheme != "http"]
    return any(default if skips is None else skips for skips in secure)
