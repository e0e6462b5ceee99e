"""All pods replaced at once, as by a rollout without overlap: the few that are up first do not shrink the workload."""

import pytest

from podtide.core.memory import Memory
from podtide.core.model.spec import Cooldown
from tests.core.ticks import QUEUE, Loop, metric, pods, spec, stages

WINDOWED = ("APA", "KPA")


def replaced(strategy: str, *, up: int, cooldown: float = 0.0) -> Loop:
    """Ten pods at their target for long, of which so many are up again after a replacement."""
    loop = Loop(spec(strategy, cooldown=Cooldown(0.0, cooldown)), replicas=10)
    loop.run(400.0, 100.0)
    assert loop.replicas == 10
    loop.ready = up
    loop.extra = pods(10 - up, start=100, ready="False", created=loop.now)
    return loop


@pytest.mark.parametrize("strategy", WINDOWED)
@pytest.mark.parametrize("up", [1, 3])
def test_busy_pods_hold_the_workload_while_the_others_start(strategy: str, up: int) -> None:
    """Each serves what it can, which is its target; the others' share of the load shows nowhere."""
    loop = replaced(strategy, up=up, cooldown=300.0)
    decision = loop.run(590.0, 10.0 * up)
    assert loop.replicas == 10
    assert stages(decision)["freshness"] in ("RefillingWindows", "MissingPodsAtTarget")


@pytest.mark.parametrize("strategy", WINDOWED)
def test_the_windows_of_that_time_shrink_nothing_afterwards(strategy: str) -> None:
    loop = replaced(strategy, up=1)
    loop.run(200.0, 10.0)
    loop.ready, loop.extra = None, ()
    loop.run(300.0, 100.0)
    assert loop.replicas == 10


@pytest.mark.parametrize("strategy", WINDOWED)
def test_idle_pods_let_the_workload_shrink_as_far_as_they_are_known(strategy: str) -> None:
    loop = replaced(strategy, up=8)
    decision = loop.run(100.0, 1.0)
    assert loop.replicas < 10
    assert decision.starting == 2


@pytest.mark.parametrize("strategy", WINDOWED)
def test_pods_that_never_start_are_not_waited_for(strategy: str) -> None:
    loop = replaced(strategy, up=1)
    loop.run(900.0, 10.0)
    assert loop.replicas < 10


def test_a_value_that_no_pod_is_asked_for_is_known_all_the_same() -> None:
    loop = Loop(spec("APA", metric(QUEUE)), replicas=10)
    loop.run(200.0, 100.0)
    loop.ready, loop.extra = 1, pods(9, start=100, ready="False", created=loop.now)
    loop.run(100.0, 50.0)
    assert loop.replicas < 10


def test_it_survives_a_snapshot() -> None:
    loop = replaced("APA", up=1)
    loop.run(20.0, 10.0)
    loop.memory = Memory.restore(loop.memory.snapshot())
    loop.ready, loop.extra = None, ()
    decision = loop.run(30.0, 60.0)
    assert stages(decision)["freshness"] == "RefillingWindows"


@pytest.mark.parametrize("strategy", WINDOWED)
def test_a_rollouts_surge_holds_nothing(strategy: str) -> None:
    loop = replaced(strategy, up=10)
    loop.extra = pods(2, start=100, ready="False", created=loop.now)
    loop.run(120.0, 50.0)
    assert loop.replicas == 5
