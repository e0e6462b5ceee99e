"""Ratios made whole counts: no value is so large or small that a count wraps around. Every algorithm counts here."""

import math
from typing import Final

from podtide.core.model.spec import Tolerance

MAX_COUNT: Final = 2**31 - 1
"""The most that `spec.replicas` can say. Counts stay there where upstream's wrap around to a negative number."""


def over(load: float, target: float) -> float:
    """`load ÷ target`, unrounded. A positive load over a target of 0 is infinite; 0 over 0 is NaN, as in upstream."""
    if target == 0:
        return math.nan if load == 0 else math.copysign(math.inf, load)
    return load / target


def ceiling(value: float) -> float:
    """Rounded up, still a float, so that an infinity stays one."""
    return float(math.ceil(value)) if math.isfinite(value) else value


def floor(value: float) -> float:
    """Rounded down, still a float."""
    return float(math.floor(value)) if math.isfinite(value) else value


def count(value: float) -> int:
    """A whole float as a count, held between plus and minus `MAX_COUNT`. Not for NaN."""
    if -MAX_COUNT <= value <= MAX_COUNT:
        return int(value)
    return MAX_COUNT if value > 0 else -MAX_COUNT


def is_within(ratio: float, tolerance: Tolerance) -> bool:
    """Whether the ratio lies in the band in which nothing happens; both edges are inside."""
    # Not `abs(1 - ratio) <= tolerance`: 110 % of the target at tolerance 0.1 would come out differently.
    return 1.0 - tolerance.down <= ratio <= 1.0 + tolerance.up
