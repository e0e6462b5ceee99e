"""What became of one row of a vector file. Every family's runner returns these; the report counts them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]
"""One line of a vector file, as JSON read it."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One answer of ours that is not upstream's."""

    where: str
    """The place inside the row: `tick 7 desired`; empty for the row as a whole."""
    expected: object
    got: object


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row, answered."""

    id: str
    checks: int = 0
    """How many values were compared."""
    mismatches: tuple[Mismatch, ...] = ()
    not_imitated: str | None = None
    """Why a part of the row, or all of it, was left out of the comparison. Such a row never counts as passed."""

    @property
    def is_passed(self) -> bool:
        """Whether all of the row was compared and all of it agreed."""
        return not self.mismatches and self.not_imitated is None


Runner = Callable[[Row], Outcome]
"""Turns a row into the core's arguments, asks the core, and compares. It decides nothing itself."""


@dataclass(slots=True)
class Comparison:
    """Gathers the comparisons of one row."""

    id: str
    checks: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def equal(self, where: str, expected: object, got: object) -> None:
        """Compare exactly. A bool is never equal to a number here, so 1 does not pass for true."""
        self.checks += 1
        if expected != got or isinstance(expected, bool) is not isinstance(got, bool):
            self.mismatches.append(Mismatch(where, expected, got))

    def close(self, where: str, expected: float, got: float, *, relative: float = 0.0, absolute: float = 0.0) -> None:
        """Compare within the larger of a relative and an absolute distance."""
        self.checks += 1
        if not abs(expected - got) <= max(absolute, relative * abs(expected)):
            self.mismatches.append(Mismatch(where, expected, got))

    def leave_out(self, reason: str) -> None:
        """Say that a part of the row is not compared, and why."""
        self.left_out.append(reason)

    def outcome(self) -> Outcome:
        """The row's outcome."""
        return Outcome(self.id, self.checks, tuple(self.mismatches), "; ".join(self.left_out) or None)
