"""A few seeds of the simulation, and what makes it worth something: one seed is one history, and mistakes are found.

The full count is `make dst`; see docs/reliability.md.
"""

import gc
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

import podtide
from tests.dst import faults, mutations, network, world

FAILED_ONCE = (
    pytest.param(5, id="ticks that fall behind the readings by a race"),
    pytest.param(60, id="a replica that was stopped overwrites the status of its successor"),
    pytest.param(113, id="the status of a scaler that the wrong replica wrote stays"),
    pytest.param(14419, id="shrinks at once after an outage as long as the window"),
    pytest.param(17331, id="a zero that was found sleeps on though the minimum rises"),
    pytest.param(85188, id="our own zero is a person's to a new object while a watch is dead"),
    pytest.param(117220, id="shrinks by a window that lacks what was read while a patch waited for its answer"),
)
"""Seeds that found a defect. What they draw changes with the scenario; the defects have tests of their own."""


@pytest.mark.parametrize("seed", range(12))
def test_nothing_that_must_hold_is_violated(seed: int) -> None:
    outcome = world.run(seed)
    assert not outcome.violation
    assert outcome.counts["= decisions"] > 0


@pytest.mark.parametrize("seed", FAILED_ONCE)
def test_seeds_that_failed_once_hold(seed: int) -> None:
    assert not world.run(seed).violation


def test_one_seed_is_one_history() -> None:
    """Byte for byte, also in another process with another hash of strings."""
    here = world.run(3, hours=0.5)
    code = "from tests.dst import world; print(world.run(3, hours=0.5).digest)"
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        there = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=120
        )
        assert there.stdout.strip() == here.digest


def test_memory_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the product has allocated: after eight hours of trouble as much as after two."""
    for kept_by_the_world in ("crash", "replace", "succession", "edit", "recreate"):
        monkeypatch.setattr(faults.Faults, kept_by_the_world, lambda self: None)
    simulated = world.World(9, hours=9.0, keep=False)
    sizes: list[int] = []

    def measure() -> None:
        # The world remembers paths for its own sake.
        network._parsed.cache_clear()
        gc.collect()
        ours = [tracemalloc.Filter(True, f"{Path(podtide.__file__).parent}/*")]
        sizes.append(sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(ours).traces))

    for hour in (2, 8):
        simulated.loop.later(3600.0 * hour, measure)
    tracemalloc.start(1)
    try:
        assert not simulated.run().violation
    finally:
        tracemalloc.stop()
    before, after = sizes
    assert before > 200_000
    assert after < before + 60_000


@pytest.mark.parametrize(
    "name",
    [
        "the lowest of the window instead of the highest",
        "no bounds at the end",
        "the Lease of another is taken too early",
        "a patch without resourceVersion",
        "rivals are not seen",
        "a secret of another namespace",
        "pods are counted instead of those asked for",
    ],
)
def test_a_planted_mistake_is_found(name: str) -> None:
    mutation = next(each for each in mutations.MUTATIONS if each.name == name)
    assert mutations.seeds_for(mutation, limit=20)[0]
