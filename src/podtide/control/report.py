"""Tells the world about each tick: metrics always, log and events on change, status when a user could see a difference.

`publish` never waits: statuses are queued, the newest of an autoscaler replaces an older one, and a few tasks write
them. What is told is told by a `Sink`, which differs between CRDs and files.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from podtide.api import status
from podtide.api.decode import Decoded
from podtide.api.errors import Problem
from podtide.control import changes
from podtide.control.changes import News, Told
from podtide.control.feeds.base import Seen
from podtide.core.model.decision import Applied, Decision
from podtide.core.model.spec import AutoscalerSpec, Key
from podtide.kube import objects
from podtide.kube.objects import Meta
from podtide.telemetry.meters import Meters

log = logging.getLogger(__name__)

LONGEST_PAUSE = 10.0
"""The most seconds before a status that cannot be written is tried again."""
LOOK = 5.0
"""Seconds after which a tick is looked at in full though it says, in short, what the last one said."""


class Sink(Protocol):
    """Where statuses and events go."""

    async def write(self, metadata: Meta, status: Mapping[str, Any]) -> str | None:
        """Store the status of an object, whatever it had before.

        Returns the version it is stored as, empty where there is nothing to store it in; None where it could not be
        stored and should be tried again.
        """
        ...

    def tell(self, metadata: Meta, news: News, now: float) -> None:
        """Send one event."""
        ...


@dataclass(slots=True)
class _Subject:
    """What is known of one autoscaler's telling."""

    metadata: Meta
    written: Mapping[str, Any]
    """The status as stored."""
    wanted: Mapping[str, Any]
    warnings: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Why it is not scaled; none if it is."""
    told: Told = field(default_factory=Told)
    gist: tuple[object, ...] | None = None
    """What the last tick that was looked at said, in short."""
    looked: float = 0.0
    version: str = ""
    """The object's resourceVersion as of `written`."""
    failures: int = 0
    """How often in a row it could not be written."""
    seen: Callable[[], Seen] = Seen
    """The object's status as the feed shows it."""


class Reports:
    """The reports of every autoscaler."""

    def __init__(self, sink: Sink, meters: Meters, *, writers: int = 8, pause: float = 0.2) -> None:
        """`writers` statuses are written at a time.

        `pause` is the seconds before one that failed is tried again; each further failure doubles them.
        """
        self._sink = sink
        self._meters = meters
        self._writers = writers
        self._pause = pause
        self._subjects: dict[Key, _Subject] = {}
        self._due: asyncio.Queue[Key] = asyncio.Queue()
        self._queued: set[Key] = set()
        """Due, being written, or waiting for another try: one object's statuses must not overtake each other."""
        self._retries: dict[Key, asyncio.TimerHandle] = {}
        self._writing = 0
        self._calm = asyncio.Event()
        self._calm.set()

    def reporter(
        self,
        spec: AutoscalerSpec,
        metadata: Meta,
        seen: Callable[[], Seen] = Seen,
        warnings: tuple[Problem, ...] = (),
    ) -> "Reporter":
        """The reporter of one autoscaler, from the status on that is `seen` now."""
        known = self._subjects.get(spec.key)
        if known is not None and known.metadata.uid == metadata.uid:
            known.metadata, known.warnings, known.problems, known.gist = metadata, warnings, (), None
            known.seen = seen
        else:
            now = seen()
            told = changes.remembered(now.status)
            self._subjects[spec.key] = _Subject(
                metadata, now.status, now.status, warnings, told=told, version=now.version, seen=seen
            )
        return Reporter(self, spec)

    def invalid(self, key: Key, metadata: Meta, decoded: Decoded, seen: Seen, now: float) -> None:
        """Say what is wrong with an object that is not scaled."""
        known = self._subjects.get(key)
        written, version = seen.status, seen.version
        if known is not None and known.metadata.uid == metadata.uid:
            written, version = known.written, known.version
        wanted = status.invalid(decoded.problems, written, metadata.generation, now)
        self._subjects[key] = subject = _Subject(metadata, written, written, problems=decoded.problems, version=version)
        self._meters.forget(key)
        if not status.changed(written, wanted):
            # An earlier owner has said so.
            return
        subject.wanted = wanted
        problems = "; ".join(map(str, decoded.problems))
        log.warning("%s is not scaled: %s", key, problems, extra={"fields": {"autoscaler": str(key)}})
        self._sink.tell(metadata, News("Warning", "InvalidSpec", problems, "Validate"), now)
        self._enqueue(key)

    def forget(self, key: Key) -> None:
        """An autoscaler is gone."""
        self._subjects.pop(key, None)
        self._meters.forget(key)

    def publish(self, spec: AutoscalerSpec, decision: Decision, applied: Applied) -> None:
        """One tick."""
        subject = self._subjects.get(decision.key)
        if subject is None or subject.metadata.uid != spec.uid:
            # Gone, or another has its name now: the last tick of a worker that ends.
            return
        if not subject.problems:
            self._meters.decided(decision, applied)
        gist = changes.gist(decision, applied)
        if gist is not None and gist == subject.gist and decision.at - subject.looked < LOOK:
            # Most ticks say what the last one said, and a status costs more to make than a decision.
            return
        subject.gist, subject.looked = gist, decision.at
        if changes.changed(subject.told, decision, applied):
            _log(decision, applied)
        for item in changes.news(subject.told, decision, applied):
            self._sink.tell(subject.metadata, item, decision.at)
        subject.told = changes.told(decision, applied)
        self._look(decision.key, subject)
        new = status.patch(decision, applied, subject.wanted, spec, decision.at, warnings=subject.warnings)
        if subject.problems:
            # What the last tick of the spec before has done counts; what it says of the spec does not.
            new = status.invalid(subject.problems, new, subject.metadata.generation, decision.at)
        if status.changed(subject.wanted, new):
            subject.wanted = new
            self._enqueue(decision.key)

    def _look(self, key: Key, subject: _Subject) -> None:
        """Write again what has been overwritten: by the owner before us, or by ourselves before a failover.

        What a new owner begins with is what its watch has come to, which may be behind.
        """
        seen = subject.seen()
        if key not in self._queued and objects.is_newer(seen.version, subject.version):
            subject.version = seen.version
            if status.changed(seen.status, subject.wanted):
                subject.written = seen.status
                self._enqueue(key)

    async def run(self) -> None:
        """Write statuses until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._writers):
                group.create_task(self._write_all(), name=f"status writer {number}")

    async def flush(self) -> None:
        """Write what is due, and see through what is being written; what cannot be is not tried again here."""
        for key in tuple(self._retries):
            self._retry(key)
        for _ in range(self._due.qsize()):
            if not self._due.empty():
                await self._write(self._due.get_nowait())
        await self._calm.wait()

    def _enqueue(self, key: Key) -> None:
        if key not in self._queued:
            self._queued.add(key)
            self._due.put_nowait(key)

    async def _write_all(self) -> None:
        while True:
            await self._write(await self._due.get())

    async def _write(self, key: Key) -> None:
        subject = self._subjects.get(key)
        try:
            is_stored = subject is None or await self._store(subject)
        except asyncio.CancelledError:
            # A flush that ran out of time: what was broken off is as due as before.
            self._due.put_nowait(key)
            raise
        if subject is not None and not is_stored:
            pause = min(LONGEST_PAUSE, self._pause * 2.0 ** min(subject.failures, 20))
            subject.failures += 1
            self._retries[key] = asyncio.get_running_loop().call_later(pause, self._retry, key)
            return
        self._queued.discard(key)
        now = self._subjects.get(key)
        if now is not None and now.written is not now.wanted:
            # There is a newer one by now.
            self._enqueue(key)

    def _retry(self, key: Key) -> None:
        """What could not be written is due again."""
        self._retries.pop(key).cancel()
        self._due.put_nowait(key)

    async def _store(self, subject: _Subject) -> bool:
        wanted = subject.wanted
        self._writing += 1
        self._calm.clear()
        try:
            version = await self._sink.write(subject.metadata, wanted)
        finally:
            self._writing -= 1
            if not self._writing:
                self._calm.set()
        if version is None:
            return False
        subject.written, subject.failures = wanted, 0
        subject.version = version or subject.version
        return True


class Reporter:
    """One autoscaler's way to `Reports`."""

    def __init__(self, reports: Reports, spec: AutoscalerSpec) -> None:
        self._reports = reports
        self._spec = spec

    def publish(self, decision: Decision, applied: Applied) -> None:
        """Tell of one tick."""
        self._reports.publish(self._spec, decision, applied)


def _log(decision: Decision, applied: Applied) -> None:
    ours = {
        "autoscaler": str(decision.key),
        "current": decision.current,
        "desired": decision.desired,
        "reason": decision.reason,
        "outcome": applied.outcome.value,
        "ready": decision.ready,
    }
    # A metric that is called as one of ours must not stand in its place.
    fields = ours | {
        proposal.metric: f"{proposal.value:g}/{proposal.target:g}"
        for proposal in decision.proposals
        if proposal.value is not None and proposal.target is not None and proposal.metric not in {*ours, "error"}
    }
    if applied.error:
        fields["error"] = applied.error
    log.info("%s: %s", decision.key, changes.why(decision), extra={"fields": fields})
