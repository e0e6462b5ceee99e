"""A straight line through the recent loads, and whether it is more than noise. `foresight` calls it."""

import math
from collections.abc import Sequence

LEAST = 6
"""Points below which no line is drawn."""
_SURE = 3.0
"""Standard errors that a slope must differ from 0: less is taken for no slope at all."""


def through(points: Sequence[tuple[float, float]]) -> tuple[float, float, float] | None:
    """The line by least squares as (time, value there, slope); slope 0 where it may be chance. None of too few.

    Loads of neighbouring moments resemble each other, which makes slopes look surer than they are; hence three standard
    errors and not the usual two.
    """
    count = len(points)
    if count < LEAST:
        return None
    middle = math.fsum(at for at, _ in points) / count
    mean = math.fsum(value for _, value in points) / count
    spread = math.fsum((at - middle) ** 2 for at, _ in points)
    if spread <= 0:
        return None
    slope = math.fsum((at - middle) * (value - mean) for at, value in points) / spread
    residual = math.fsum((value - mean - slope * (at - middle)) ** 2 for at, value in points)
    error = math.sqrt(residual / (count - 2) / spread)
    if abs(slope) <= _SURE * error:
        return middle, mean, 0.0
    return middle, mean, slope
