"""`kpa_decisions`: Knative's decider, fed with both windows' values."""

from collections.abc import Mapping
from typing import Any

from podtide.core.algorithms.kpa import decider, state
from tests.conform import kpa_spec
from tests.conform.outcome import Comparison, Outcome, Row


def run(row: Row) -> Outcome:
    """One run, tick by tick; our own state is carried along."""
    comparison = Comparison(row["id"])
    spec, target = kpa_spec.read(row["spec"]), float(row["spec"]["target_value"])
    now = state.start(spec, row["initial_ready"], float(row["start_s"]))
    for number, (tick, expected) in enumerate(zip(row["ticks"], row["expected"], strict=True)):
        if "spec" in tick:
            spec, target = kpa_spec.read(tick["spec"]), float(tick["spec"]["target_value"])
        scaled = decider.scale(
            spec,
            now,
            ready=tick["ready"],
            stable=_float(tick["stable"]),
            panic=_float(tick["panic"]),
            target=target,
            now=float(tick["t"]),
        )
        now = scaled.state if scaled is not None else now
        compare(comparison, f"tick {number}", expected, scaled, now)
    return comparison.outcome()


def compare(
    comparison: Comparison, where: str, expected: Mapping[str, Any], scaled: decider.Scaled | None, now: state.State
) -> None:
    """One tick's answer against upstream's."""
    comparison.equal(f"{where} valid", expected["valid"], scaled is not None)
    comparison.equal(f"{where} panicking", expected["panicking"], now.panic_since is not None)
    # Where upstream decides nothing, its counts read 0.
    comparison.equal(f"{where} desired", expected["desired"], scaled.replicas if scaled else 0)
    burst = scaled.excess_burst_capacity if scaled else 0
    comparison.equal(f"{where} excess burst capacity", expected["excess_burst_capacity"], burst)


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)
