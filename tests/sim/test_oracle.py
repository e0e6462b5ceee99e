import itertools
import random
from array import array

import pytest

from podtide.core.model.spec import Bounds
from podtide.sim import oracle
from tests.sim import worlds


@pytest.mark.parametrize(
    ("curve", "gap", "expected"),
    [
        pytest.param([1, 0, 0, 1, 0], 3, [1, 1, 1, 1, 0], id="a short gap is filled, an end is not"),
        pytest.param([1, 0, 0, 1], 2, [1, 0, 0, 1], id="a long gap stays"),
        pytest.param([0, 0, 2, 1, 3], 3, [2, 2, 2, 2, 3], id="by level, and at the beginning"),
        pytest.param([0, 0, 0, 2], 3, [0, 0, 0, 2], id="a long beginning stays"),
    ],
)
def test_closing(curve: list[float], gap: int, expected: list[float]) -> None:
    assert oracle.closing(curve, gap) == expected


def cheapest(needed: list[int], startup: int) -> float:
    """By trying every schedule."""
    best = float("inf")
    top = max(needed)
    for counts in itertools.product(*(range(need, top + 1) for need in needed)):
        total, before = float(sum(counts)), counts[0]
        for at, count in enumerate(counts):
            total += max(0, count - before) * min(at, startup)
            before = count
        best = min(best, total)
    return best


def test_exact_is_what_trying_everything_finds() -> None:
    rng = random.Random(7)
    for _ in range(60):
        needed = [rng.choice((0, 0, 1, 2, 3)) for _ in range(6)]
        startup = rng.randint(1, 4)
        found = oracle.exact(needed, 1.0, startup=float(startup), bounds=Bounds(0, 9))
        assert found == cheapest(needed, startup), (needed, startup)


def test_the_bounds_hold_for_the_oracle_too() -> None:
    assert oracle.exact([0, 9, 0], 1.0, startup=0.0, bounds=Bounds(1, 4)) == 1 + 4 + 1


def test_a_steady_load_needs_its_work() -> None:
    count = 10_000
    arrivals = array("d", (at / 10 for at in range(count)))
    load = oracle.Load(arrivals, array("d", [0.25] * count), 1000.0, capacity=1.0, speed=1.0)
    found = oracle.bound(load, 1.0, startup=30.0, bounds=Bounds(1, 50))
    assert 0.9 * 2500 < found <= 2500


def test_a_request_that_is_hopeless_by_itself_binds_nobody() -> None:
    load = oracle.Load(array("d", [5.0]), array("d", [99.0]), 100.0, capacity=1.0, speed=1.0)
    assert oracle.bound(load, 1.0, startup=30.0, bounds=Bounds(0, 9)) == 0


@pytest.mark.parametrize("seed", range(4))
def test_no_schedule_that_meets_the_bound_is_below_it(seed: int) -> None:
    """Schedules that meet the bound for every request, found by adding reserve, on loads that come and go."""
    rng = random.Random(seed)
    load = worlds.trace([rng.choice((0, 10, 400)) for _ in range(30)], width=20.0)
    made = worlds.scenario(load, slo=rng.choice((0.8, 3.0)), startup=rng.choice((5.0, 40.0)), seed=seed)
    best = made.reach(Bounds(1, 60), allowed=made.hopeless)
    assert best is not None
    assert best.score.bound_pod_hours <= best.score.pod_hours
    assert best.score.bound_pod_hours > 600 / 3600
