"""What Podtide adds around the strategies does nothing where upstream's vectors apply: there all data is new."""

from pathlib import Path
from typing import Any

import pytest

from podtide.core import engine
from podtide.core.limits import freshness
from podtide.core.limits.freshness import Evidence
from podtide.core.model.decision import Decision
from podtide.core.model.signal import Signal
from tests.conform import hpa_reconcile, vectors

OURS = {"freshness", "fallback", "starting"}


def rows(family: str) -> list[dict[str, Any]]:
    return [dict(row) for row in vectors.rows(Path(vectors.KEPT) / f"{family}.jsonl.gz")]


def test_nothing_of_ours_touches_kubernetes_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    decisions: list[Decision] = []
    ask = engine.decide

    def record(*arguments: Any) -> Decision:
        decisions.append(ask(*arguments))
        return decisions[-1]

    monkeypatch.setattr(engine, "decide", record)
    for row in rows("hpa_reconcile"):
        assert not hpa_reconcile.run(row).mismatches
    shrinks = sum(decision.desired < decision.current for decision in decisions)
    assert shrinks > 100
    assert not [note for decision in decisions for note in decision.trail if note.stage in OURS]


def test_freshness_lets_every_count_of_knative_through() -> None:
    shrinks = 0
    for row in rows("kpa_decisions"):
        for tick, expected in zip(row["ticks"], row["expected"], strict=True):
            if not expected["valid"]:
                continue
            windows = {"stable": tick["stable"], "panic": tick["panic"]}
            signal = Signal("0:m", tick["t"], windows=windows, coverage=1.0, age=0.0)
            evidence = Evidence(signal, interval=2.0, refilled=row["start_s"], is_windowed=True)
            got, note = freshness.hold(
                expected["desired"], [evidence], current=tick["ready"], min_coverage=0.5, now=tick["t"]
            )
            assert (got, note) == (expected["desired"], None)
            shrinks += expected["desired"] < tick["ready"]
    assert shrinks > 1000


def test_freshness_holds_where_knative_scales_on_silence() -> None:
    """Knative goes on with the last data until its window is empty. Those ticks, and no others, are held."""
    held = free = 0
    for row in rows("kpa_end_to_end"):
        newest = float("-inf")
        stats = iter(row["stats"])
        taken = 0
        for tick, expected in zip(row["ticks"], row["expected"], strict=True):
            while taken < tick["after"]:
                newest, taken = next(stats)["t"], taken + 1
            if not expected["valid"] or expected["desired"] >= tick["ready"]:
                continue
            age = tick["t"] - newest
            evidence = Evidence(Signal("0:m", newest, coverage=1.0, age=age), 2.0, float("-inf"), is_windowed=True)
            _, note = freshness.hold(
                expected["desired"], [evidence], current=tick["ready"], min_coverage=0.5, now=tick["t"]
            )
            assert (note is not None) == (age > freshness.max_age(2.0))
            held += note is not None
            free += note is None
    assert free > 500
    assert held > 0
