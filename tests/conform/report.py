"""Runs one file's rows and says how they went."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.conform.outcome import Mismatch, Outcome, Row, Runner

SHOWN = 10
"""How many mismatching rows are printed; the rest are only counted."""


@dataclass(frozen=True, slots=True)
class Report:
    """One family's outcomes, sorted by kind."""

    family: str
    passed: int
    checks: int
    mismatched: tuple[Outcome, ...]
    not_imitated: tuple[Outcome, ...]
    """Rows left out in part or whole whose compared parts agree."""

    @property
    def total(self) -> int:
        """The rows that count: those compared in full."""
        return self.passed + len(self.mismatched)


def run(family: str, runner: Runner, rows: Iterable[Row]) -> Report:
    """Every row of a file through its family's runner."""
    outcomes = [_outcome(runner, row) for row in rows]
    return Report(
        family=family,
        passed=sum(outcome.is_passed for outcome in outcomes),
        checks=sum(outcome.checks for outcome in outcomes),
        mismatched=tuple(outcome for outcome in outcomes if outcome.mismatches),
        not_imitated=tuple(outcome for outcome in outcomes if outcome.not_imitated and not outcome.mismatches),
    )


def _outcome(runner: Runner, row: Row) -> Outcome:
    """What became of one row. One that raises is a mismatch, so that it hides none of the others."""
    try:
        return runner(row)
    except Exception as error:
        return Outcome(str(row.get("id", "?")), 1, (Mismatch("raised", "an answer", repr(error)),))


def lines(report: Report) -> Iterator[str]:
    """The report for a terminal."""
    aside = f", {len(report.not_imitated)} more not imitated" if report.not_imitated else ""
    yield f"{report.family}: {report.passed} of {report.total} ({report.checks} values compared{aside})"
    for outcome in report.not_imitated:
        yield f"  not imitated: {outcome.id}: {outcome.not_imitated}"
    for outcome in report.mismatched[:SHOWN]:
        first = outcome.mismatches[0]
        place = f" {first.where}" if first.where else ""
        more = f" (and {len(outcome.mismatches) - 1} more)" if len(outcome.mismatches) > 1 else ""
        yield f"  MISMATCH {outcome.id}{place}: expected {first.expected!r}, got {first.got!r}{more}"
    if len(report.mismatched) > SHOWN:
        yield f"  … and {len(report.mismatched) - SHOWN} more mismatching rows"
