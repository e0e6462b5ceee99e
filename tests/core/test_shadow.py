"""Another policy beside the acting one: it sees the same, and never does anything."""

from dataclasses import replace

from podtide.core.memory import Memory
from podtide.core.model.decision import Action
from podtide.core.model.spec import Bounds, Mode
from tests.core import ticks

KPA = ticks.spec("KPA", bounds=Bounds(1, 10))
HPA = ticks.spec("HPA", bounds=Bounds(1, 50), mode=Mode.DRY_RUN)


def test_the_shadow_says_what_it_would_do_and_changes_nothing() -> None:
    with_shadow = ticks.Loop(replace(KPA, shadow=HPA), replicas=4)
    without = ticks.Loop(KPA, replicas=4)
    for load in (5.0, 5.0, 90.0, 90.0, 90.0):
        decision, plain = (loop.tick(load * loop.replicas) for loop in (with_shadow, without))
        assert replace(decision, shadow=None) == plain
        assert decision.shadow is not None
        assert decision.shadow.action is not Action.PATCH
    assert (with_shadow.replicas, without.replicas) == (10, 10)
    assert decision.shadow is not None
    assert decision.shadow.desired > 10


def test_the_shadow_decides_as_it_would_alone_on_the_same_target() -> None:
    loop = ticks.Loop(replace(KPA, shadow=HPA), replicas=4, follows=False)
    alone = ticks.Loop(HPA, replicas=4, follows=False)
    for load in (5.0, 40.0, 40.0, 3.0, 3.0):
        decision, other = loop.tick(load * 4), alone.tick(load * 4)
        assert decision.shadow is not None
        assert (decision.shadow.desired, decision.shadow.trail) == (other.desired, other.trail)


def test_what_the_shadow_remembers_survives_a_restart() -> None:
    loop = ticks.Loop(replace(KPA, shadow=ticks.spec("APA", mode=Mode.DRY_RUN)), replicas=4)
    loop.run(60.0, 48.0)
    again = Memory.restore(loop.memory.snapshot())
    assert again.shadow is not None
    assert again.snapshot() == loop.memory.snapshot()


def test_without_a_shadow_nothing_of_it_is_kept() -> None:
    loop = ticks.Loop(replace(KPA, shadow=HPA), replicas=4)
    loop.tick(20.0)
    assert loop.memory.shadow is not None
    loop.spec = KPA
    loop.tick(20.0)
    assert loop.memory.shadow is None
