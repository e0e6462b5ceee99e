"""Where Podtide holds a count back and Kubernetes does not. Each guard: what upstream says, what we say."""

import pytest

from podtide.core.algorithms.hpa.algorithm import HorizontalPods
from podtide.core.model.decision import Proposal
from podtide.core.model.signal import Signal
from podtide.core.model.spec import Hpa, MetricSpec, TargetType
from podtide.core.model.view import TargetView
from tests.core.hpa_views import NOW, QUEUE, each, metric, pod, pods, signal, view

UNREADY = tuple(pod(f"p{number}", ready="False") for number in range(4))


def both(spec: MetricSpec, seen: Signal, target: TargetView) -> tuple[Proposal, Proposal]:
    """Upstream's proposal and ours."""
    upstream, ours = (HorizontalPods(Hpa(guarded=guarded)) for guarded in (False, True))
    return upstream.propose(spec, seen, target, None, NOW), ours.propose(spec, seen, target, None, NOW)


@pytest.mark.parametrize(
    ("spec", "seen", "target", "theirs", "ours"),
    [
        pytest.param(
            metric(),
            signal(each(5, 15)),
            view(pods(5), replicas=10),
            8,
            10,
            id="overload never shrinks to fewer than asked",
        ),
        pytest.param(
            metric(QUEUE, 10, TargetType.VALUE),
            signal(total=15),
            view(UNREADY),
            0,
            4,
            id="nor to nothing when none is ready",
        ),
        pytest.param(
            metric(), signal(each(8, 15)), view(pods(8), replicas=6), 12, 9, id="a rollout's surge is not grown upon"
        ),
        pytest.param(
            metric(), signal(each(8, 8)), view(pods(8), replicas=5), 7, 5, id="idle pods in surge do not grow it either"
        ),
        pytest.param(
            metric(),
            signal(each(8, 15)),
            view((*pods(8), pod("late")), replicas=6),
            12,
            8,
            id="nor with a pod missing",
        ),
    ],
)
def test_a_count_rests_on_the_pods_asked_for(
    spec: MetricSpec, seen: Signal, target: TargetView, theirs: int, ours: int
) -> None:
    upstream, guarded = both(spec, seen, target)
    assert (upstream.replicas, guarded.replicas) == (theirs, ours)
    assert [note.reason for note in upstream.notes][1:] == []
    (held,) = guarded.notes[1:]
    assert (held.before, held.after, held.reason) == (theirs, ours, "HeldToCurrentReplicas")


@pytest.mark.parametrize(
    ("spec", "seen", "target", "expected"),
    [
        pytest.param(metric(), signal(each(5, 8)), view(pods(5), replicas=10), 4, id="idle and few: shrink"),
        pytest.param(metric(), signal(each(4, 30)), view(pods(4)), 12, id="overloaded: grow by the ratio"),
        pytest.param(
            metric(QUEUE), signal(total=300), view(pods(4), replicas=4), 30, id="an even share counts no pods"
        ),
        pytest.param(
            metric(QUEUE, 10, TargetType.VALUE), signal(total=25), view(pods(4), replicas=0), 3, id="from zero"
        ),
        pytest.param(metric(), signal(each(4, 25)), view(pods(4), replicas=0), 10, id="pods left over at zero"),
    ],
)
def test_other_counts_are_upstreams(spec: MetricSpec, seen: Signal, target: TargetView, expected: int) -> None:
    upstream, guarded = both(spec, seen, target)
    assert upstream == guarded
    assert guarded.replicas == expected


def test_a_finished_pod_does_not_block_shrinking_for_ever() -> None:
    upstream, ours = both(metric(), signal(each(3, 5)), view((*pods(3), pod("done", phase="Succeeded")), replicas=3))
    assert (upstream.replicas, ours.replicas) == (3, 2)


def test_a_value_below_zero_asks_for_nothing() -> None:
    upstream, ours = both(metric(QUEUE, 10, TargetType.VALUE), signal(total=-60), view(pods(3)))
    assert (upstream.replicas, ours.replicas) == (-18, 0)
    assert ours.value == 0
