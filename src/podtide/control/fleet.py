"""Starts, restarts and stops a worker per autoscaler that this replica owns. One worker's crash touches no other."""

import asyncio
import logging
import random
from dataclasses import dataclass
from typing import Any

from podtide.aio import tasks
from podtide.aio.clock import Clock
from podtide.control.feeds.base import Change, Feed, Remove, Upsert
from podtide.control.ownership import Ownership
from podtide.control.report import Reports
from podtide.control.worker import Worker
from podtide.core.memory import Memory
from podtide.core.model.spec import AutoscalerSpec, Key, PodPage
from podtide.sources.registry import Sources
from podtide.targets.registry import Targets
from podtide.telemetry.meters import Meters

log = logging.getLogger(__name__)

STOP_WITHIN = 6.0
"""Seconds that a worker gets to finish its tick, a patch in flight among it, before it is cancelled."""


@dataclass(slots=True)
class _Member:
    """One valid autoscaler."""

    upsert: Upsert
    spec: AutoscalerSpec
    memory: Memory | None = None
    worker: Worker | None = None
    task: asyncio.Task[None] | None = None
    ending: asyncio.Task[None] | None = None
    """The end of an earlier worker, which the next one waits for: they may share a memory."""


class Fleet:
    """Every autoscaler of the feed, and the workers of those that are ours."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        ownership: Ownership,
        targets: Targets,
        sources: Sources,
        reports: Reports,
        *,
        clock: Clock,
        meters: Meters,
        rng: random.Random,
    ) -> None:
        """Workers run as tasks of `group`."""
        self._group = group
        self._ownership = ownership
        self._targets = targets
        self._sources = sources
        self._reports = reports
        self._clock = clock
        self._meters = meters
        self._rng = rng
        self._members: dict[Key, _Member] = {}
        self._invalid: dict[Key, Upsert] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._shards = asyncio.Event()
        ownership.subscribe(lambda number, held: self._shards.set())

    async def run(self, feed: Feed) -> None:
        """Follow the feed and the Leases until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(feed), name="feed")
            group.create_task(self._follow_shards(), name="shards")

    async def stop(self) -> None:
        """Let every worker finish its tick, then end."""
        for member in self._members.values():
            self._end(member)
        if self._stopping:
            await asyncio.wait(self._stopping)

    def decoded(self, key: Key) -> Upsert | None:
        """An autoscaler as last read, valid or not."""
        member = self._members.get(key)
        return member.upsert if member else self._invalid.get(key)

    async def _follow(self, feed: Feed) -> None:
        async for change in feed.changes():
            self._change(change)

    async def _follow_shards(self) -> None:
        while True:
            await self._shards.wait()
            self._shards.clear()
            for member in self._members.values():
                self._start_or_end(member)
            self._count()

    def _change(self, change: Change) -> None:
        before = self._members.pop(change.key, None)
        self._invalid.pop(change.key, None)
        if before is not None:
            self._end(before)
        if isinstance(change, Remove):
            self._targets.rivals.drop(change.key)
            self._reports.forget(change.key)
        elif change.decoded.spec is None:
            self._targets.rivals.drop(change.key)
            self._invalid[change.key] = change
            if self._ownership.owns(change.metadata.uid):
                self._reports.invalid(change.key, change.metadata, change.decoded, change.status, self._clock.now())
        else:
            self._upsert(change, change.decoded.spec, before)
        self._count()

    def _upsert(self, upsert: Upsert, spec: AutoscalerSpec, before: _Member | None) -> None:
        self._targets.rivals.put(spec, upsert.metadata)
        member = _Member(upsert, spec)
        if before is not None and before.spec.uid == spec.uid and before.spec.target == spec.target:
            # A changed spec keeps its windows: an edit must not make a workload forget its load.
            member.memory, member.ending = before.memory, before.ending
        self._members[spec.key] = member
        self._meters.insecure(spec.key, _skips_verification(spec))
        for warning in upsert.decoded.warnings:
            log.warning("%s: %s", spec.key, warning, extra={"fields": {"autoscaler": str(spec.key)}})
        self._start_or_end(member)

    def _start_or_end(self, member: _Member) -> None:
        owned = self._ownership.owns(member.spec.uid)
        if owned and member.task is None:
            self._start(member)
        elif not owned and member.task is not None:
            self._end(member)
            # What another owner decides meanwhile is not in this memory.
            member.memory = None

    def _start(self, member: _Member) -> None:
        spec, uid = member.spec, member.spec.uid
        if member.memory is None:
            member.memory = Memory(since=self._clock.now())
        upsert = member.upsert
        reporter = self._reports.reporter(spec, upsert.metadata, upsert.status, upsert.decoded.warnings)
        worker = Worker(
            spec,
            member.memory,
            self._targets.for_spec(spec),
            self._sources,
            reporter,
            may_write=lambda: self._ownership.owns(uid),
            clock=self._clock,
            meters=self._meters,
        )
        member.worker = worker
        member.task = self._group.create_task(self._work(worker, after=member.ending), name=f"autoscaler {spec.key}")

    async def _work(self, worker: Worker, *, after: asyncio.Task[None] | None) -> None:
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

    def _end(self, member: _Member) -> None:
        worker, task = member.worker, member.task
        member.worker = member.task = None
        if worker is not None and task is not None:
            worker.stop()
            ending = self._group.create_task(_finish(task), name=f"end of {member.spec.key}")
            member.ending = ending
            self._stopping.add(ending)
            ending.add_done_callback(self._stopping.discard)

    def _crashed(self, error: Exception, times: int) -> None:
        self._meters.crashes.inc()

    def _count(self) -> None:
        active = sum(member.task is not None for member in self._members.values())
        self._meters.autoscalers.labels("active").set(active)
        self._meters.autoscalers.labels("elsewhere").set(len(self._members) - active)
        self._meters.autoscalers.labels("invalid").set(len(self._invalid))


async def _finish(task: "asyncio.Task[Any]") -> None:
    _, late = await asyncio.wait({task}, timeout=STOP_WITHIN)
    if late:
        task.cancel()
        await asyncio.wait(late)


def _skips_verification(spec: AutoscalerSpec) -> bool:
    return any(
        isinstance(metric.source, PodPage) and bool(metric.source.http.tls.insecure_skip_verify)
        for metric in spec.metrics
    )
