"""A demo run as a picture: load, pods and panic over time, and what was said. Pure; `podtide demo --svg` writes it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _RIGHT = 920, 56, 56
_PLOT, _HEAD, _LINE, _GAP = 150, 46, 17, 26
_NOTES = 9
"""The most events told of one workload."""
_LONGEST = 118
"""Characters of one event."""
_STYLE = (
    "text{font:13px ui-sans-serif,system-ui,sans-serif;fill:#334155}.t{font-weight:600;font-size:15px;fill:#0f172a}"
    ".s{font-size:11px;fill:#64748b}.e{font:12px ui-monospace,monospace}.load{fill:#bae6fd;stroke:#0284c7}"
    ".panic{fill:#ef4444;fill-opacity:.18}.pods{fill:none;stroke:#0f766e;stroke-width:2.5}.ready{fill:none;stroke:#0f766e;"
    "stroke-dasharray:3 3}.axis{stroke:#cbd5e1}"
)


@dataclass(frozen=True, slots=True)
class Moment:
    """One workload at one time."""

    at: float
    """Seconds since the scenario began."""
    load: float
    replicas: int
    ready: int
    panicking: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """The course of one workload."""

    title: str
    moments: Sequence[Moment]
    """In their order; at least two."""
    notes: Sequence[tuple[float, str]]
    """What was said, and when."""


def svg(title: str, panels: Sequence[Panel]) -> str:
    """The whole picture."""
    parts: list[str] = []
    top = 52
    for panel in panels:
        parts += _panel(panel, top)
        top += _HEAD + _PLOT + 22 + _LINE * min(len(panel.notes), _NOTES) + _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img" '
        f'aria-label="{escape(title)}">\n'
        f'<style>{_STYLE}</style>\n<rect width="{_WIDTH}" height="{top}" rx="8" fill="#ffffff"/>\n'
        f'<text class="t" x="{_LEFT}" y="32">{escape(title)}</text>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _panel(panel: Panel, top: float) -> Iterator[str]:
    end = panel.moments[-1].at or 1.0
    most_load = max(moment.load for moment in panel.moments) or 1.0
    most_pods = max(1, *(max(moment.replicas, moment.ready) for moment in panel.moments))
    base, left, right = top + _HEAD + _PLOT, _LEFT, _WIDTH - _RIGHT

    def x(at: float) -> float:
        return round(left + (right - left) * at / end, 1)

    def y(share: float) -> float:
        return round(base - _PLOT * share, 1)

    yield f'<text class="t" x="{left}" y="{top + 16}">{escape(panel.title)}</text>'
    yield (
        f'<text class="s" x="{left}" y="{top + 34}">blue: load, {most_load:.0f} at most; green: pods asked for, '
        f"{most_pods} at most, dashed: ready; red: panic</text>"
    )
    area = " ".join(f"{x(moment.at)},{y(moment.load / most_load)}" for moment in panel.moments)
    yield f'<polygon class="load" points="{x(panel.moments[0].at)},{base} {area} {x(end)},{base}"/>'
    for begin, until in _panics(panel.moments):
        yield (
            f'<rect class="panic" x="{x(begin)}" y="{y(1)}" width="{round(x(until) - x(begin), 1)}" height="{_PLOT}"/>'
        )
    for name, counts in (("ready", [m.ready for m in panel.moments]), ("pods", [m.replicas for m in panel.moments])):
        yield f'<path class="{name}" d="{_steps(panel.moments, counts, x, lambda count: y(count / most_pods))}"/>'
    yield f'<line class="axis" x1="{left}" y1="{base}" x2="{right}" y2="{base}"/>'
    yield f'<text class="s" x="{left - 8}" y="{y(1) + 9}" text-anchor="end">{most_load:.0f}</text>'
    yield f'<text class="s" x="{right + 8}" y="{y(1) + 9}">{most_pods} pods</text>'
    for share in (0.0, 0.5, 1.0):
        yield f'<text class="s" x="{x(end * share)}" y="{base + 15}" text-anchor="middle">{end * share:.0f} s</text>'
    for number, (at, text) in enumerate(panel.notes[:_NOTES]):
        line = f"{at:5.1f} s  {text}"
        shown = line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
        yield f'<text class="e" x="{left}" y="{base + 36 + _LINE * number}">{escape(shown)}</text>'


def _panics(moments: Sequence[Moment]) -> Iterator[tuple[float, float]]:
    """When panic began and ended."""
    began: float | None = None
    for moment in moments:
        if moment.panicking and began is None:
            began = moment.at
        elif not moment.panicking and began is not None:
            yield began, moment.at
            began = None
    if began is not None:
        yield began, moments[-1].at


def _steps(
    moments: Sequence[Moment], counts: Sequence[int], x: Callable[[float], float], y: Callable[[int], float]
) -> str:
    """A line that holds each count until the next."""
    path = [f"M{x(moments[0].at)} {y(counts[0])}"]
    for before, moment, count in zip(counts, moments[1:], counts[1:], strict=False):
        if count != before:
            path += [f"H{x(moment.at)}", f"V{y(count)}"]
    return "".join([*path, f"H{x(moments[-1].at)}"])
