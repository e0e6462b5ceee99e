"""Numbers and durations as Go writes them, which is how AIBrix reads its annotations. `annotations` calls this."""

import math
import re

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_LONGEST = 64
"""Characters of an amount: longer ones are refused before anything looks at them, as a search in them takes long."""
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ms|us|µs|μs|ns|h|m|s)")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class AmountError(ValueError):
    """Not an amount of the wanted kind; its text says what to write, to be read after the value."""


def duration(text: str) -> float:
    """Seconds of a Go duration: `"1m30s"` is 90. Raises `AmountError`, for negative ones too."""
    if text in {"0", "+0", "-0"}:
        return 0.0
    rest = text.removeprefix("+")
    parts = _PART.findall(rest) if len(text) <= _LONGEST else []
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise AmountError('is not a duration; write for example "30s", "5m" or "1h30m"')
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def number(text: str) -> float:
    """A finite decimal number. Raises `AmountError`."""
    value = float(text) if len(text) <= _LONGEST and _FLOAT.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise AmountError('is not a number; write for example "2.0"')
    return value


def whole(text: str) -> int:
    """A whole number of at most nine digits. Raises `AmountError`."""
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        raise AmountError('is not a whole number; write for example "3"')
    return int(text)


def truth(text: str) -> bool:
    """True or false as Go's ParseBool reads them. Raises `AmountError`."""
    if text not in _TRUE | _FALSE:
        raise AmountError('is neither true nor false; write "true" or "false"')
    return text in _TRUE
