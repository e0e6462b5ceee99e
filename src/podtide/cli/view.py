"""The demo's live view: one screen of heading, figures, courses and the newest events. `cli.watching` draws it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from podtide.cli import chart

COLUMNS = ("LOAD", "VALUE/TARGET", "STATE", "DESIRED", "REPLICAS", "READY")
_NARROW = 10
"""The fewest characters of a course."""
_USUAL = 80
"""Characters of a line on a screen that is not narrow."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What the view says above everything else."""

    about: str
    elapsed: float
    """Seconds since the scenario began."""
    duration: float
    kubeconfig: str


@dataclass(frozen=True, slots=True)
class Course:
    """One workload, now and up to now."""

    name: str
    loads: Sequence[float]
    counts: Sequence[float]
    """Its replicas, at the same times."""
    cells: Sequence[str]
    """What stands under COLUMNS."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event."""

    at: float
    name: str
    reason: str
    note: str


def draw(heading: Heading, courses: Sequence[Course], told: Sequence[Line], console: Console) -> Group:
    """The view, no taller than the screen: of the events the newest that fit, each with its whole reason."""
    width = console.width
    above: list[RenderableType] = [*_heading(heading), _figures(courses, width), *_courses(courses, width), Text()]
    # One line is left to the cursor, which stands below the view.
    room = console.height - 1 - sum(_height(part, console) for part in above)
    shown: list[RenderableType] = []
    for item in reversed(told):
        line = _event(item)
        room -= _height(line, console)
        if room < 0:
            break
        shown.insert(0, line)
    return Group(*above, *shown)


def _heading(heading: Heading) -> Iterator[Text]:
    yield Text(f"Podtide demo: {heading.about}", style="bold")
    yield Text(f"{heading.elapsed:.0f} of {heading.duration:.0f} s, Ctrl-C ends it; meanwhile:", style="dim")
    yield Text(f"kubectl --kubeconfig {heading.kubeconfig} get pas -A\n", style="dim")


def _figures(courses: Sequence[Course], width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2 if width >= _USUAL else 1, 0, 0))
    # Only the name gives way on a narrow screen, and is folded, not cut.
    table.add_column("AUTOSCALER", overflow="fold")
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for course in courses:
        styles = {"panic": "bold red", "stable": "green"}
        table.add_row(course.name, *(Text(cell, style=styles.get(cell, "")) for cell in course.cells))
    return table


def _courses(courses: Sequence[Course], width: int) -> Iterator[Text]:
    indent = max((len(course.name) for course in courses), default=0) + 2
    room = max(_NARROW, width - indent - len("load  "))
    for course in courses:
        yield Text(f"{course.name:<{indent}}load  {chart.bars(course.loads, room)}")
        yield Text(f"{'':<{indent}}pods  {chart.bars(course.counts, room)}", style="cyan")


def _event(item: Line) -> Table:
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(justify="right", no_wrap=True, style="dim")
    line.add_column(overflow="fold")
    words = Text(f"{item.name}  ", style="bold")
    words.append(item.reason, style="green" if item.reason == "SuccessfulRescale" else "yellow")
    words.append(f"  {item.note}", style="not bold")
    line.add_row(f"{item.at:5.1f}s", words)
    return line


def _height(part: RenderableType, console: Console) -> int:
    return len(console.render_lines(part, pad=False))
