"""All pods replaced at once, as by a rollout without overlap: the few that are up first do not shrink the workload."""

from dataclasses import replace

import pytest

from podtide.core import engine
from podtide.core.memory import Memory
from podtide.core.model.decision import Decision
from podtide.core.model.reading import Reading, Span
from podtide.core.model.spec import Cooldown, Resource, TargetType, Threshold
from podtide.core.model.view import ContainerView
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


@pytest.mark.parametrize("up", [1, 3])
def test_hpa_waits_for_the_pods_whose_cpu_it_sets_aside(up: int) -> None:
    """Starting costs cpu, too, so upstream counts only the ready ones. These are just below their target."""
    cpu = Threshold(80.0, 80_000, TargetType.UTILIZATION)
    loop = Loop(spec("HPA", replace(metric(Resource("cpu")), threshold=cpu)), replicas=10)
    core = (ContainerView("app", {"cpu": 1000}),)
    loop.ready = 0
    ready = pods(up, started=0.0, ready_since=10.0, containers=core)
    young = pods(10 - up, start=100, ready="False", started=loop.now, created=loop.now, containers=core)
    loop.extra = (*ready, *young)

    def tick() -> Decision:
        loop.now += 2.0
        used = dict.fromkeys([each.uid for each in loop.listed], 0.7)
        spans = {uid: Span(loop.now, 10.0) for uid in used}
        engine.absorb(loop.memory, loop.spec, Reading("0:load", loop.now, used, spans=spans, expected=up))
        return loop.decide()

    for _ in range(250):
        decision = tick()
    assert (loop.replicas, stages(decision)["freshness"]) == (10, "MissingPodsAtTarget")
    for _ in range(55):
        tick()
    assert loop.replicas < 10, "those have been on their way for too long"


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


def test_idle_pods_do_so_also_while_most_are_on_their_way() -> None:
    """Pods that are idle hide no load: what nobody needs goes, pod by pod, before it has started."""
    loop = Loop(spec("KPA"), replicas=2)
    loop.run(100.0, 20.0)
    loop.replicas, loop.ready = 8, 2
    loop.extra = pods(6, start=100, ready="False", created=loop.now)
    decision = loop.run(100.0, 0.5)
    assert loop.replicas < 8
    assert stages(decision)["freshness"] == "MissingPodsAtTarget"


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
