"""`kpa_end_to_end`: Knative's metric collector and decider together: reports go into both windows, ticks come out."""

from podtide.core.algorithms.kpa import decider, state
from podtide.core.windows.ring import Ring
from podtide.core.windows.weighted import Weighted
from tests.conform import kpa_decisions, kpa_spec
from tests.conform.outcome import Comparison, Outcome, Row


def run(row: Row) -> Outcome:
    """One run as a closed loop: the ready count of a tick is what our own decisions led to, a lag ago."""
    comparison = Comparison(row["id"])
    spec, target = kpa_spec.read(row["spec"]), float(row["spec"]["target_value"])
    kind = Weighted if row["spec"]["algorithm"] == "weighted" else Ring
    windows = kind(spec.stable_window, gaps="zero"), kind(spec.panic_window, gaps="zero")
    stats, recorded = row["stats"], 0
    current = state.start(spec, row["initial_ready"], float(row["start_s"]))
    answers: list[int | None] = []
    for number, (tick, expected) in enumerate(zip(row["ticks"], row["expected"], strict=True)):
        for stat in stats[recorded : tick["after"]]:
            for window in windows:
                window.record(float(stat["t"]), _value(stat, row["spec"]["metric"]))
        recorded = tick["after"]
        now = float(tick["t"])
        ready = _ready(answers, lag=row["lag_ticks"], initial=row["initial_ready"])
        comparison.equal(f"tick {number} ready", tick["ready"], ready)
        is_empty = windows[0].is_empty(now)
        stable, panic = (None, None) if is_empty else (window.average(now) for window in windows)
        scaled = decider.scale(spec, current, ready=ready, stable=stable, panic=panic, target=target, now=now)
        current = scaled.state if scaled is not None else current
        answers.append(scaled.replicas if scaled is not None else None)
        kpa_decisions.compare(comparison, f"tick {number}", expected, scaled, current)
        if expected["valid"]:
            for name, average in (("stable", stable), ("panic", panic)):
                exact = 0.0 if kind is Ring else 1e-9
                assert average is not None
                comparison.close(f"tick {number} {name}", expected[name], average, relative=exact)
    return comparison.outcome()


def _value(stat: Row, metric: str) -> float:
    if metric == "rps":
        return float(stat["requests"]) - float(stat["proxied_requests"])
    return float(stat["concurrency"]) - float(stat["proxied_concurrency"])


def _ready(answers: list[int | None], *, lag: int, initial: int) -> int:
    """The latest valid answer that is more than `lag` ticks old."""
    seen = [answer for answer in answers[: max(0, len(answers) - lag)] if answer is not None]
    return seen[-1] if seen else initial
