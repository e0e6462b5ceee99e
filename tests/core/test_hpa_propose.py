"""HPA as an algorithm of Podtide: what each source means, and what a proposal says."""

import pytest

from podtide.core.algorithms.hpa.algorithm import HorizontalPods
from podtide.core.model.decision import Proposal
from podtide.core.model.reading import Failure, Reason, Span
from podtide.core.model.signal import Signal
from podtide.core.model.spec import (
    Custom,
    Endpoint,
    Hpa,
    Http,
    MetricSpec,
    ObjectRef,
    PodPage,
    Query,
    Resource,
    Source,
    TargetType,
    Tolerance,
)
from podtide.core.model.view import TargetView
from tests.core.hpa_views import CPU, NOW, QUEUE, RPS, each, metric, pod, pods, signal, view

PAGE = PodPage(Http(), 8080, "/metrics")
INGRESS = Custom("rps", ObjectRef("networking.k8s.io/v1", "Ingress", "main"))
ALGORITHM = HorizontalPods(Hpa())


def propose(spec: MetricSpec, seen: Signal, target: TargetView, rules: Hpa | None = None) -> Proposal:
    return HorizontalPods(rules or Hpa()).propose(spec, seen, target, None, NOW)


@pytest.mark.parametrize(
    ("source", "kind", "target", "seen", "replicas", "value"),
    [
        pytest.param(PAGE, TargetType.AVERAGE_VALUE, 10, signal(each(4, 15)), 6, 15, id="a page, per pod"),
        pytest.param(RPS, TargetType.AVERAGE_VALUE, 10, signal(each(4, 15)), 6, 15, id="custom, per pod"),
        pytest.param(PAGE, TargetType.VALUE, 40, signal(each(4, 15)), 6, 60, id="a page, of the whole"),
        pytest.param(PAGE, TargetType.VALUE, 40, signal(each(2, 15)), 6, 60, id="half the pods stand for all"),
        pytest.param(CPU, TargetType.UTILIZATION, 50, signal(each(4, 0.75)), 6, 75, id="cpu in per cent of requests"),
        pytest.param(CPU, TargetType.AVERAGE_VALUE, 0.5, signal(each(4, 0.75)), 6, 0.75, id="cpu in cores"),
        pytest.param(INGRESS, TargetType.VALUE, 40, signal(total=60), 6, 60, id="an object's value"),
        pytest.param(INGRESS, TargetType.AVERAGE_VALUE, 10, signal(total=60), 6, 15, id="an object's share"),
        pytest.param(QUEUE, TargetType.VALUE, 40, signal(total=60), 6, 60, id="an external value"),
        pytest.param(QUEUE, TargetType.AVERAGE_VALUE, 10, signal(total=60), 6, 15, id="an external share"),
        pytest.param(
            Endpoint(Http(), "http://a"), TargetType.AVERAGE_VALUE, 10, signal(total=60), 6, 15, id="an endpoint's"
        ),
        pytest.param(
            Query(Http(), "http://a", "up"), TargetType.AVERAGE_VALUE, 10, signal(total=60), 6, 15, id="a query's"
        ),
    ],
)
def test_what_each_source_means(
    source: Source, kind: TargetType, target: float, seen: Signal, replicas: int, value: float
) -> None:
    proposal = propose(metric(source, target, kind), seen, view(pods(4)))
    assert (proposal.replicas, proposal.reason, proposal.value) == (replicas, "ValidMetricFound", value)
    assert proposal.target == target
    assert [(note.before, note.after) for note in proposal.notes] == [(4, replicas)]


@pytest.mark.parametrize(
    ("source", "kind", "reason"),
    [
        pytest.param(PAGE, TargetType.AVERAGE_VALUE, "FailedGetPodsMetric", id="a page"),
        pytest.param(RPS, TargetType.AVERAGE_VALUE, "FailedGetPodsMetric", id="custom per pod"),
        pytest.param(CPU, TargetType.UTILIZATION, "FailedGetResourceMetric", id="a resource"),
        pytest.param(
            Resource("cpu", "app"), TargetType.UTILIZATION, "FailedGetContainerResourceMetric", id="a container's"
        ),
        pytest.param(INGRESS, TargetType.VALUE, "FailedGetObjectMetric", id="an object"),
        pytest.param(QUEUE, TargetType.VALUE, "FailedGetExternalMetric", id="external"),
        pytest.param(Query(Http(), "http://a", "up"), TargetType.VALUE, "FailedGetExternalMetric", id="a query"),
    ],
)
def test_a_source_that_failed_has_no_count_even_beside_older_values(
    source: Source, kind: TargetType, reason: str
) -> None:
    seen = Signal("0:m", NOW - 60, per_pod=each(4, 1), total=1, failure=Failure(Reason.TIMEOUT, "took over 5 s"))
    proposal = HorizontalPods(Hpa()).propose(metric(source, 10, kind), seen, view(pods(4)), "kept", NOW)
    assert (proposal.replicas, proposal.reason, proposal.message) == (None, reason, "took over 5 s")
    assert proposal.state == "kept"


@pytest.mark.parametrize(
    ("spec", "seen", "listed", "message"),
    [
        pytest.param(metric(), signal(each(1, 1)), (), "no pods returned by selector", id="no pods"),
        pytest.param(metric(), signal(), pods(2), "did not receive metrics for targeted pods", id="no values"),
        pytest.param(metric(QUEUE), signal(), pods(2), "has given no value yet", id="no total"),
        pytest.param(metric(QUEUE), signal(total=float("inf")), pods(2), "no value yet", id="an infinite total"),
        pytest.param(metric(PAGE, 9, TargetType.VALUE), signal(), pods(2), "no value yet", id="no pods' total"),
        pytest.param(metric(RPS, 0), signal(each(2, 1)), pods(2), "target 0 must be above zero", id="no target"),
        pytest.param(
            metric(RPS, 50, TargetType.UTILIZATION),
            signal(each(2, 1)),
            pods(2),
            "only cpu and memory",
            id="no requests",
        ),
        pytest.param(
            metric(QUEUE, 10, TargetType.VALUE),
            signal(total=30),
            (),
            "unable to calculate ready pods",
            id="no ready pods",
        ),
    ],
)
def test_trouble_is_named(spec: MetricSpec, seen: Signal, listed: tuple[()], message: str) -> None:
    proposal = propose(spec, seen, view(listed, replicas=2))
    assert proposal.replicas is None
    assert message in proposal.message


def test_a_pod_without_a_value_counts_as_idle_when_growing_and_as_busy_when_shrinking() -> None:
    assert propose(metric(), signal(each(3, 20)), view(pods(4))).replicas == 6
    assert propose(metric(), signal(each(3, 2)), view(pods(4))).replicas == 2


def test_values_that_are_no_numbers_are_missing() -> None:
    seen = signal({**each(3, 20), "p3": float("nan")})
    assert propose(metric(), seen, view(pods(4))) == propose(metric(), signal(each(3, 20)), view(pods(4)))


def test_a_starting_pod_burning_cpu_is_not_load() -> None:
    young = pod("p3", started=NOW - 60, ready_since=NOW - 10)
    before = Signal("0:m", NOW, per_pod=each(4, 0.9), spans={f"p{n}": Span(NOW - 15, 30) for n in range(4)})
    after = Signal("0:m", NOW, per_pod=each(4, 0.9), spans={f"p{n}": Span(NOW + 30, 30) for n in range(4)})
    spec = metric(CPU, 50, TargetType.UTILIZATION)
    assert propose(spec, before, view((*pods(3), young))).replicas == 6
    assert propose(spec, after, view((*pods(3), young))).replicas == 8


def test_a_young_pod_whose_reading_has_no_time_is_not_trusted() -> None:
    young = pod("p3", started=NOW - 60, ready_since=NOW - 50)
    timeless = Signal("0:m", NOW, per_pod=each(4, 0.9))
    assert propose(metric(CPU, 50, TargetType.UTILIZATION), timeless, view((*pods(3), young))).replicas == 6


def test_from_zero_the_value_alone_decides() -> None:
    assert propose(metric(QUEUE, 10, TargetType.VALUE), signal(total=25), view((), replicas=0)).replicas == 3
    assert propose(metric(QUEUE, 10), signal(total=25), view((), replicas=0)).replicas == 3
    assert propose(metric(QUEUE, 10), signal(total=25), view((), replicas=0)).value is None


def test_the_band_around_the_target_has_two_sides() -> None:
    rules = Hpa(tolerance=Tolerance(up=0.5, down=0.0))
    assert propose(metric(), signal(each(4, 15)), view(pods(4)), rules).replicas == 4
    assert propose(metric(), signal(each(4, 15.1)), view(pods(4)), rules).replicas == 7
    assert propose(metric(), signal(each(4, 7.5)), view(pods(4)), rules).replicas == 3


def test_it_remembers_nothing() -> None:
    assert ALGORITHM.windows() == ()
    assert ALGORITHM.state_type is None


def test_the_note_names_the_rule_and_the_numbers() -> None:
    (note,) = propose(metric(), signal(each(4, 15)), view(pods(4))).notes
    assert (note.stage, note.reason, note.message) == ("hpa", "PlainScaled", "15 of 10, ratio 1.5, 4 pods")
