"""The `pod` source: a page that every pod of the target serves itself. `sources.registry` hands it out."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from podtide.aio.clock import Clock
from podtide.aio.mailbox import Mailbox
from podtide.core import derive, select
from podtide.core.model.reading import Failure, Reading, Reason, Sample
from podtide.core.model.spec import AutoscalerSpec, MetricSpec, PodPage
from podtide.core.model.view import PodView, TargetView
from podtide.net.access import Access, Accesses
from podtide.net.page import Ask
from podtide.net.prepare import Prepared
from podtide.sources import addresses, followed, missing, pool, verdict
from podtide.sources.agenda import Agenda, Appointment
from podtide.sources.rounds import Round

TIMEOUT = 3.0
"""Seconds for one scrape where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the subscriptions share."""

    pool: pool.Pool
    agenda: Agenda
    accesses: Accesses
    timer: Clock
    timeout: float = TIMEOUT
    turns: missing.Turns = field(default_factory=missing.Turns)


class PodPages:
    """Subscribes to pages of pods."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def subscribe(self, spec: AutoscalerSpec, metric: MetricSpec, mailbox: Mailbox[Reading]) -> "Pages":
        """Begin to read this metric of this autoscaler's pods, with the first update."""
        return Pages(self._rooms, spec, metric, mailbox)


@dataclass(frozen=True, slots=True)
class _Target:
    """A pod, and what to ask of it."""

    pod: PodView
    way: Prepared | Failure | None
    ask: Ask | Failure | None
    """None while its access is not known yet."""
    names: tuple[str, ...]
    """What the metric may be called on its page, the best first."""


class Pages:
    """One metric of one autoscaler's pods."""

    def __init__(self, rooms: Rooms, spec: AutoscalerSpec, metric: MetricSpec, mailbox: Mailbox[Reading]) -> None:
        if not isinstance(metric.source, PodPage):
            raise TypeError(f"metric {metric.id} is not read from pods")
        self._rooms = rooms
        self._owner = spec.key
        self._metric = metric
        self._source = metric.source
        self._mailbox = mailbox
        self._ways: dict[Literal["http", "https"], Access] = {}
        self._pods: dict[str, PodView] = {}
        self._targets: dict[str, _Target] = {}
        self._round: Round | None = None
        self._boundary: Appointment | None = None
        self._is_due = True
        """Whether a round should be open, and only waits to know how the pods are reached."""
        self._is_closed = False
        self._is_derived = derive.is_derived(metric.derive)
        self._names: dict[str, tuple[str, ...]] = {}
        self._looks = missing.Looks(metric.select.metric, rooms.agenda.now, rooms.turns)
        self.interval = metric.interval
        self.timeout = min(self._source.http.timeout or rooms.timeout, followed.longest(metric.interval))

    # --- what to read -------------------------------------------------------------------------------------------------

    def update(self, view: TargetView) -> None:
        """Read these pods from now on: the ready ones."""
        if self._is_closed or view.failure is not None:
            return
        self._pods = {pod.uid: pod for pod in view.pods if pod.is_ready}
        self._aim()
        if self._boundary is None:
            self._appoint()

    def close(self) -> None:
        """Read nothing any more."""
        if self._is_closed:
            return
        self._is_closed = True
        self._round = None
        if self._boundary is not None:
            self._boundary.cancel()
        for uid, target in self._targets.items():
            if isinstance(target.ask, Ask):
                self._rooms.pool.leave(target.ask, self, uid)
        self._targets.clear()
        for way in self._ways.values():
            way.close(self._aim)

    def _aim(self) -> None:
        """Follow the endpoints of the pods as they are now, reached as they are reached now."""
        before, self._targets = self._targets, {}
        for uid, pod in self._pods.items():
            target = self._target(pod, before.get(uid))
            self._targets[uid] = target
        for uid, old in before.items():
            new = self._targets.get(uid)
            if isinstance(old.ask, Ask) and (new is None or new.ask != old.ask):
                if new is not None and isinstance(new.ask, Ask):
                    self._rooms.pool.expect(new.ask)
                self._rooms.pool.leave(old.ask, self, uid)
        if self._round is not None:
            self._round.keep(self._pods)
        opening = self._is_due and self._is_known()
        awaited = self._round.pending if self._round is not None else frozenset[str]()
        for uid, target in self._targets.items():
            had = before.get(uid)
            if isinstance(target.ask, Ask) and (had is None or had.ask != target.ask):
                self._rooms.pool.follow(target.ask, self, uid, target.names, soon=opening or uid in awaited)
        if opening:
            self._open(is_early=True)
        elif self._round is not None and not self._round.pending:
            self._finish(self._round)

    def _target(self, pod: PodView, old: _Target | None) -> _Target:
        way = self._way(addresses.scheme(pod, self._source)).state
        if old is not None and old.way is way and (old.pod is pod or old.pod == pod):
            return old
        ask = addresses.ask(pod, self._source, way) if isinstance(way, Prepared) else way
        return _Target(pod, way, ask, self._wanted(addresses.engine(pod)))

    def _way(self, scheme: Literal["http", "https"]) -> Access:
        way = self._ways.get(scheme)
        if way is None:
            http = replace(self._source.http, scheme=scheme, timeout=None)
            way = self._rooms.accesses.open(self._owner.namespace, http, self._aim, owner=str(self._owner))
            self._ways[scheme] = way
        return way

    def _is_known(self) -> bool:
        return bool(self._targets) and all(target.ask is not None for target in self._targets.values())

    # --- rounds -------------------------------------------------------------------------------------------------------

    def _appoint(self) -> None:
        # A turn may come a little early, for others' sake: the boundary it was for must not be appointed again.
        begun = max(self._rooms.agenda.now(), 0.0 if self._boundary is None else self._boundary.when)
        following = self.interval * (math.floor(begun / self.interval + 1e-6) + 1)
        self._boundary = self._rooms.agenda.at(following, self._turn)

    def _turn(self) -> None:
        """An interval ends and the next begins."""
        self._appoint()
        now = self._rooms.agenda.now()
        if self._round is not None:
            spread = self._rooms.pool.spread(self.interval, self.timeout)
            if self._round.is_early and now - self._round.opened < spread + self.timeout:
                return
            self._finish(self._round)
        elif self._is_due:
            self._say_unknown()
        self._open(is_early=False)

    def _open(self, *, is_early: bool) -> None:
        self._is_due = not self._is_known() and bool(self._targets)
        if self._is_due:
            return
        asked = [uid for uid, target in self._targets.items() if isinstance(target.ask, Ask)]
        failed = {uid: target.ask for uid, target in self._targets.items() if isinstance(target.ask, Failure)}
        self._round = Round(self._rooms.agenda.now(), asked, failed, is_early=is_early)
        if not asked:
            self._finish(self._round)

    def _finish(self, over: Round) -> None:
        reading = over.close(self._metric.id, self._rooms.timer.now())
        self._round = None
        whole = [way.state for way in self._ways.values() if isinstance(way.state, Failure)]
        if whole and not reading.values and not reading.series:
            reading = replace(reading, failure=whole[0])
        self._mailbox.put(reading)

    def _say_unknown(self) -> None:
        if self._targets:
            failure = Failure(Reason.CREDENTIALS, "the Secrets and ConfigMaps this source names have not been read yet")
            at = self._rooms.timer.now()
            self._mailbox.put(Reading(self._metric.id, at, expected=len(self._targets), failure=failure))

    # --- answers ------------------------------------------------------------------------------------------------------

    def take(self, key: str, answer: verdict.Series | Failure, text: verdict.Text, content_type: str) -> None:
        """A pod's page, or why there is none. Only the first of a round counts."""
        current = self._round
        if current is None or key not in current.pending:
            return
        if isinstance(answer, Failure):
            current.take(key, answer)
            if answer.reason in verdict.IN_DOUBT:
                self._way(addresses.scheme(self._targets[key].pod, self._source)).suspect()
        else:
            current.take(key, self._outcome(self._targets[key], answer, text, content_type))
        if not current.pending:
            self._finish(current)

    def _outcome(
        self, target: _Target, answer: verdict.Series, text: verdict.Text, content_type: str
    ) -> float | tuple[Sample, ...] | Failure:
        samples = select.first(answer, target.names)
        if not samples:
            return self._looks.why(text, content_type, addresses.engine(target.pod))
        if not self._is_derived:
            return select.value(samples, self._metric.select)
        series = tuple(select.matching(samples, self._metric.select))
        if series:
            return derive.refusal(series, len(text), pods=len(self._targets)) or series
        nothing = select.value(samples, self._metric.select)
        return nothing if isinstance(nothing, Failure) else Failure(Reason.NO_SERIES)

    def _wanted(self, engine: str) -> tuple[str, ...]:
        wanted = self._names.get(engine)
        if wanted is None:
            wanted = derive.candidates(self._metric.select.metric, self._metric.derive, engine)
            self._names[engine] = wanted
        return wanted
