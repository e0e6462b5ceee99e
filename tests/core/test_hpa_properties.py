"""What holds for every HPA proposal, whatever the values and the pods."""

import itertools
import sys
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from podtide.core.algorithms.hpa import arithmetic
from podtide.core.algorithms.hpa.algorithm import HorizontalPods
from podtide.core.model.reading import Span
from podtide.core.model.signal import Signal
from podtide.core.model.spec import Hpa, MetricSpec, TargetType, Tolerance
from podtide.core.model.view import TargetView
from tests.core.hpa_views import CPU, NOW, QUEUE, RPS, metric, pod, view

FINITE = st.floats(allow_nan=False, allow_infinity=False)
LOADS = st.floats(0, 1e6) | st.integers(0, 100).map(float) | st.sampled_from([0.0, 5e-324, 10.0, 11.0, 9.0, 1e308])
TARGETS = st.sampled_from([0.001, 0.5, 1.0, 7.0, 10.0, 50.0, 150.0, 1e6])
RULES = st.builds(
    lambda up, down: Hpa(tolerance=Tolerance(up, down)),
    st.sampled_from([0.0, 0.1, 1.5]),
    st.sampled_from([0.0, 0.1, 0.6]),
)
ANSWERED = st.sampled_from([True, True, True, False])
KINDS: dict[str, tuple[Literal["per pod", "whole"], MetricSpec]] = {
    "average": ("per pod", metric(RPS)),
    "pods' total": ("per pod", metric(RPS, kind=TargetType.VALUE)),
    "cpu": ("per pod", metric(CPU)),
    "utilization": ("per pod", metric(CPU, 50, TargetType.UTILIZATION)),
    "share": ("whole", metric(QUEUE)),
    "value": ("whole", metric(QUEUE, kind=TargetType.VALUE)),
}


USUAL: dict[str, Any] = {}
STATES = [
    *[USUAL] * 6,
    {"deleting": True},
    *[{"phase": phase} for phase in ("Pending", "Failed", "Succeeded", "Unknown")],
    *[
        {"ready": ready, "ready_since": changed, "started": started}
        for ready, changed, started in itertools.product(
            ("True", "False", "Unknown", None), (None, NOW - 900, NOW - 100, NOW), (None, NOW - 901, NOW - 200, NOW)
        )
    ],
]
PODS = st.lists(st.sampled_from(STATES), max_size=7).map(
    lambda states: tuple(pod(f"p{number}", **state) for number, state in enumerate(states))
)


@st.composite
def cases(draw: st.DrawFn, values: st.SearchStrategy[float]) -> tuple[Hpa, MetricSpec, Signal, TargetView]:
    """Rules, a metric of any kind, values for some of the pods, and a target."""
    listed = draw(PODS)
    scope, spec = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    spec = metric(spec.source, draw(TARGETS), spec.threshold.kind)
    level = draw(st.none() | values)
    known = [listed_pod.uid for listed_pod in listed if draw(ANSWERED)]
    seen = Signal(
        "0:m",
        NOW,
        per_pod={uid: draw(values) if level is None else level for uid in known} if scope == "per pod" else {},
        spans={uid: Span(NOW - draw(st.sampled_from([0, 15, 120])), 30.0) for uid in known},
        total=draw(values) if scope == "whole" else None,
        coverage=1.0,
        age=0.0,
    )
    replicas, status = draw(st.integers(0, 9)), draw(st.integers(0, 9))
    return draw(RULES), spec, seen, view(listed, replicas, status)


def replicas(rules: Hpa, spec: MetricSpec, seen: Signal, target: TargetView) -> int | None:
    return HorizontalPods(rules).propose(spec, seen, target, None, NOW).replicas


@settings(max_examples=2000, deadline=None)
@given(cases(LOADS), st.data())
def test_adding_load_never_lowers_a_proposal(
    case: tuple[Hpa, MetricSpec, Signal, TargetView], data: st.DataObject
) -> None:
    """Domain: the same pods, the same pods with values, no value falls; guards on; a current count above 0,
    below which per-pod metrics are not asked. No count means that the current one is held.
    """
    rules, spec, seen, target = case
    rise = data.draw(st.none() | LOADS)

    def raised(value: float) -> float:
        return min(sys.float_info.max, value + (data.draw(LOADS) if rise is None else rise))

    more = Signal(
        "0:m",
        NOW,
        per_pod={uid: raised(value) for uid, value in seen.per_pod.items()},
        spans=seen.spans,
        total=None if seen.total is None else raised(seen.total),
        coverage=1.0,
        age=0.0,
    )
    before, after = replicas(rules, spec, seen, target), replicas(rules, spec, more, target)
    if target.replicas > 0:
        assert (target.replicas if after is None else after) >= (target.replicas if before is None else before)


@settings(max_examples=2000, deadline=None)
@given(cases(LOADS))
def test_missing_pods_never_turn_the_direction(case: tuple[Hpa, MetricSpec, Signal, TargetView]) -> None:
    """What the pods with values ask for alone, against what is proposed with the others unknown."""
    rules, spec, seen, target = case
    if seen.total is not None or spec.threshold.kind is TargetType.VALUE or target.replicas == 0:
        return
    strict = Hpa(tolerance=Tolerance(0.0, 0.0))
    alone = view(tuple(known for known in target.pods if known.uid in seen.per_pod), target.replicas)
    known = HorizontalPods(strict).propose(spec, seen, alone, None, NOW)
    proposed = replicas(rules, spec, seen, target)
    if known.value is None or known.target is None or proposed is None:
        return
    if known.value < known.target:
        assert proposed <= target.replicas
    elif known.value > known.target:
        assert proposed >= target.replicas


@settings(max_examples=2000, deadline=None)
@given(cases(FINITE | st.sampled_from([float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, -1e308])))
def test_hostile_values_never_crash_and_stay_countable(case: tuple[Hpa, MetricSpec, Signal, TargetView]) -> None:
    proposal = HorizontalPods(case[0]).propose(case[1], case[2], case[3], None, NOW)
    if proposal.replicas is not None:
        assert -arithmetic.MOST - 1 <= proposal.replicas <= arithmetic.MOST
    assert proposal == HorizontalPods(case[0]).propose(case[1], case[2], case[3], None, NOW)


def test_without_the_guards_more_load_can_mean_fewer_pods() -> None:
    """Why the property needs them: five of ten pods there, and at 15 of 10 upstream asks for eight."""
    target = view(tuple(pod(f"p{number}") for number in range(5)), replicas=10)
    upstream = Hpa(guarded=False)
    at_target, above = (
        Signal("0:m", NOW, per_pod={f"p{number}": value for number in range(5)}) for value in (10.0, 15.0)
    )
    assert (replicas(upstream, metric(), at_target, target), replicas(upstream, metric(), above, target)) == (10, 8)
