"""What the values of flags mean: numbers within their bounds, or an error that says what to write. Commands use it."""

import argparse
import math


def positive(text: str) -> float:
    """A number above 0."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number above 0')
    return value


def not_negative(text: str) -> float:
    """A number of 0 or more."""
    value = _number(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of 0 or more')
    return value


def whole(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'"{text}" is not a whole number above 0')
    return int(text)


def count(text: str) -> int:
    """A whole number of 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'"{text}" is not a whole number of 0 or more')
    return int(text)


def port(text: str) -> int:
    """A port to listen on; 0 is any free one."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f'"{text}" is not a port; write 1 to 65535, or 0 for a free one')
    return int(text)


def share(text: str) -> float:
    """A share from 0 to below 1: `"0.01"` or `"1%"`."""
    value = _number(text[:-1]) / 100 if text.endswith("%") else _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f'"{text}" is not a share below 1; write for example 0.01 or 1%')
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
