"""The memory as bytes: complete, bounded, and refused when it is damaged."""

import zlib

import msgspec
import pytest

from podtide.core import engine
from podtide.core.memory import Memory, snapshot
from podtide.core.model.reading import Reading, Sample
from podtide.core.model.spec import Bounds, Cooldown, Kpa, Quantile, Rate
from tests.core.ticks import QUEUE, STRATEGIES, Loop, metric, spec


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_restored_memory_gives_the_same_snapshot(strategy: str) -> None:
    loop = Loop(spec(strategy, metric(), metric(QUEUE, place=1)))
    loop.run(100, 40.0, 90.0)
    loop.tick(None, 30.0)
    restored = Memory.restore(loop.memory.snapshot())
    assert _content(restored) == _content(loop.memory)
    assert engine.decide(restored, loop.spec, loop.view, loop.now) == engine.decide(
        loop.memory, loop.spec, loop.view, loop.now
    )


def _content(memory: Memory) -> object:
    return msgspec.json.decode(zlib.decompress(memory.snapshot()[len(b"podtide-memory\n") :]))


def test_an_untouched_memory_survives() -> None:
    memory = Memory(5.0, scaled_to_zero=True)
    restored = Memory.restore(memory.snapshot())
    assert (restored.since, restored.scaled_to_zero, restored.metrics) == (5.0, True, {})


@pytest.mark.parametrize("derive", [Rate(), Quantile(0.9)], ids=["rate", "quantile"])
def test_counters_survive(derive: Rate | Quantile) -> None:
    loop = Loop(spec("KPA", metric(derive=derive)))
    for second in range(1, 20):
        loop.now += 2.0
        counts = {"1": second * 10.0, "+Inf": second * 20.0}
        series = {
            f"uid-{pod}": tuple(Sample("load", {"le": bound}, count) for bound, count in counts.items())
            for pod in range(4)
        }
        engine.absorb(loop.memory, loop.spec, Reading("0:load", loop.now, series=series, expected=4))
    kept = loop.memory.metrics["0:load"]
    assert (kept.values if isinstance(derive, Rate) else kept.total) is not None
    assert kept.coverage == 1.0
    restored = Memory.restore(loop.memory.snapshot())
    reading = Reading("0:load", loop.now + 2, series=series, expected=4)
    for memory in (loop.memory, restored):
        engine.absorb(memory, loop.spec, reading)
    assert restored.metrics["0:load"].total == kept.total
    assert restored.metrics["0:load"].values == kept.values


@pytest.mark.parametrize(("age", "waits"), [(2.0, 122.0), (30.0, 152.0)])
def test_what_the_owner_before_may_have_recommended_counts_as_the_count_it_left(age: float, waits: float) -> None:
    """Its last save is `age` seconds old: after a handover the past goes on, after a crash a part of it is unknown."""
    loop = Loop(spec("HPA", cooldown=Cooldown(up=0.0, down=120.0)), replicas=10)
    loop.run(200, 100.0)
    loop.memory = Memory.restore(loop.memory.snapshot()).resume()
    last = loop.now
    loop.tick(10.0, step=age)
    assert Memory.restore(loop.memory.snapshot()).left is None
    while loop.replicas == 10:
        loop.tick(10.0)
    assert loop.now - last == waits


def test_a_snapshot_is_small() -> None:
    """A KPA autoscaler with full windows of three minutes, 100 pods and an hour of recommendations."""
    loop = Loop(spec(Kpa(stable_window=180.0)), replicas=100)
    for second in range(1800):
        loop.tick(900.0 + second % 97)
    assert len(loop.memory.snapshot()) < 16_000


def test_very_many_pods_are_left_to_the_next_reading() -> None:
    loop = Loop(spec("KPA", bounds=Bounds(1, 10_000)), replicas=5000)
    loop.run(20, 40_000.0)
    data = loop.memory.snapshot()
    assert len(data) < 4_000
    restored = Memory.restore(data)
    assert not restored.metrics["0:load"].values
    assert restored.metrics["0:load"].coverage == 1.0
    assert engine.decide(restored, loop.spec, loop.view, loop.now).desired == loop.decide().desired


def _damaged(data: bytes) -> list[bytes]:
    head = b"podtide-memory\n"
    saved = msgspec.json.decode(zlib.decompress(data[len(head) :]))
    return [
        b"",
        b"not a snapshot",
        data[:-5],
        head + b"x" * 40,
        head + zlib.compress(b"[]"),
        head + zlib.compress(b"{"),
        head + zlib.compress(msgspec.json.encode({**saved, "version": 99})),
        head + zlib.compress(msgspec.json.encode({**saved, "metrics": {"a": 1}})),
        head + zlib.compress(msgspec.json.encode({**saved, "since": "yesterday"})),
        head + zlib.compress(msgspec.json.encode({"version": 1})),
    ]


def test_damage_and_other_versions_are_refused() -> None:
    loop = Loop(spec("KPA"))
    loop.run(20, 40.0)
    for data in _damaged(loop.memory.snapshot()):
        with pytest.raises(ValueError, match="snapshot"):
            Memory.restore(data)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = b"podtide-memory\n" + zlib.compress(bytes(snapshot._LARGEST + 1))
    with pytest.raises(ValueError, match="unpacks to more"):
        Memory.restore(bomb)


def test_a_state_that_its_algorithm_no_longer_knows_begins_anew() -> None:
    loop = Loop(spec("KPA"))
    loop.run(20, 40.0)
    memory = Memory.restore(loop.memory.snapshot())
    memory.states["0:load"] = snapshot.Frozen({"high": "much"})
    decision = engine.decide(memory, loop.spec, loop.view, loop.now)
    assert decision.proposals[0].panicking


def test_an_unread_state_stays_as_it_is() -> None:
    loop = Loop(spec("KPA"))
    loop.run(20, 40.0)
    memory = Memory.restore(loop.memory.snapshot())
    assert _content(Memory.restore(memory.snapshot())) == _content(memory)
