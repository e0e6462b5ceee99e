"""A forecast only ever raises: beside the same policy without one, at the same state, it never proposes less."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtide.core import engine
from podtide.core.model.spec import Algorithm, AutoscalerSpec, Bounds, Cooldown, Forecast, Foreseen
from tests.core import ticks
from tests.core.test_properties import ALGORITHMS, BEHAVIORS, COOLDOWNS

STEP = 5.0
FORECAST = Forecast(methods=(Foreseen.TREND,), window=60.0, horizon=30.0, max_error=9.0, share=0.9)

PARTS = st.lists(
    # How long, to which load, how much of it is chance, and how many pods are not ready meanwhile.
    st.tuples(st.integers(4, 30), st.sampled_from((0, 5, 40, 90, 300)), st.sampled_from((0, 5)), st.integers(0, 3)),
    min_size=2,
    max_size=6,
)


@st.composite
def policies(draw: st.DrawFn) -> AutoscalerSpec:
    metric = ticks.metric(interval=STEP)
    return ticks.spec(
        draw(st.sampled_from(ALGORITHMS)),
        *draw(st.sampled_from(((metric,), (metric, ticks.metric(ticks.QUEUE, 15.0, place=1, interval=STEP))))),
        behavior=draw(st.sampled_from(BEHAVIORS)),
        cooldown=draw(st.sampled_from(COOLDOWNS)),
        bounds=draw(st.sampled_from((Bounds(1, 60), Bounds(0, 60), Bounds(3, 12)))),
        forecast=FORECAST,
    )


def raised(policy: AutoscalerSpec, parts: list[tuple[int, int, int, int]], seed: int) -> int:
    """How often the forecast raised a count; fails where it lowered one."""
    rng, loop, load, count = random.Random(seed), ticks.Loop(policy), 20.0, 0
    plain = replace(policy, forecast=None)
    for steps, target, noise, unready in parts:
        slope = (target - load) / steps
        for _ in range(steps):
            load += slope
            loop.now += STEP
            loop.ready = max(0, loop.replicas - unready)
            for place in range(len(policy.metrics)):
                value = None if rng.random() < 0.05 else max(0.0, load + rng.uniform(-noise, noise))
                if value is None or place or loop.ready:
                    engine.absorb(loop.memory, policy, loop.read(value, place=place))
            ahead, reactive = (engine.decide(loop.memory, each, loop.view, loop.now) for each in (policy, plain))
            assert ahead.desired >= reactive.desired
            assert ahead.proposals == reactive.proposals
            count += ahead.desired > reactive.desired
            loop.decide()
    return count


@settings(max_examples=60, deadline=None)
@given(policies(), PARTS, st.integers(0, 2**16))
def test_with_a_forecast_never_fewer_than_without(
    policy: AutoscalerSpec, parts: list[tuple[int, int, int, int]], seed: int
) -> None:
    raised(policy, parts, seed)


@pytest.mark.parametrize("algorithm", ALGORITHMS[:4], ids=["KPA", "slow KPA", "HPA", "APA"])
def test_such_loads_are_foreseen(algorithm: Algorithm) -> None:
    policy = ticks.spec(algorithm, ticks.metric(interval=STEP), cooldown=Cooldown(0.0, 0.0), forecast=FORECAST)
    assert raised(policy, [(20, 20, 0, 0), (60, 300, 0, 0)], 1) > 30
