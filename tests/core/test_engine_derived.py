"""Rates, increases and quantiles from counters to the count, through the engine: restarts, gaps and resets."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from podtide.core import engine
from podtide.core.algorithms.hpa.algorithm import HorizontalPods
from podtide.core.memory import Memory
from podtide.core.model.decision import Decision
from podtide.core.model.reading import Failure, Reading, Reason, Sample
from podtide.core.model.spec import (
    Derive,
    Endpoint,
    Hpa,
    Http,
    Increase,
    Quantile,
    Rate,
    Source,
    TargetType,
    Threshold,
)
from tests.core import ticks
from tests.core.ticks import DOWN, PAGE, Loop

STRATEGIES = ("KPA", "HPA", "APA")


@dataclass
class Served:
    """Pods that count what they serve."""

    loop: Loop
    totals: dict[str, float] = field(default_factory=dict)

    def run(self, seconds: float, each: float, *, silent: Sequence[str] = (), step: float = 2.0) -> Decision:
        """Every pod serves `each` a second; the silent ones do not answer. The last decision."""
        for _ in range(round(seconds / step)):
            self.loop.now += step
            uids = [pod.uid for pod in self.loop.listed]
            self.totals = {uid: self.totals.get(uid, 0.0) + each * step for uid in uids}
            series = {
                uid: (Sample("requests_total", {"code": "200"}, total),)
                for uid, total in self.totals.items()
                if uid not in silent
            }
            reading = Reading(
                self.loop.spec.metrics[0].id,
                self.loop.now,
                series=series,
                expected=len(uids),
                failures=dict.fromkeys(silent, DOWN),
            )
            engine.absorb(self.loop.memory, self.loop.spec, reading)
            decision = self.loop.decide()
        return decision


def served(strategy: str, derive: Derive | None = None, *, target: float = 10.0, source: Source = PAGE) -> Served:
    algorithm = ticks.STRATEGIES[strategy]
    if isinstance(algorithm, Hpa):
        algorithm = replace(algorithm, window=60.0)
    return Served(Loop(ticks.spec(algorithm, ticks.metric(source, target, derive=derive or Rate()))))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_count_follows_a_rate(strategy: str) -> None:
    workload = served(strategy)
    workload.loop.follows = False
    decision = workload.run(300, 20.0)
    assert decision.desired == 8
    assert decision.proposals[0].value == pytest.approx(20.0)


def test_an_increase_is_the_rate_times_the_window() -> None:
    workload = served("HPA", Increase(), target=600.0)
    workload.loop.follows = False
    assert workload.run(300, 20.0).proposals[0].value == pytest.approx(1200.0)


def test_one_reading_is_no_rate_and_holds_the_count() -> None:
    workload = served("HPA")
    decision = workload.run(2, 0.0)
    assert (decision.desired, decision.proposals[0].replicas) == (4, None)
    assert decision.signals[0].failure is not None
    assert decision.signals[0].failure.reason is Reason.NO_HISTORY


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_restart_of_a_pod_is_no_fall_of_its_rate(strategy: str) -> None:
    workload = served(strategy)
    workload.loop.follows = False
    workload.run(300, 10.0)
    before = workload.loop.memory.metrics["0:load"].values["uid-1"]
    workload.totals["uid-1"] = 0.0
    decision = workload.run(2, 10.0)
    # The counter began again at zero; what it counted between the last scrape and the restart is lost, no more.
    assert workload.loop.memory.metrics["0:load"].values["uid-1"] == pytest.approx(before, rel=0.05)
    assert decision.desired == 4


def test_a_missed_scrape_does_not_change_a_rate() -> None:
    workload = served("KPA")
    workload.loop.follows = False
    workload.run(300, 10.0)
    decision = workload.run(8, 10.0, silent=["uid-1"])
    assert decision.signals[0].coverage == 0.75
    assert "uid-1" not in decision.signals[0].per_pod
    assert decision.desired == 4
    decision = workload.run(2, 10.0)
    assert decision.signals[0].per_pod["uid-1"] == pytest.approx(10.0)


def test_all_pods_silent_is_missing_not_zero() -> None:
    workload = served("KPA")
    workload.run(300, 10.0)
    decision = workload.run(600, 0.0, silent=[pod.uid for pod in workload.loop.listed])
    assert decision.desired == 4
    assert decision.signals[0].failure == DOWN


def test_new_pods_count_as_average_until_they_have_a_rate() -> None:
    workload = served("KPA")
    workload.loop.follows = False
    workload.run(300, 10.0)
    workload.loop.replicas = 6
    decision = workload.run(2, 10.0)
    # Two new pods answered, but have only one reading each; they neither dilute the load nor count as silent.
    assert decision.signals[0].coverage == 1.0
    assert len(decision.signals[0].per_pod) == 4
    assert {failure.reason for failure in decision.signals[0].failures.values()} == {Reason.NO_HISTORY}


def test_counters_of_pods_that_are_gone_are_forgotten() -> None:
    workload = served("KPA")
    workload.loop.follows = False
    workload.run(100, 10.0)
    workload.loop.replicas = 2
    workload.totals = {uid: total for uid, total in workload.totals.items() if uid in {"uid-0", "uid-1"}}
    workload.run(2, 10.0)
    counters = workload.loop.memory.metrics["0:load"].counters
    assert counters is not None
    assert set(counters) == {"uid-0", "uid-1"}


def test_a_restored_memory_goes_on_with_its_counters() -> None:
    workload = served("HPA")
    workload.loop.follows = False
    workload.run(300, 20.0)
    workload.loop.memory = Memory.restore(workload.loop.memory.snapshot())
    assert workload.run(2, 20.0).proposals[0].value == pytest.approx(20.0)


# --- quantiles: one number of the whole workload ---------------------------------------------------------------------


def buckets(loop: Loop, share: float, count: float) -> None:
    """A reading of a latency histogram; of each pod's observations the share took less than half a second."""
    loop.now += 2.0
    series = {
        pod.uid: tuple(
            Sample("latency_bucket", {"le": bound}, count * part)
            for bound, part in (("0.5", share), ("1", 1.0), ("+Inf", 1.0))
        )
        for pod in loop.listed
    }
    reading = Reading(loop.spec.metrics[0].id, loop.now, series=series, expected=len(series))
    engine.absorb(loop.memory, loop.spec, reading)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_quantile_scales_by_its_ratio_to_the_target(strategy: str) -> None:
    """p90 is 0.8 s: of the observations 6 in 10 take up to 0.5 s, so 3 more are 3/4 of the next bucket: 0.875 s."""
    threshold = Threshold(0.5, 500, TargetType.VALUE)
    metric = replace(ticks.metric(derive=Quantile(0.9)), threshold=threshold)
    loop = Loop(ticks.spec(strategy, metric), follows=False)
    for round_ in range(150):
        buckets(loop, 0.6, 100.0 * round_)
        decision = loop.decide()
    assert decision.proposals[0].value == pytest.approx(0.875)
    # 4 pods, 1.75 times the target.
    assert decision.desired == 7
    assert decision.signals[0].coverage == 1.0


def test_a_quantile_of_nothing_is_missing() -> None:
    metric = replace(ticks.metric(derive=Quantile(0.9)), threshold=Threshold(0.5, 500, TargetType.VALUE))
    loop = Loop(ticks.spec("HPA", metric))
    for _ in range(20):
        buckets(loop, 0.6, 1000.0)
        decision = loop.decide()
    assert decision.desired == 4
    assert decision.proposals[0].reason == "FailedGetPodsMetric"
    assert decision.signals[0].failure is not None
    assert decision.signals[0].failure.reason is Reason.NO_DATA


# --- counters outside the pods ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_rate_of_an_endpoint_is_of_the_whole_workload(strategy: str) -> None:
    """A gateway counts 80 requests a second for all pods: 8 pods at 10 each."""
    workload = served(strategy, source=Endpoint(Http(), "http://gateway:80/metrics"))
    loop = workload.loop
    loop.follows = False
    for round_ in range(150):
        loop.now += 2.0
        reading = Reading("0:load", loop.now, series={"": (Sample("requests_total", {}, 160.0 * round_),)})
        engine.absorb(loop.memory, loop.spec, reading)
        decision = loop.decide()
    assert decision.desired == 8
    assert decision.signals[0].total == pytest.approx(80.0)
    assert decision.signals[0].per_pod == {}


def test_an_endpoint_that_cannot_say_yet_is_missing() -> None:
    loop = served("HPA", source=Endpoint(Http(), "http://gateway:80/metrics")).loop
    loop.now += 2.0
    engine.absorb(
        loop.memory, loop.spec, Reading("0:load", loop.now, series={"": (Sample("requests_total", {}, 5.0),)})
    )
    decision = loop.decide()
    assert isinstance(decision.signals[0].failure, Failure)
    assert decision.signals[0].failure.reason is Reason.NO_HISTORY
    assert decision.desired == 4


def test_hpa_keeps_no_windows_for_a_rate() -> None:
    """The rate itself looks back over the observe window; HPA holds its latest value against the target."""
    assert HorizontalPods(Hpa()).windows() == ()


CROWD = tuple(Sample("requests_total", {"text": "x" * 500_000, "id": str(at)}, 1.0) for at in range(21))
"""Too much to be remembered of one pod."""


def test_a_pod_with_too_many_series_is_missing_not_zero() -> None:
    workload = served("KPA")
    workload.loop.follows = False
    workload.run(300, 10.0)
    workload.loop.now += 2
    series = {uid: (Sample("requests_total", {"code": "200"}, total + 20),) for uid, total in workload.totals.items()}
    reading = Reading(
        workload.loop.spec.metrics[0].id, workload.loop.now, series={**series, "uid-1": CROWD}, expected=len(series)
    )
    engine.absorb(workload.loop.memory, workload.loop.spec, reading)
    decision = workload.loop.decide()

    assert decision.signals[0].coverage == 0.75
    assert decision.signals[0].failures["uid-1"] == Failure(Reason.TOO_LARGE)
    assert decision.desired == 4


@pytest.mark.parametrize("derive", [Rate(), Quantile(0.9)])
@pytest.mark.parametrize("uid", ["", "uid-1"])
def test_an_answer_with_too_many_series_is_the_failure(derive: Derive, uid: str) -> None:
    workload = served("KPA", derive)
    reading = Reading(workload.loop.spec.metrics[0].id, workload.loop.now, series={uid: CROWD}, expected=1)
    engine.absorb(workload.loop.memory, workload.loop.spec, reading)

    assert workload.loop.memory.metrics["0:load"].failure == Failure(Reason.TOO_LARGE)
