"""What is wrong with an object, in words a person can act on. Everything in `api` that reads reports this way."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from typing import Any, Final

MOST = 50
"""Problems, and warnings, that are told of one object. Each is a line of the log at every edit; who has more mends
these first, and then sees the rest."""
_LONGEST_WORD = 64
"""Characters of a word that is compared with others: it takes the square of its length."""
_SHOWN = 60
"""Characters of a value that a message repeats; the field's path says where the rest is."""


class Missing(Enum):
    """The type of `MISSING`."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
"""Stands for a value that is not there, as None is a value of its own in YAML."""


def shown(value: Any) -> str:
    """A value as its author wrote it in JSON or YAML, shortened."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        # YAML knows dates and sets, which JSON does not; quoting them is what their author forgot.
        text = f'"{value}"'
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to change.

    >>> str(Problem("spec.metricsSources[0].targetValue", "fifty", 'is not a number; write for example "50"'))
    'spec.metricsSources[0].targetValue: "fifty" is not a number; write for example "50"'
    """

    path: str
    """Where: `spec.metricsSources[0].targetValue`."""
    value: Any
    """What stands there; `MISSING` where nothing does."""
    fix: str
    """What is wrong and what to write instead; reads on after the value."""

    def __str__(self) -> str:
        subject = "" if self.value is MISSING else f"{shown(self.value)} "
        return f"{self.path}: {subject}{self.fix}"


@dataclass(slots=True)
class Findings:
    """Collects problems and warnings while an object is read; nothing stops at the first."""

    problems: list[Problem] = field(default_factory=list)
    """Each makes the object invalid: it is not scaled."""
    warnings: list[Problem] = field(default_factory=list)
    """The object works, but perhaps not as its author thinks."""

    def problem(self, path: str, value: Any, fix: str) -> None:
        """Note something that makes the object invalid."""
        _note(self.problems, Problem(path, value, fix))

    def warn(self, path: str, value: Any, fix: str) -> None:
        """Note something its author should know."""
        _note(self.warnings, Problem(path, value, fix))


def _note(noted: list[Problem], problem: Problem) -> None:
    if len(noted) < MOST:
        noted.append(problem)
    elif len(noted) == MOST:
        noted.append(Problem("spec", MISSING, f"has more that is wrong; correct these {MOST} first"))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, or None.

    >>> nearest("maxReplica", ["minReplicas", "maxReplicas"])
    'maxReplicas'
    """
    if len(word) > _LONGEST_WORD:
        return None
    by_lower = {name.lower(): name for name in known}
    matches = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.7)
    return by_lower[matches[0]] if matches else None


def listed(words: Iterable[str]) -> str:
    """Words for a sentence: `HPA, KPA or APA`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
