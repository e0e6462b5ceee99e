"""What an edit of the object leaves of the memory: no edit shrinks a workload on numbers of another meaning."""

from dataclasses import replace

import pytest

from podtide.core.memory import Frozen, Memory
from podtide.core.model.spec import (
    Algorithm,
    Apa,
    Auth,
    Endpoint,
    External,
    Formula,
    Http,
    Kpa,
    MetricSpec,
    PodPage,
    Query,
    Rate,
    Select,
    Threshold,
)
from tests.core.ticks import PAGE, QUEUE, STRATEGIES, Loop, metric, spec, stages

QUERY = Query(Http(), "https://prometheus", "sum(load)")


def settled(strategy: str | Algorithm, wanted: MetricSpec, load: float = 100.0) -> Loop:
    """Ten pods, at their target for long."""
    loop = Loop(spec(strategy, wanted), replicas=10)
    loop.run(300.0, load)
    assert loop.replicas == 10
    return loop


@pytest.mark.parametrize(
    "edited",
    [
        pytest.param(metric(replace(PAGE, port=9000), 1000.0), id="another port"),
        pytest.param(metric(QUEUE, 1000.0), id="another source"),
        pytest.param(replace(metric(PAGE, 1000.0), select=Select("load_of_all")), id="another series"),
        pytest.param(metric(PAGE, 1000.0, derive=Rate()), id="a rate of it"),
    ],
)
@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_metric_of_another_meaning_begins_anew(strategy: str, edited: MetricSpec) -> None:
    """The unit grows a hundredfold, and the target with it: on the old numbers one pod would do."""
    loop = settled(strategy, metric())
    loop.spec = replace(loop.spec, metrics=(edited,))
    loop.now += 2.0
    decision = loop.decide()
    assert decision.proposals[0].replicas is None
    assert decision.desired == 10


@pytest.mark.parametrize("strategy", ["KPA", "APA"])
def test_it_shrinks_only_once_the_windows_are_full_of_new_numbers(strategy: str) -> None:
    loop = settled(strategy, metric())
    loop.spec = replace(loop.spec, metrics=(replace(metric(), select=Select("other")),))
    loop.run(58.0, 10.0)
    assert loop.replicas == 10
    loop.run(10.0, 10.0)
    assert loop.replicas < 10


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(metric(), metric(target=20.0), id="the target"),
        pytest.param(metric(), metric(interval=4.0), id="the interval"),
        pytest.param(
            metric(), metric(replace(PAGE, http=Http(timeout=1.0, auth=Auth(service_account_token=True)))), id="the way"
        ),
        pytest.param(metric(QUERY), metric(replace(QUERY, http=Http(host_header="a"))), id="the way of a query"),
        pytest.param(
            metric(Endpoint(Http(), "https://load")),
            metric(Endpoint(Http(scheme="https"), "https://load")),
            id="the way of an endpoint",
        ),
    ],
)
def test_a_metric_of_the_same_meaning_goes_on(before: MetricSpec, after: MetricSpec) -> None:
    loop = Loop(spec("KPA", before), replicas=10)
    loop.run(100.0, *((100.0,) if isinstance(before.source, PodPage) else ()))
    if not isinstance(before.source, PodPage):
        loop.memory.keep(before, loop.spec.metrics)
    kept = loop.memory.metrics["0:load"]
    changed = replace(loop.spec, metrics=(after,))
    assert loop.memory.of(after, changed.metrics) is kept
    assert loop.memory.keep(after, changed.metrics) is kept


def test_two_sources_that_change_places_do_not_take_each_other_for_the_same() -> None:
    """Names are by place, so the second source of a name and the first swap theirs."""
    one, two = metric(External("a")), metric(External("b"), place=1)
    loop = Loop(spec("KPA", one, two), replicas=10)
    loop.memory.keep(one, loop.spec.metrics)
    swapped = (replace(one, source=two.source), replace(two, source=one.source))
    assert [loop.memory.of(each, swapped) for each in swapped] == [None, None]


def test_a_formula_begins_anew_with_its_inputs() -> None:
    source = metric(External("queue"), is_input=True)
    formula = MetricSpec(
        "formula", Formula("q", (("q", source.id),), needs_pods=False), Select(""), Threshold(10.0, 10_000)
    )
    memory, metrics = Memory(0.0), (source, formula)
    kept = memory.keep(formula, metrics)
    assert memory.of(formula, (source, formula)) is kept
    assert memory.of(formula, (replace(source, source=External("other")), formula)) is None


def test_a_forecast_goes_with_the_numbers_it_was_learned_from() -> None:
    memory, one = Memory(0.0), metric()
    memory.keep(one, (one,))
    memory.forecasts[one.id] = Frozen({})
    memory.keep(metric(target=20.0), (metric(target=20.0),))
    assert memory.forecasts
    other = replace(one, select=Select("other"))
    memory.keep(other, (other,))
    assert not memory.forecasts


def test_the_meaning_survives_a_snapshot() -> None:
    loop = settled("KPA", metric())
    restored = Memory.restore(loop.memory.snapshot())
    assert restored.of(metric(), (metric(),)) is not None
    assert restored.of(replace(metric(), select=Select("other")), (metric(),)) is None


@pytest.mark.parametrize("before", ["HPA", "KPA", Apa(window=20.0)])
def test_windows_that_are_new_or_longer_are_filled_before_anything_shrinks(before: str | Algorithm) -> None:
    loop = settled(before, metric())
    loop.spec = replace(loop.spec, algorithm=Apa(window=60.0))
    decision = loop.run(38.0, 10.0)
    assert loop.replicas == 10
    assert stages(decision)["freshness"] == "RefillingWindows"
    loop.run(40.0, 10.0)
    assert loop.replicas < 10


def test_windows_that_are_shorter_are_full() -> None:
    loop = Loop(spec(Kpa(stable_window=600.0, panic_window=6.0)), replicas=10)
    loop.run(100.0, 10.0)
    loop.spec = replace(loop.spec, algorithm=Apa(window=20.0))
    loop.run(30.0, 10.0)
    assert loop.replicas < 10


def test_metrics_that_are_gone_are_forgotten_at_the_next_reading() -> None:
    loop = Loop(spec("KPA", metric(), metric(QUEUE, place=1)), replicas=10)
    loop.run(20.0, 100.0, 40.0)
    loop.spec = replace(loop.spec, metrics=loop.spec.metrics[:1])
    loop.tick(100.0)
    assert set(loop.memory.metrics) == set(loop.memory.states) == {"0:load"}
