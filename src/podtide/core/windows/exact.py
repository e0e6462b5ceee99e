"""Sums of floats without any rounding, so that a window's running sum can never drift, and its average is rounded once.

Called by `ring`. A running float sum keeps the residue of what has left it (0.1 + 0.2 − 0.1 − 0.2 is not 0), and an
autoscaler would start a pod for the residue.
"""

import math
from typing import Final

# The smallest positive float is 2^-1074, and every float is a whole number of them.
_STEPS: Final = 1074
_ONE: Final = 1 << _STEPS


def steps(value: float) -> int:
    """A finite float as a whole number of steps of 2^-1074, exactly."""
    numerator, denominator = value.as_integer_ratio()
    return numerator << (_STEPS + 1 - denominator.bit_length())


def mean(total: int, count: int) -> float:
    """The nearest float to `total` steps divided by `count`, which is at least 1."""
    return total / (_ONE * count)


def rounded(value: float) -> float:
    """Six decimals, halves away from zero, as Knative rounds a linear average.

    Python's `round` takes halves to even. Beyond 2^52 millionths a float has no such decimals, and stays as it is.
    """
    millionths = abs(value) * 1e6
    if millionths >= 2.0**52:
        return value
    whole = float(int(millionths))
    if millionths - whole >= 0.5:
        whole += 1.0
    return (whole if value >= 0 else -whole) / 1e6


def rounded_upstream(value: float) -> float:
    """As `rounded`, but where there are no decimals Knative multiplies and divides all the same, to the last bit."""
    millionths = value * 1e6
    if abs(millionths) < 2.0**52 or not math.isfinite(millionths):
        return rounded(value)
    return millionths / 1e6
