"""Kubernetes quantities as exact integers: `"1500m"`, `"1.5Ki"`, `"2e3"` to thousandths and back.

The decision core counts in thousandths, as Kubernetes' controllers do; `api` and `kube` read what users and APIs write.
"""

import math
import re
from decimal import ROUND_UP, Context, Decimal

LARGEST = 2**63 - 1
"""Kubernetes counts in 64 bits and wraps around; Podtide stops here instead."""

# More than a 64-bit number written to the last billionth needs; without a limit a hostile answer could make us build
# numbers of millions of digits.
_LONGEST = 64
_FORM = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE])|[eE]([+-]?[0-9]{1,9}))?")
_POWERS_OF_TEN = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_POWERS_OF_1024 = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_SUFFIXES = {0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P", 6: "E"}
_BILLION = 10**9
# A double prints as at most 17 digits, so only the rounding to a whole number is ever inexact.
_DECIMAL = Context(prec=28, rounding=ROUND_UP, traps=[])

_PLAIN = 1e9
_MARGIN = 1e-3


class QuantityError(ValueError):
    """Not a Kubernetes quantity."""


def saturate(number: int) -> int:
    """The number, or the end of the signed 64-bit range that it is beyond."""
    return max(-LARGEST - 1, min(LARGEST, number))


def away_from_zero(number: int, unit: int) -> int:
    """How many whole units hold the number, rounded away from zero: -1500 in units of 1000 is -2."""
    return -(-number // unit) if number >= 0 else number // unit


def nano(text: str) -> int:
    """The quantity in billionths, exactly; finer ones are rounded away from zero, as Kubernetes rounds them.

    Raises `QuantityError`.
    """
    match = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or not (match[2] or match[3]):
        raise QuantityError(f'"{text[:_LONGEST]}" is not a quantity; write for example "50", "500m", "1.5Gi" or "2e3"')
    sign, whole, fraction, suffix, exponent = match.groups("")
    number = int(whole + fraction) * 1024 ** _POWERS_OF_1024.get(suffix, 0)
    # Beyond a hundred digits the answer no longer depends on how far beyond.
    power = max(-200, min(200, int(exponent))) if exponent else _POWERS_OF_TEN.get(suffix, 0)
    power += 9 - len(fraction)
    number = number * 10**power if power >= 0 else away_from_zero(number, 10**-power)
    number = min(number, LARGEST * _BILLION)
    return -number if sign == "-" else number


def milli(text: str) -> int:
    """The quantity in thousandths, rounded away from zero, within 64 bits: `"1n"` is 1, `"-1500u"` is -2.

    Raises `QuantityError`.
    """
    return saturate(away_from_zero(nano(text), 10**6))


def ratio(text: str) -> float:
    """The quantity as the double Kubernetes computes with, for tolerances.

    The canonical integer is multiplied by a power of ten, so `"0.35"` (stored as 350m) is 0.35000000000000003: that is
    not the nearest double, and it decides cases that lie exactly on the edge. Raises `QuantityError`.
    """
    number = nano(text)
    for unit, scale in ((10**9, 1.0), (10**6, 1e-3), (10**3, 1e-6)):
        if number % unit == 0:
            return (number // unit) * scale
    return number * 1e-9


def text(thousandths: int) -> str:
    """The canonical decimal form of thousandths: 1500 is `"1500m"`, 2000000 is `"2k"`."""
    if thousandths % 1000:
        return f"{thousandths}m"
    number, step = thousandths // 1000, 0
    while number and number % 1000 == 0 and step < max(_SUFFIXES):
        number, step = number // 1000, step + 1
    return f"{number}{_SUFFIXES[step]}"


def from_float(value: float) -> int:
    """A finite reading in thousandths, rounded away from zero, within 64 bits.

    The double stands for the decimal it prints as: 0.1 is 100, not 101 because it lies a hair above.
    Raises `ValueError` for NaN and infinities, which no reading holds.
    """
    if -_PLAIN < value < _PLAIN:
        scaled = value * 1000
        part = scaled % 1
        # So few digits name one double, and it prints as them.
        if part == 0 and scaled / 1000 == value:
            return int(scaled)
        # The product is off by less than the margin, so between the margins its neighbour is certain.
        if _MARGIN < part < 1 - _MARGIN:
            return math.ceil(scaled) if value > 0 else math.floor(scaled)
    elif not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    elif abs(value) >= LARGEST / 1000:
        return LARGEST if value > 0 else -LARGEST - 1
    return int(_DECIMAL.to_integral_value(_DECIMAL.multiply(Decimal(repr(value)), Decimal(1000))))
