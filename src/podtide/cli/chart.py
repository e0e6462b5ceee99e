"""Small charts of text: one line of bars, or a few rows of load and capacity. Pure."""

import math
from collections.abc import Sequence

_BARS = " ▁▂▃▄▅▆▇█"


def thinned(values: Sequence[float], width: int) -> list[float]:
    """At most `width` values: the largest of each stretch, so that a short peak is not lost."""
    if len(values) <= width:
        return list(values)
    step = len(values) / width
    return [max(values[int(i * step) : max(int(i * step) + 1, int((i + 1) * step))]) for i in range(width)]


def bars(values: Sequence[float], width: int, *, top: float | None = None) -> str:
    """One line: a bar per value, from nothing at 0 to full at `top` (the largest value if not given)."""
    shown = thinned(values, width)
    most = top or max(shown, default=0.0)
    if most <= 0:
        return " " * len(shown)
    return "".join(_BARS[min(8, max(0, math.ceil(8 * value / most)))] for value in shown)


def plot(load: Sequence[float], capacity: Sequence[float], *, width: int, height: int) -> list[str]:
    """Rows from top to bottom: load as bars, capacity as a line of dashes over them, the scale at the left."""
    bars_of, line_of = thinned(load, width), thinned(capacity, width)
    top = max([*bars_of, *line_of, 1.0])
    rows = []
    for row in range(height, 0, -1):
        low, high = top * (row - 1) / height, top * row / height
        cells = [_cell(value, line, low, high) for value, line in zip(bars_of, line_of, strict=True)]
        label = f"{high:6.0f}" if row in (height, 1, height // 2 + 1) else " " * 6
        rows.append(f"{label} ┤{''.join(cells)}")
    return rows


def _cell(value: float, line: float, low: float, high: float) -> str:
    if low < line <= high:
        return "━"
    if value >= high:
        return "█"
    return _BARS[math.ceil(8 * (value - low) / (high - low))] if value > low else " "
