from podtide.api.recording import Begin
from podtide.core.model.spec import AutoscalerSpec
from podtide.sim import replay
from tests.sim import tapes


def own(begin: Begin) -> AutoscalerSpec:
    return tapes.spec(begin.manifest)


def other(begin: Begin) -> AutoscalerSpec:
    return tapes.spec(tapes.manifest(scalingStrategy="APA", panicWindowSeconds=6))


def test_the_same_policy_decides_the_same() -> None:
    lines = tapes.recorded(tapes.manifest(), lost=0.2, seed=5)
    steps = list(replay.replay(tapes.entries(lines), own, is_other=False))
    assert len(steps) == 149
    assert all(step.is_same for step in steps)
    assert len({step.now["desired"] for step in steps}) > 3
    assert {step.why for step in steps} == {""}


def test_one_that_looks_ahead_and_has_a_shadow_decides_the_same() -> None:
    written = tapes.manifest(
        forecast={"methods": ["Trend"], "windowSeconds": 60, "maxErrorPercent": 100}, shadow={"scalingStrategy": "HPA"}
    )
    lines = tapes.recorded(written)
    assert all(step.is_same for step in replay.replay(tapes.entries(lines), own, is_other=False))
    changed = [line.replace(b'"shadow":{"desired":1,', b'"shadow":{"desired":7,') for line in lines]
    different = [each for each in replay.replay(tapes.entries(changed), own, is_other=False) if not each.is_same]
    assert different
    assert all(step.why.startswith("shadow {") for step in different)


def test_another_policy_differs_and_says_why() -> None:
    steps = list(replay.replay(tapes.entries(tapes.recorded(tapes.manifest())), other, is_other=True))
    different = [step for step in steps if not step.is_same]
    assert any(step.now["desired"] != step.tick.decision["desired"] for step in different)
    assert any("; now apa " in step.why for step in different)


def test_a_replay_may_begin_in_a_later_file() -> None:
    lines = tapes.recorded(tapes.manifest())
    entries = tapes.entries(lines)
    # The ticks of an autoscaler whose beginning was rotated away are left out.
    assert list(replay.replay(entries[1:], own, is_other=False)) == []


def test_a_changed_number_is_found() -> None:
    lines = tapes.recorded(tapes.manifest())
    changed = [line.replace(b'"after":4', b'"after":3') for line in lines]
    steps = list(replay.replay(tapes.entries(changed), own, is_other=False))
    assert any("→ 3" in step.why and "; now " in step.why for step in steps if not step.is_same)
