"""`python -m tests.dst.mutations`: mistakes planted in the product, and how many seeds find each.

A proof that finds nothing proves little. Each mistake is a patch of one function, made for the time of a few seeds; the
command fails if one is not found within `LIMIT` seeds. Docs: docs/reliability.md.
"""

import argparse
import concurrent.futures
import contextlib
import io
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest import mock

import pytest

from podtide.api import status
from podtide.control import changes
from podtide.control.fleet import Fleet
from podtide.control.keeper import Keeper
from podtide.control.ownership import Ownership
from podtide.control.report import Reports
from podtide.core.algorithms.hpa import arithmetic
from podtide.core.algorithms.kpa import decider
from podtide.core.engine import around, zero
from podtide.core.limits import bounds, combine, freshness, schedule, stabilise
from podtide.core.memory import Memory, MetricMemory
from podtide.core.model.decision import Action, Decision, Note, Outcome
from podtide.core.model.history import History
from podtide.core.model.reading import Failure, Reading
from podtide.core.model.spec import Mode
from podtide.kube import cache, errors, leases, secrets, watch
from podtide.net.prepare import Preparer
from podtide.sources import pods, rounds
from podtide.targets import rivals, scale
from podtide.telemetry.meters import Meters
from tests.dst import world

LIMIT = 400
"""Seeds within which each mistake must be found."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One mistake."""

    name: str
    owner: Any
    attribute: str
    make: Callable[[Any], Any]
    """From the function as it is to the mistaken one."""
    tests: tuple[str, ...] = ()
    """Tests of the part that find it where these worlds do not."""

    @contextlib.contextmanager
    def planted(self) -> Iterator[None]:
        """While this lasts, the mistake is there."""
        with mock.patch.object(self.owner, self.attribute, self.make(getattr(self.owner, self.attribute))):
            yield


def _missing_is_zero(right: Any) -> Any:
    def close(self: rounds.Round, metric: str, at: float) -> Reading:
        reading: Reading = right(self, metric, at)
        return replace(reading, values={**dict.fromkeys(reading.failures, 0.0), **reading.values}, failures={})

    return close


def _failed_pods_are_not_expected(right: Any) -> Any:
    def close(self: rounds.Round, metric: str, at: float) -> Reading:
        reading: Reading = right(self, metric, at)
        return replace(reading, expected=len(reading.values))

    return close


def _lowest_of_the_window(right: Any) -> Any:
    def between(
        replicas: int, history: History, *, current: int, up: float, down: float, now: float
    ) -> tuple[int, Note | None]:
        if replicas < current and down > 0:
            return min([replicas, *history.since(now - down)]), None
        stable: tuple[int, Note | None] = right(replicas, history, current=current, up=up, down=down, now=now)
        return stable

    return between


def _no_stabilisation(right: Any) -> Any:
    return lambda replicas, history, **_: (replicas, None)


def _nothing_is_stale(right: Any) -> Any:
    return lambda evidence, behind=0.0: False


def _no_freshness(right: Any) -> Any:
    return lambda replicas, evidence, **_: (replicas, None)


def _no_bounds(right: Any) -> Any:
    return lambda replicas, limits, **_: (replicas, None)


def _failed_metrics_are_ignored(right: Any) -> Any:
    def combined(proposals: Any, current: int) -> combine.Combined:
        known = [proposal for proposal in proposals if proposal.replicas is not None]
        return right(known or proposals, current)  # type: ignore[no-any-return]

    return combined


def _lowest_metric_wins(right: Any) -> Any:
    def combined(proposals: Any, current: int) -> combine.Combined:
        known = [proposal for proposal in proposals if proposal.replicas is not None]
        return right(sorted(known, key=lambda each: each.replicas)[:1] or proposals, current)  # type: ignore[no-any-return]

    return combined


def _lease_is_held_for_ever(right: Any) -> Any:
    return lambda self: self._held


def _deadline_is_the_duration(right: Any) -> Any:
    def init(self: leases.Timing, duration: float = 15.0, deadline: float = 10.0, retry: float = 2.0) -> None:
        right(self, duration, duration * 1.3, retry)

    return init


def _right_counts_from_the_answer(right: Any) -> Any:
    async def alone(self: leases.Lease) -> None:
        await right(self)
        if self.is_held():
            self._until = self._monotonic() + self._timing.duration

    return alone


def _everybody_may_write(right: Any) -> Any:
    return lambda self, uid: True


def _no_list_after_gone(right: Any) -> Any:
    async def when_due(self: watch.Reflector[Any, Any]) -> None:
        if self.listed.is_set() and not self._version:
            self._version = str(10**9)
            return
        await right(self)

    return when_due


def _deletions_are_missed(right: Any) -> Any:
    return lambda self, key: None


def _a_list_only_adds(right: Any) -> Any:
    def replaced(self: cache.Cache[Any], items: dict[Any, Any], *, namespace: str = "") -> None:
        for key, item in items.items():
            self.put(key, item)

    return replaced


def _no_version(right: Any) -> Any:
    async def apply(self: scale.ScaleTarget, decision: Decision, **options: Any) -> Any:
        return await right(self, replace(decision, version=""), **options)

    return apply


def _refused_is_tried_again(right: Any) -> Any:
    async def apply(self: scale.ScaleTarget, decision: Decision, **options: Any) -> Any:
        applied = await right(self, decision, **options)
        if applied.outcome is Outcome.REFUSED:
            self._known = None
            resource = await self.resource()
            with contextlib.suppress(errors.KubeError):
                now = await self._client.get(
                    resource, self._key.namespace, self._key.name, into=scale.objects.Scale, sub="scale"
                )
                return await right(self, replace(decision, version=now.metadata.resourceVersion), **options)
        return applied

    return apply


def _dry_runs_are_carried_out(right: Any) -> Any:
    async def apply(self: scale.ScaleTarget, decision: Decision, **options: Any) -> Any:
        if decision.action is Action.SUPPRESS and self._spec.mode is not Mode.ACTIVE:
            decision = replace(decision, action=Action.PATCH)
        return await right(self, decision, **options)

    return apply


def _no_rivals(right: Any) -> Any:
    return lambda self, spec: ()


def _panic_ends_early(right: Any) -> Any:
    def panic(spec: Any, state: Any, *, is_over: bool, now: float) -> tuple[float | None, int]:
        return (now, state.high) if is_over else (None, 0)

    return panic


def _windows_need_no_refill(right: Any) -> Any:
    def take(self: MetricMemory, reading: Reading, *args: Any, **options: Any) -> None:
        right(self, reading, *args, **options)
        self.refilled = reading.at

    return take


def _a_restart_recommends_nothing(right: Any) -> Any:
    def limit(spec: Any, replicas: int, history: History, **options: Any) -> Any:
        if len(history.recommendations) <= 1:
            history = History()
        return right(spec, replicas, history, **options)

    return limit


def _statuses_are_tried_once(right: Any) -> Any:
    async def store(self: Reports, subject: Any) -> bool:
        wanted = subject.wanted
        await right(self, subject)
        subject.written = wanted
        return True

    return store


def _an_edit_is_not_noticed(right: Any) -> Any:
    def change(self: Fleet, what: Any) -> None:
        key = what.key
        if key in self._members and hasattr(what, "decoded") and self._members[key].spec.uid == what.metadata.uid:
            return
        right(self, what)

    return change


def _subscriptions_stay_open(right: Any) -> Any:
    return lambda self: None


def _a_lost_shard_goes_on(right: Any) -> Any:
    return lambda self, number: None


def _kept_values_are_fresh(right: Any) -> Any:
    def restore(data: bytes) -> Memory:
        memory: Memory = right(data)
        memory.history = History()
        for metric in memory.metrics.values():
            metric.refilled = 0.0
        return memory

    return staticmethod(restore)


def _garbage_is_zero(right: Any) -> Any:
    def outcome(self: pods.Pages, *args: Any) -> Any:
        found = right(self, *args)
        return 0.0 if isinstance(found, Failure) else found

    return outcome


def _bookmarks_go_too_far(right: Any) -> Any:
    def apply(self: watch.Reflector[Any, Any], line: bytes) -> None:
        right(self, line)
        self._version = str(int(self._version) + 50)

    return apply


def _secrets_of_another(right: Any) -> Any:
    async def ask(self: secrets.Secrets, resource: Any, namespace: str, name: str) -> Any:
        return await right(self, resource, "team-1" if namespace == "team-0" else "team-0", name)

    return ask


def _no_tolerance(right: Any) -> Any:
    return lambda ratio, tolerance: False


def _secrets_are_read_once(right: Any) -> Any:
    def init(self: secrets.Secrets, client: Any, *, fresh: float = 0.0) -> None:
        right(self, client, fresh=math.inf)

    return init


def _every_tick_is_told(right: Any) -> Any:
    return lambda before, after: True


def _every_tick_is_an_event(right: Any) -> Any:
    def news(before: Any, decision: Decision, applied: Any) -> Iterator[changes.News]:
        yield from right(before, decision, applied)
        yield changes.News("Normal", decision.reason, decision.message, "Decide")

    return news


def _series_stay(right: Any) -> Any:
    return lambda self, key: None


def _no_schedule(right: Any) -> Any:
    return lambda own, schedules, now: right(own, (), now)


def _zero_for_good(right: Any) -> Any:
    return lambda memory, spec, limits: False


def _woken_by_nothing(right: Any) -> Any:
    def woken(proposal: Any, metric: Any, signal: Any) -> Any:
        return right(proposal, replace(metric, activation=-1.0), signal)

    return woken


def _certificates_are_not_looked_at(right: Any) -> Any:
    return lambda self, kind: kind.http.scheme == "https"


def _memories_are_mixed_up(right: Any) -> Any:
    async def load(self: Keeper, number: int) -> Any:
        found = await right(self, number)
        return dict(zip(found, [*list(found.values())[1:], *list(found.values())[:1]], strict=True))

    return load


def _the_lease_of_another_is_taken(right: Any) -> Any:
    def see(self: leases.Lease, holder: str, version: str, lasts: float) -> None:
        right(self, holder, version, lasts / 4)

    return see


def _pods_are_counted_not_asked_for(right: Any) -> Any:
    async def view(self: scale.ScaleTarget, now: float) -> Any:
        seen = await right(self, now)
        return replace(seen, replicas=len([pod for pod in seen.pods if not pod.deleting]))

    return view


def _the_last_status_is_not_written(right: Any) -> Any:
    return lambda self, key, subject: None


def _an_outage_asks_for_nothing(right: Any) -> Any:
    return lambda self, now, spec: False


def _a_found_zero_is_nobodys(right: Any) -> Any:
    return lambda decision: False


MUTATIONS = (
    Mutation("a missing value is zero", rounds.Round, "close", _missing_is_zero),
    Mutation("pods that failed are not expected", rounds.Round, "close", _failed_pods_are_not_expected),
    Mutation("a page that does not parse is zero", pods.Pages, "_outcome", _garbage_is_zero),
    Mutation("the lowest of the window instead of the highest", stabilise, "between", _lowest_of_the_window),
    Mutation("no stabilisation", stabilise, "between", _no_stabilisation),
    Mutation("nothing is stale", freshness, "is_stale", _nothing_is_stale),
    Mutation("shrinks on whatever there is", freshness, "hold", _no_freshness),
    Mutation("windows need no refilling", MetricMemory, "take", _windows_need_no_refill),
    Mutation("no bounds at the end", bounds, "clamp", _no_bounds),
    Mutation("the lowest metric wins", combine, "combine", _lowest_metric_wins),
    Mutation("the lease is believed, not looked at", leases.Lease, "is_held", _lease_is_held_for_ever),
    Mutation("the lease is held longer than it lasts", leases.Timing, "__init__", _deadline_is_the_duration),
    Mutation("the right counts from the answer", leases.Lease, "_try_alone", _right_counts_from_the_answer),
    Mutation("a lost shard goes on", Fleet, "close", _a_lost_shard_goes_on),
    Mutation("the old cache is used after 410", watch.Reflector, "_list_when_due", _no_list_after_gone),
    Mutation("deletions are not noticed", cache.Cache, "drop", _deletions_are_missed),
    Mutation("a list only adds", cache.Cache, "replace", _a_list_only_adds),
    Mutation("a bookmark goes too far", watch.Reflector, "_apply", _bookmarks_go_too_far),
    Mutation("a patch without resourceVersion", scale.ScaleTarget, "apply", _no_version),
    Mutation("a refused patch is sent again", scale.ScaleTarget, "apply", _refused_is_tried_again),
    Mutation("dry runs are carried out", scale.ScaleTarget, "apply", _dry_runs_are_carried_out),
    Mutation("rivals are not seen", rivals.Rivals, "older", _no_rivals),
    Mutation("statuses are tried once", Reports, "_store", _statuses_are_tried_once),
    Mutation("an edit is not noticed", Fleet, "_change", _an_edit_is_not_noticed),
    Mutation("a secret of another namespace", secrets.Secrets, "_ask", _secrets_of_another),
    Mutation("subscriptions stay open", pods.Pages, "close", _subscriptions_stay_open),
    Mutation("a Secret is read once", secrets.Secrets, "__init__", _secrets_are_read_once),
    Mutation("every tick is a status", status, "changed", _every_tick_is_told),
    Mutation("every tick is an event", changes, "news", _every_tick_is_an_event),
    Mutation("the series of what is deleted stay", Meters, "forget", _series_stay),
    Mutation("schedules are not looked at", schedule, "in_force", _no_schedule),
    Mutation("zero is for good", zero, "is_awake", _zero_for_good),
    Mutation("nothing at all wakes", zero, "woken", _woken_by_nothing),
    Mutation("certificates are not looked at", Preparer, "skips", _certificates_are_not_looked_at),
    Mutation("the Lease of another is taken too early", leases.Lease, "_see", _the_lease_of_another_is_taken),
    Mutation("pods are counted instead of those asked for", scale.ScaleTarget, "view", _pods_are_counted_not_asked_for),
    Mutation("panic ends early", decider, "_panic", _panic_ends_early),
)

HIDDEN = (
    Mutation(
        "a restart has no recommendation",
        around,
        "limit",
        _a_restart_recommends_nothing,
        ("tests/core/test_upstream.py",),
    ),
    Mutation(
        "failed metrics are left out", combine, "combine", _failed_metrics_are_ignored, ("tests/core/test_engine.py",)
    ),
    Mutation(
        "the tolerance is not looked at", arithmetic, "is_within", _no_tolerance, ("tests/core/test_upstream.py",)
    ),
    Mutation(
        "memories of two autoscalers are mixed up",
        Keeper,
        "load",
        _memories_are_mixed_up,
        ("tests/control/test_keeper.py",),
    ),
    Mutation(
        "what another wrote over is left so",
        Reports,
        "_look",
        _the_last_status_is_not_written,
        ("tests/control/test_report.py",),
    ),
    Mutation(
        "nobody asks for the lease",
        Ownership,
        "owns",
        _everybody_may_write,
        ("tests/control/test_fleet.py",),
    ),
    Mutation(
        "an outage asks for nothing", Memory, "was_blind", _an_outage_asks_for_nothing, ("tests/core/test_engine.py",)
    ),
    Mutation(
        "a zero that is found is nobody's", zero, "is_kept", _a_found_zero_is_nobodys, ("tests/core/test_zero.py",)
    ),
    Mutation(
        "a restored memory is taken for full", Memory, "restore", _kept_values_are_fresh, ("tests/core/test_memory.py",)
    ),
)
"""Hidden from these worlds, by a second guard or because nothing that must hold is violated. Tests of the part find
them, and `--hidden` shows that."""


class _Planting:
    """A plugin for pytest: while a test runs, the mistake is there."""

    def __init__(self, mutation: Mutation) -> None:
        self._mutation = mutation

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        with self._mutation.planted():
            yield


def _test_that_fails(number: int) -> str:
    """The first test that finds a hidden mistake; nothing where none does."""
    said, mutation = io.StringIO(), HIDDEN[number]
    with contextlib.redirect_stdout(said):
        # httpx imports anyio, which is a plugin of pytest as well, and is there before it here.
        quiet = ("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")
        pytest.main(
            ["-q", "-x", "-n", "0", "-p", "no:cacheprovider", *quiet, "-rf", *mutation.tests],
            plugins=[_Planting(mutation)],
        )
    failed = [line.split()[1] for line in said.getvalue().splitlines() if line.startswith("FAILED ")]
    return failed[0] if failed else ""


def seeds_for(mutation: Mutation, limit: int = LIMIT) -> tuple[int, str]:
    """How many seeds it takes to find a mistake, and what was violated; 0 and nothing when it is not found."""
    with mutation.planted():
        for seed in range(limit):
            outcome = world.run(seed)
            if outcome.violation:
                return seed + 1, outcome.violation
    return 0, ""


def _found(number: int, limit: int) -> tuple[int, str]:
    return seeds_for(MUTATIONS[number], limit)


def _tell(names: Sequence[str], found: Iterable[tuple[object, str]]) -> bool:
    """One line for each mistake; whether one was not found."""
    missed = False
    for name, (where, violation) in zip(names, found, strict=True):
        missed |= not where
        first, *_, last = (violation or "NOT FOUND").splitlines() * 2
        said = last if "Traceback" in first else first
        print(f"{where or '-':>5}  {name}: {said[:140]}", flush=True)
    return missed


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.dst.mutations", description=__doc__)
    parser.add_argument("--only", default="", help="part of a name")
    parser.add_argument("--hidden", action="store_true", help="those that these worlds hide, and the tests that fail")
    parser.add_argument("--limit", type=int, default=LIMIT, help="seeds to try at most (%(default)s)")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    sought = HIDDEN if options.hidden else MUTATIONS
    numbers = [number for number, each in enumerate(sought) if options.only in each.name]
    names = [sought[number].name for number in numbers]
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        if options.hidden:
            return _tell(names, (("test" if each else "", each) for each in pool.map(_test_that_fails, numbers)))
        return _tell(names, pool.map(partial(_found, limit=options.limit), numbers))


if __name__ == "__main__":
    sys.exit(main())
