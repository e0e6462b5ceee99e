import dataclasses
import itertools
import random
from array import array

import pytest

from podtide.core.model.spec import Bounds
from podtide.sim import oracle, runner, score
from podtide.sim.ratio import Carrying
from podtide.sim.scenario import Requests
from tests.sim import worlds


@pytest.mark.parametrize(
    ("curve", "gap", "expected"),
    [
        pytest.param([1, 0, 0, 1, 0], 3, [1, 1, 1, 1, 0], id="a short gap is filled, an end is not"),
        pytest.param([1, 0, 0, 1], 2, [1, 0, 0, 1], id="a long gap stays"),
        pytest.param([0, 0, 2, 1, 3], 3, [2, 2, 2, 2, 3], id="by level, and at the beginning"),
        pytest.param([0, 0, 0, 2], 3, [0, 0, 0, 2], id="a long beginning stays"),
        pytest.param([2.0, 1.0, 3.0, 0.0, 1.0], 10**12, [3.0, 3.0, 3.0, 1.0, 1.0], id="as long as all of it"),
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


def is_in_time(load: oracle.Load, counts: tuple[int, ...], step: float, slo: float) -> bool:
    """Whether so many pods get everything done within the bound, sharing all work, first come, first served.

    What has to be done only after the end is no matter.
    """
    now = 0.0
    for at, work in zip(load.arrivals, load.work, strict=True):
        now, rest = max(now, at), work
        while rest > 1e-9:
            place = int(now / step + 1e-9)
            if place >= len(counts):
                return at + slo > load.duration
            share = counts[place] * ((place + 1) * step - now)
            if share >= rest:
                now, rest = now + rest / counts[place], 0.0
            else:
                now, rest = (place + 1) * step, rest - share
        if now > at + slo + 1e-9:
            return False
    return True


def test_no_schedule_at_all_is_in_time_below_the_bound() -> None:
    """By trying every schedule that would be cheaper, with pods that share requests as no real ones can."""
    rng, tight = random.Random(3), 0
    for _ in range(60):
        step, steps = rng.choice((0.5, 1.0)), 6
        arrivals = array("d", sorted(rng.uniform(0, steps * step) for _ in range(rng.randint(2, 6))))
        slo, startup, least = rng.choice((0.5, 1.0, 2.0)), rng.choice((0.0, 1.0, 1.7, 3.0)), rng.randint(0, 1)
        work = array("d", (rng.choice((0.2, 0.5, 1.0)) for _ in arrivals))
        load = oracle.Load(arrivals, work, steps * step, capacity=1.0, speed=2.0)
        found = oracle.bound(load, slo, startup=startup, bounds=Bounds(least, 9))
        for counts in itertools.product(range(least, 4), repeat=steps):
            ups = (max(0, after - before) for before, after in itertools.pairwise(counts))
            dear = sum(counts) * step + sum(up * min(at * step, startup) for at, up in enumerate(ups, 1))
            if dear < found - 1e-9:
                assert not is_in_time(load, counts, step, slo), (load, slo, startup, counts)
                tight += 1
    assert tight > 100


def test_what_has_to_be_done_after_the_end_binds_nobody() -> None:
    load = oracle.Load(array("d", [1.6]), array("d", [1.0]), 3.5, capacity=1.0, speed=1.0)
    assert oracle.bound(load, 2.0, startup=0.0, bounds=Bounds(0, 9)) == 0


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


@pytest.mark.parametrize("requests", [(8, 0, 0, 6), (1, 9, 0, 3), (0, 2, 10, 0), (0, 7, 7, 0)])
def test_nothing_is_below_the_bound_among_all_schedules_of_a_queue(requests: tuple[int, ...]) -> None:
    """Every schedule of 0 to 3 pods in steps of four seconds, on requests of a second each, late after two."""
    made = worlds.scenario(worlds.trace(requests, width=4.0), Requests(1.0, "fixed"), slo=2.0, startup=4.0, grace=60.0)
    least = made.bound(Bounds(0, 3))
    costs = []
    for counts in itertools.product(range(4), repeat=4):
        changes = [(made.world.begin + 4.0 * at, count) for at, count in enumerate(counts)]
        run = runner.run_schedule(changes, made.service(), dataclasses.replace(made.world, replicas=counts[0]))
        found = score.score(run, slo=2.0, needs=(), bound=least)
        costs += [run.pod_seconds] if not found.violations else []
    assert costs
    assert 0.4 * sum(requests) < least <= min(costs)


def test_without_a_queue_a_schedule_costs_what_is_exact() -> None:
    """And a little less where one in a hundred may be late."""
    rng = random.Random(3)
    load = worlds.trace([rng.randint(0, 900) for _ in range(200)], width=15.0)
    made = worlds.scenario(load, Carrying(1.0), startup=60.0)
    strict, lax = (made.reach(Bounds(1, 99), allowed=allowed) for allowed in (0.0, 0.01))
    assert strict is not None
    assert lax is not None
    assert 1.0 <= strict.score.ratio < 1.05
    assert 0.9 < lax.score.ratio < strict.score.ratio
