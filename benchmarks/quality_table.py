"""The rows that `quality` measures, as a table, and what was wanted beside what came."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.quality_cases import RHYTHM
from podtide.sim.score import Score

STARTUPS = (30.0, 90.0, 180.0)
ORACLE = "a schedule by the oracle"
REACTIVE = ("HPA", "KPA", "APA")
AHEAD = tuple(f"{name} + forecast" for name in REACTIVE)
USUAL = "HPA, defaults"
POLICIES = (
    USUAL,
    f"{USUAL} + forecast",
    *itertools.chain.from_iterable(zip(REACTIVE, AHEAD, strict=True)),
    ORACLE,
)
ALIKE = 1e-4
"""Shares of late requests that differ by less are alike: a hundredth of a percentage point."""
DEARER = 0.01
"""Pod-hours that differ by less, as a share, are alike."""


@dataclass(frozen=True)
class Row:
    """One policy on one part of a trace."""

    case: str
    rhythm: float | None
    """How much a day resembles the one before; None of less than four days."""
    policy: str
    scores: tuple[Score | None, ...]
    """One per start-up time; None where no schedule was found."""
    picks: Mapping[str, Any] = field(default_factory=dict)
    """What tuning changed."""
    tuned: tuple[float, float] | None = None
    """Share of late requests and pod-hours, flaps among them, of the half that was tuned on."""
    seconds: float = 0.0
    """Of processor time."""

    @property
    def has_rhythm(self) -> bool:
        """Whether days resemble each other."""
        return self.rhythm is not None and self.rhythm >= RHYTHM

    @classmethod
    def read(cls, data: dict[str, Any]) -> "Row":
        """From JSON."""
        scores = tuple(None if each is None else Score(**each) for each in data["scores"])
        return cls(**{**data, "scores": scores})


def cell(score: Score | None) -> str:
    """Late requests, pod-hours over the bound, flaps."""
    return "none found" if score is None else f"{score.violations:.2%}, {score.ratio:.2f}, {score.flaps}"


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown."""
    yield "| trace | policy | " + " | ".join(f"start-up {startup:.0f} s" for startup in STARTUPS) + " |"
    yield "|---|---|" + "---|" * len(STARTUPS)
    before = ""
    for row in rows:
        name = "" if row.case == before else row.case + (f" (rhythm {row.rhythm:.2f})" if row.has_rhythm else "")
        before = row.case
        yield f"| {name} | {row.policy} | " + " | ".join(map(cell, row.scores)) + " |"


Scores = Mapping[str, Score]
"""Of one part of a trace at one start-up time, by policy."""


def verdicts(rows: Sequence[Row]) -> Iterator[str]:
    """What was wanted, and on how many parts and start-up times it holds."""
    by_case: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_case.setdefault(row.case, {})[row.policy] = row
    for label, wanted in (("with a rhythm", True), ("without a rhythm", False)):
        found = [
            {policy: row.scores[place] for policy, row in named.items()}
            for named in by_case.values()
            if named[USUAL].has_rhythm is wanted
            for place in range(len(STARTUPS))
        ]
        if found:
            yield ""
            yield f"Parts {label}, {len(found)} pairs of one and a start-up time; in how many of them"
            yield ""
            yield from _counts(found)


def _counts(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    lines = (
        ("a policy with forecast has no more late requests than the best without", lambda each: bool(_good(each))),
        ("… at no more than 1.15 times the oracle's bound", lambda each: _ratio(each) <= 1.15),
        ("… at no more than 1.15 times the oracle's schedule", lambda each: _by_schedule(each) <= 1.15),
        ("the oracle's own schedule costs more than 1.15 times the bound", lambda each: _own(each) > 1.15),
        ("all policies tuned with forecast flap at most a tenth as often as HPA by its defaults", _calm),
    )
    for text, holds in lines:
        yield f"- {text}: {sum(map(holds, found))}"
    for plain in (USUAL, *REACTIVE):
        pairs = [(each[plain], each[f"{plain} + forecast"]) for each in found]
        fewer = sum(ahead.violations < before.violations - ALIKE for before, ahead in pairs)
        more = sum(ahead.violations > before.violations + ALIKE for before, ahead in pairs)
        worse = sum(_worse(ahead, before) for before, ahead in pairs)
        hours = sum(ahead.pod_hours for _, ahead in pairs) / sum(before.pod_hours for before, _ in pairs) - 1
        text = (
            f"- {plain} with forecast: fewer late requests in {fewer}, more in {more}; worse in one of late requests "
        )
        yield text + f"and pod-hours and better in neither in {worse}; pod-hours {hours:+.1%}"


def _worse(ahead: Score, before: Score) -> bool:
    late, hours = ahead.violations - before.violations, ahead.pod_hours / before.pod_hours - 1
    is_worse, is_better = late > ALIKE or hours > DEARER, late < -ALIKE or hours < -DEARER
    return is_worse and not is_better


def _good(each: Scores) -> list[Score]:
    best = min(each[name].violations for name in REACTIVE)
    return [each[name] for name in AHEAD if each[name].violations <= best + ALIKE]


def _ratio(each: Scores) -> float:
    return min((score.ratio for score in _good(each)), default=float("inf"))


def _by_schedule(each: Mapping[str, Any]) -> float:
    least = each[ORACLE]
    return float("inf") if least is None else _ratio(each) / least.ratio


def _own(each: Mapping[str, Any]) -> float:
    return 0.0 if each[ORACLE] is None else float(each[ORACLE].ratio)


def _calm(each: Scores) -> bool:
    return all(10 * each[name].flaps <= each[USUAL].flaps for name in AHEAD)
