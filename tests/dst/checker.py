"""What must hold at every step, judged from what the world saw, not from what the controller says of itself."""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from podtide.core.limits import freshness
from podtide.core.model.decision import Applied, Decision, Outcome
from podtide.core.model.spec import Apa as ApaSpec
from podtide.core.model.spec import AutoscalerSpec, Hpa, Kpa, Mode
from podtide.net.page import Ask
from tests.dst.loop import Process
from tests.dst.scenario import EPOCH
from tests.dst.workloads import Pod, Workload

STALE_EDIT = 20.0
"""Seconds for which a tick that had begun before an edit was read may still act: a patch waits 10 s for a Retry-After,
and a worker that is to end gets 6 s."""


SLOWEST = 15.0
"""Seconds that a patch may take. A tick is told of when its patch has been answered, and was decided before."""

IDLE = 60.0
"""Seconds after which a replica without a Lease must have ended its workers."""


WHOLE = frozenset({"waiting"})
"""Metrics that are not of a pod but of the whole workload."""


class Violated(AssertionError):
    """Something that must hold did not."""


@dataclass(slots=True)
class Bucket:
    """One round of scrapes of one workload by one process."""

    index: int
    asked: set[str] = field(default_factory=set)
    values: dict[str, list[float]] = field(default_factory=dict)


@dataclass(slots=True)
class Version:
    """One edition of an autoscaler, and when it began to be in force at the server."""

    at: float
    generation: int
    spec: AutoscalerSpec


@dataclass(slots=True)
class Subject:
    """One autoscaler's past."""

    key: str
    workload: str
    versions: list[Version] = field(default_factory=list)
    created: float = 0.0
    uid: str = ""
    deleted: float = math.inf
    namesake: "Subject | None" = None
    """The one that had its name before."""


class _Partial(msgspec.Struct):
    metadata: "_Meta"


class _Meta(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    generation: int = 0
    uid: str = ""


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


_PARTIAL = msgspec.json.Decoder(_Partial)
_EVENT = msgspec.json.Decoder(_Event)


class _ListOf(msgspec.Struct):
    items: list[_Partial]


_LIST = msgspec.json.Decoder(_ListOf)


class Checker:
    """Sees every scrape, every write and every decision."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.subjects: dict[str, Subject] = {}
        """`namespace/name` → the autoscaler."""
        self.counts: dict[str, list[tuple[float, int]]] = {}
        """Workload → its counts over time."""
        self.holder: Callable[[str], str] = lambda uid: ""
        """Who holds the Lease of an autoscaler's shard, at the server."""
        self.patches = 0
        self.shrinks = 0
        self.late = 0
        self.last_patch: dict[str, float] = {}
        self.told: dict[Process, dict[str, list[tuple[float, int]]]] = {}
        """Process → autoscaler → the generations it was told of, and when."""
        self.decided: dict[str, tuple[Decision, Applied, Process]] = {}
        self.decisions = 0
        self.succeeded: dict[str, list[int]] = {}
        """Autoscaler → the counts that its patches have set."""
        self.writers: dict[str, str] = {}
        """Autoscaler → who has patched for it last while it held the Lease."""
        self.is_kept = False
        """Whether a process goes on with what another has remembered."""
        self.idle: dict[str, float] = {}
        """Process → since when it holds no Lease, and could know."""
        self._versions: dict[tuple[Process, str], str] = {}
        self._sent: dict[tuple[Process, str], float] = {}
        """When a patch last left a process, for an autoscaler of which no tick has ended since."""
        self._panicking: dict[tuple[Process, str], bool] = {}
        self._panics: dict[tuple[Process, str], tuple[float, int]] = {}
        self._ever: dict[str, set[int]] = {}
        """Workload → every count that was ever asked for."""
        self._now = now
        self._rounds: dict[tuple[Process, str], list[Bucket]] = {}
        self._intervals: dict[str, float] = {}

    # --- what the world tells ----------------------------------------------------------------------------------------

    def edited(self, key: str, workload: str, uid: str, generation: int, spec: AutoscalerSpec) -> None:
        """An autoscaler is created or changed."""
        subject = self.subjects.get(key)
        if subject is None or subject.uid != uid:
            subject = self.subjects[key] = Subject(key, workload, created=self._now(), uid=uid, namesake=subject)
        subject.versions.append(Version(self._now(), generation, spec))
        self._intervals.setdefault(workload, spec.interval)

    def counted(self, workload: str, replicas: int) -> None:
        """A workload's count, whoever set it."""
        history = self.counts.setdefault(workload, [])
        if not history or history[-1][1] != replicas:
            history.append((self._now(), replicas))
            self._ever.setdefault(workload, set()).add(replicas)

    def asked(self, process: Process, pod: Pod, ask: Ask) -> None:
        """A pod is asked."""
        since = self.idle.get(process.name)
        if since is not None and self._now() - since > IDLE:
            raise Violated(f"{process} reads {pod.name} though it has held no lease for {self._now() - since:.0f} s")
        self._bucket(process, pod.workload, self._now()).asked.add(pod.uid)

    def answered(self, process: Process, pod: Pod, asked: float, values: dict[str, float] | None) -> None:
        """A pod has answered, or failed."""
        if values is not None:
            bucket = self._bucket(process, pod.workload, asked)
            for name, value in values.items():
                bucket.values.setdefault(name, []).append(value)

    def heard(self, process: Process, workload: Workload, asked: float, values: dict[str, float]) -> None:
        """A gateway has said something of a workload."""
        bucket = self._bucket(process, workload, asked)
        for name, value in values.items():
            bucket.values.setdefault(name, []).append(value)

    def _bucket(self, process: Process, of: Workload, at: float) -> Bucket:
        workload = f"{of.namespace}/{of.name}"
        index = math.floor(at / self._intervals.get(workload, 15.0) + 1e-6)
        rounds = self._rounds.setdefault((process, workload), [])
        for bucket in reversed(rounds[-3:]):
            if bucket.index == index:
                return bucket
        rounds.append(Bucket(index))
        return rounds[-1]

    def read_list(self, process: Process, body: bytes) -> None:
        """A process reads a list of autoscalers."""
        for item in _LIST.decode(body).items:
            self._read(process, item.metadata)

    def read_events(self, process: Process, resource: str, chunk: bytes) -> None:
        """A process reads events of a watch."""
        if resource != "podautoscalers":
            return
        for line in chunk.splitlines():
            event = _EVENT.decode(line)
            if event.type in ("ADDED", "MODIFIED"):
                self._read(process, _PARTIAL.decode(bytes(event.object)).metadata)

    def _read(self, process: Process, meta: _Meta) -> None:
        told = self.told.setdefault(process, {}).setdefault(f"{meta.namespace}/{meta.name}/{meta.uid}", [])
        if not told or told[-1][1] != meta.generation:
            told.append((self._now(), meta.generation))

    # --- what is judged ----------------------------------------------------------------------------------------------

    def sends(self, process: Process, key: str, workload: str, body: Mapping[str, Any]) -> None:
        """A scale patch leaves a process."""
        now = self._now()
        subject = self._subject(process, key, workload)
        holder = self.holder(subject.uid)
        if holder != process.name:
            raise Violated(f"{process} patches {workload} for {key} while the lease is held by {holder or 'nobody'}")
        if not (body.get("metadata") or {}).get("resourceVersion"):
            raise Violated(f"{process} patches {workload} without a resourceVersion")
        self._versions[process, key] = str(body["metadata"]["resourceVersion"])
        self._sent[process, key] = now
        wanted = int(body["spec"]["replicas"])
        allowed = self.allowed(process, subject, now)
        bounds = [each for version in allowed for each in in_force(process, version.spec, now)]
        if not any(low <= wanted <= high for low, high in bounds):
            raise Violated(f"{process} patches {workload} to {wanted}, outside {bounds} or not active")
        for other in self.subjects.values():
            is_active = all(version.spec.mode is Mode.ACTIVE for version in other.versions[-3:])
            is_rival = other.workload == workload and other.key != key and other.deleted == math.inf and is_active
            is_older = (other.created, other.uid) < (subject.created, subject.uid)
            if is_rival and is_older and now - subject.created > 120:
                raise Violated(f"{key} patches {workload}, which {other.key} scales, which is older")

    def arrives(
        self, process: Process, key: str, workload: str, body: Mapping[str, Any], sent: float
    ) -> Callable[[int], None]:
        """A scale patch reaches the server; judged when it is known to have been carried out."""
        before = self.counts[workload][-1][1]
        wanted = int(body["spec"]["replicas"])
        subject = self.known(process, key)

        def answered(code: int) -> None:
            if code != 200 or subject is None:
                return
            self.patches += 1
            self.last_patch[workload] = self._now()
            self.succeeded.setdefault(key, []).append(wanted)
            holder = self.holder(subject.uid)
            if holder == process.name:
                self.writers[key] = holder
            else:
                self.late += 1
                if holder and self.writers.get(key) == holder:
                    raise Violated(f"{process} has scaled {workload} for {key} after {holder}, in whose term it is")
            if wanted < before:
                self._shrinks(process, subject, workload, before, wanted, sent)

        return answered

    def _shrinks(
        self, process: Process, subject: Subject, workload: str, before: int, wanted: int, sent: float
    ) -> None:
        """A workload is made smaller: is that what the data of the time before asks for?"""
        self.shrinks += 1
        try:
            self._is_asked_for(process, subject, workload, before, wanted, sent)
        except Violated:
            told = self.told.get(process, {}).get(f"{subject.key}/{subject.uid}", [])
            if subject.namesake is None or not told or sent - told[0][0] >= STALE_EDIT:
                raise
            # The tick may still have been its namesake's.
            self._is_asked_for(process, subject.namesake, workload, before, wanted, sent)

    def _is_asked_for(
        self, process: Process, subject: Subject, workload: str, before: int, wanted: int, sent: float
    ) -> None:
        allowed = self.allowed(process, subject, sent)
        if any(before > most == wanted for version in allowed for _, most in in_force(process, version.spec, sent)):
            return
        specs = [version.spec for version in allowed]
        self._is_fresh(process, subject, workload, specs, before, wanted, sent)
        self._is_refilled(process, subject, workload, specs, before, wanted, sent)
        self._is_outside_tolerance(process, workload, specs, before, wanted, sent)
        mine = f"{subject.key}/{subject.uid}/"
        panics = [panic for (who, of), panic in self._panics.items() if who is process and of.startswith(mine)]
        windows = [spec.algorithm.stable_window for spec in specs if isinstance(spec.algorithm, Kpa)]
        for since, peak in panics:
            if windows and sent < since + min(windows) - SLOWEST and wanted < peak:
                raise Violated(
                    f"{process} shrinks {workload} from {before} to {wanted} {sent - since:.0f} s after panic began, "
                    f"which asked for {peak}"
                )
        least, why = self._least(process, subject, workload, specs, sent)
        if wanted < least:
            raise Violated(
                f"{process} shrinks {workload} from {before} to {wanted}; what was read asked for {least} {why}"
            )

    def _is_fresh(
        self,
        process: Process,
        subject: Subject,
        workload: str,
        specs: list[AutoscalerSpec],
        before: int,
        wanted: int,
        sent: float,
    ) -> None:
        interval = self._intervals[workload]
        # Where memories are kept, what the owner before has read is known as well.
        sources = [
            rounds
            for (who, name), rounds in self._rounds.items()
            if name == workload and (who is process or self.is_kept)
        ]
        for spec in specs:
            # A round is as long as the interval of the workload's first autoscaler, which may not be this one's.
            longer = max(0.0, interval - spec.interval)
            oldest = (sent - freshness.max_age(spec.interval) - 2 * spec.interval - longer - 10) / interval
            recent = [bucket for rounds in sources for bucket in rounds[-20:] if bucket.index >= oldest]
            names = {metric.select.metric for metric in spec.metrics}
            share = 0.0 if isinstance(spec.algorithm, Hpa) else spec.min_coverage
            if all(
                any(
                    bucket.values.get(name) and (name in WHOLE or len(bucket.values[name]) >= share * len(bucket.asked))
                    for bucket in recent
                )
                for name in names
            ):
                return
        raise Violated(f"{process} shrinks {workload} from {before} to {wanted} without fresh values of every metric")

    def _is_refilled(
        self,
        process: Process,
        subject: Subject,
        workload: str,
        specs: list[AutoscalerSpec],
        before: int,
        wanted: int,
        sent: float,
    ) -> None:
        """Windows are full: a whole one of values, and after a silence as long again as that lasted."""
        interval = self._intervals[workload]
        window = min(spec_window(spec) for spec in specs)
        if not window:
            return
        readers = [who for who, name in self._rounds if name == workload and (who is process or self.is_kept)]
        times = sorted(
            {
                bucket.index * interval
                for who in readers
                for bucket in self._rounds[who, workload]
                if bucket.values and subject.created <= bucket.index * interval <= sent
            }
        )
        # Whose clock is behind that of the owner before sees a shorter silence.
        skew = max(who.offset for who in readers) - min(who.offset for who in readers) if readers else 0.0
        gap = max(freshness.max_age(spec.interval) for spec in specs) + 2 * interval + skew
        full, last = math.inf, math.nan
        for at in times:
            if full == math.inf:
                full = at + window
            elif at - last > gap:
                full = max(full, at + min(window, at - last))
            last = at
        if sent < full - 3 * interval - 5.0:
            raise Violated(
                f"{process} shrinks {workload} from {before} to {wanted} "
                f"{full - sent:.0f} s before its windows are full"
            )

    def _is_outside_tolerance(
        self, process: Process, workload: str, specs: list[AutoscalerSpec], before: int, wanted: int, sent: float
    ) -> None:
        """Not for a load that has long been within the band in which nothing is to happen."""
        interval = self._intervals[workload]
        if any(isinstance(spec.algorithm, Kpa) for spec in specs):
            return
        span = max(spec_window(spec) for spec in specs) + 3 * interval
        rounds = [each for each in self._rounds[process, workload] if each.index * interval >= sent - span]
        if self.counts[workload][-1][0] > sent - span or len(rounds) < span / interval - 1.5:
            return
        for spec in specs:
            shares = [
                [_share(each, metric.select.metric, metric.threshold.value, before) for each in rounds]
                for metric in spec.metrics
            ]
            if not any(all(0.91 <= share <= 1.09 for share in each) for each in shares):
                return
        raise Violated(f"{process} shrinks {workload} from {before} to {wanted} though its load was within tolerance")

    def _least(
        self, process: Process, subject: Subject, workload: str, specs: list[AutoscalerSpec], sent: float
    ) -> tuple[int, str]:
        """The least count that the values of the stabilisation window allow, whichever of them were believed."""
        interval = self._intervals[workload]
        stabilization = min(_stabilization(spec) for spec in specs)
        reach = max(_reach(spec) for spec in specs) + 2 * interval
        edge = 2 * interval + 10.0
        names = {metric.select.metric for spec in specs for metric in spec.metrics}
        # What was recommended by an edition of before is not recommended anew by the next.
        since = sent - stabilization - reach
        ends = [version.at for version in subject.versions[1:]] + [math.inf]
        past = [version.spec for version, end in zip(subject.versions, ends, strict=True) if since <= end <= sent]
        needs: dict[int, dict[str, float]] = {}
        for (_, name), rounds in self._rounds.items():
            if name == workload:
                first = (sent - stabilization - reach - interval) / interval
                for bucket in rounds[bisect_left(rounds, first, key=lambda each: each.index) :]:
                    known = needs.setdefault(bucket.index, {})
                    for metric in names:
                        need = min(_need(bucket, spec, metric) for spec in (*specs, *past))
                        known[metric] = min(known.get(metric, math.inf), need)
        indexes = sorted(needs)
        began = -math.inf if self.is_kept else self._began(process, workload)
        found = self._fewest(workload, began - edge, began + edge)
        least, why = 0, ""
        for index in indexes:
            at = index * interval
            if not sent - stabilization + edge < at < sent - edge or at < subject.created + edge:
                continue
            fewest = self._fewest(workload, at - edge, at + edge)
            if at < began:
                # Of what was before, a process without a memory knows the count that it found, which somebody else
                # may have made smaller meanwhile.
                fewest = min(fewest, found)
            if any(fewest > lowest_maximum(spec) for spec in specs):
                # Outside the bounds no metric is looked at, and nothing recommended.
                continue
            seen = [needs[other] for other in indexes if at - reach < other * interval <= at + interval]
            asked = min(math.ceil(max(min(each[metric] for each in seen) for metric in names)), fewest)
            if asked > least:
                least, why = asked, f"{sent - at:.0f} s before"
        return least, why

    def _began(self, process: Process, workload: str) -> float:
        """Since when a process has read a workload without a break, which is what its memory may be of."""
        interval = self._intervals[workload]
        began = math.inf
        for bucket in reversed(self._rounds.get((process, workload), [])):
            at = bucket.index * interval
            if began - at > 2 * interval + 30.0 and began < math.inf:
                break
            began = at
        return began

    def may_sleep(self, subject: Subject) -> bool:
        """Whether an autoscaler found a zero that it may never have asked for: then it is somebody's switch."""
        found = [count for at, count in self.counts[subject.workload] if at <= subject.created][-1:]
        specs = [version.spec for version in subject.versions]
        minima = [spec.bounds.minimum for spec in specs]
        minima += [each.minimum or 0 for spec in specs for each in spec.schedules]
        return found == [0] and min(minima) > 0

    def _fewest(self, workload: str, since: float, until: float) -> int:
        fewest = None
        for at, replicas in reversed(self.counts[workload]):
            if at <= until:
                fewest = replicas if fewest is None else min(fewest, replicas)
                if at <= since:
                    break
        return fewest or 0

    def allowed(self, process: Process, subject: Subject, now: float) -> list[Version]:
        """The editions of an autoscaler that a process may act on: what it was last told of, and newer ones."""
        told = self.told.get(process, {}).get(f"{subject.key}/{subject.uid}", [])
        known = 0
        for at, generation in told:
            if at <= now - STALE_EDIT or not known:
                known = generation
        return [version for version in subject.versions if version.generation >= known]

    def publishes(self, process: Process, decision: Decision, applied: Applied, spec: AutoscalerSpec) -> None:
        """A tick has ended."""
        self.decisions += 1
        key = str(decision.key)
        subject = self.subjects.get(key)
        if decision.version and subject and decision.current not in self._ever.get(subject.workload, ()):
            raise Violated(f"{process} takes {decision.current} for the count of {subject.workload}, which never was")
        low, high = decision.bounds.minimum, decision.bounds.maximum
        if applied.outcome is Outcome.PATCHED and not low <= applied.replicas <= high:
            raise Violated(f"{process} has set {key} to {applied.replicas}, outside {low} to {high}")
        if applied.outcome is Outcome.PATCHED and spec.mode is not Mode.ACTIVE:
            raise Violated(f"{process} has scaled {key}, whose mode is {spec.mode}")
        if applied.outcome is Outcome.PATCHED and self._versions.get((process, key)) != decision.version:
            raise Violated(f"{process} has scaled {key} by a decision on another version than it sent")
        # Its patch may have been without an answer for long.
        at = self._sent.pop((process, key), self._now())
        self._follow_panic(process, f"{key}/{spec.uid}", decision, at)
        self.decided[key] = decision, applied, process

    def _follow_panic(self, process: Process, key: str, decision: Decision, at: float) -> None:
        """Remember each panic whose beginning this process has seen, and the most that it asked for."""
        for proposal in decision.proposals:
            if proposal.replicas is None:
                continue
            of = process, f"{key}/{proposal.metric}"
            was = self._panicking.get(of)
            if proposal.panicking and was is False:
                self._panics[of] = at, proposal.replicas
            elif proposal.panicking and was and of in self._panics:
                since, peak = self._panics[of]
                self._panics[of] = since, max(peak, proposal.replicas)
            self._panicking[of] = proposal.panicking

    def announces(self, key: str, size: int) -> None:
        """An event says that a workload was scaled."""
        if size not in self.succeeded.get(key, []):
            raise Violated(f"{key}: an event tells of a new size {size}, and nobody has set it")

    def forget(self, name: str) -> None:
        """A process holds no Lease any more: what it remembered is void."""
        self.idle.setdefault(name, self._now())
        self.begins_anew(name)

    def begins_anew(self, name: str) -> None:
        """What a process goes on with is a save: a panic that began after it is not in there."""
        for kept in (self._panics, self._panicking):
            for entry in [entry for entry in kept if entry[0].name == name]:
                del kept[entry]

    def known(self, process: Process, key: str) -> Subject | None:
        """The autoscaler that has a name as far as a process has been told."""
        subject = self.subjects.get(key)
        told = self.told.get(process, {})
        while subject is not None and subject.namesake is not None and f"{key}/{subject.uid}" not in told:
            subject = subject.namesake
        return subject

    def _subject(self, process: Process, key: str, workload: str) -> Subject:
        subject = self.known(process, key)
        if subject is None:
            raise Violated(f"{process} patches {workload} for {key}, which never was")
        return subject


def in_force(process: Process, spec: AutoscalerSpec, now: float) -> list[tuple[int, int]]:
    """The bounds that a process may believe in: those of now by its clock and, for a tick that has begun, of before."""
    if spec.mode is not Mode.ACTIVE:
        return []
    own = spec.bounds.minimum, spec.bounds.maximum
    found = []
    for at in (now, now - STALE_EDIT):
        minute = int((EPOCH + at + process.offset) % 86400 // 60)
        active = [each for each in spec.schedules if each.start <= minute < each.end]
        # Those of the simulation name both.
        found.append((active[0].minimum or 0, active[0].maximum or 0) if active else own)
    return found


def lowest_maximum(spec: AutoscalerSpec) -> int:
    """The least that a maximum ever is."""
    return min([spec.bounds.maximum, *(each.maximum or 0 for each in spec.schedules)])


def _stabilization(spec: AutoscalerSpec) -> float:
    down = spec.behavior.down.window if spec.behavior is not None else None
    return spec.cooldown.down if down is None else down


def _reach(spec: AutoscalerSpec) -> float:
    """Seconds that a recommendation looks back, at most."""
    return spec_window(spec) + freshness.max_age(spec.interval)


def spec_window(spec: AutoscalerSpec) -> float:
    algorithm = spec.algorithm
    if isinstance(algorithm, Kpa):
        return algorithm.stable_window
    return algorithm.window if isinstance(algorithm, ApaSpec) else 0.0


def _share(bucket: Bucket, name: str, target: float, pods: int) -> float:
    """A round's value as a share of the target; not a number where not every pod has answered."""
    values = bucket.values.get(name, [])
    if name in WHOLE:
        return values[-1] / target / pods if values else math.nan
    return sum(values) / pods / target if len(values) == len(bucket.asked) == pods else math.nan


def _need(bucket: Bucket, spec: AutoscalerSpec, name: str) -> float:
    """The least count that a round's answers can be taken for, by one metric."""
    values = bucket.values.get(name)
    target = next((metric.threshold.value for metric in spec.metrics if metric.select.metric == name), math.inf)
    pods = 1 if name in WHOLE else len(bucket.asked)
    return min(values) * pods * (1 - 0.002) / target - 0.01 if values else 0.0
