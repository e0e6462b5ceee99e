import io

import pytest
from rich.console import Console

from podtide.cli import view

NAME = "kube-system/metrics-server"
REASON = "New size: 2; reason: go_threads above target (load 21.5 in 180 s, 21.5 in 60 s, 1 ready)"


def shown(width: int, height: int, *, events: int = 1) -> list[str]:
    """The lines of a view of one workload, as a terminal of this size shows them."""
    heading = view.Heading("Load rises.", 26, 60, "/tmp/podtide-demo-x/kubeconfig")
    course = view.Course(NAME, [4.0] * 300, [1.0] * 300, ("38", "23.5/20", "panic", "2", "2", "2"))
    told = [view.Line(at, NAME, "SuccessfulRescale", f"{REASON} #{at}.") for at in range(events)]
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    with console.capture() as captured:
        console.print(view.draw(heading, [course], told, console))
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize("width", [80, 100, 132])
def test_a_course_takes_one_line(width: int) -> None:
    lines = shown(width, 24)
    course = next(line for line in lines if line.startswith(f"{NAME}  load"))
    assert len(course) == width
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [60, 80, 132])
def test_nothing_is_cut(width: int) -> None:
    together = "".join("".join(shown(width, 40)).split())
    for words in (NAME, "VALUE/TARGET", "23.5/20", REASON):
        assert words.replace(" ", "") in together


@pytest.mark.parametrize("width", [60, 80])
def test_the_newest_events_are_those_shown(width: int) -> None:
    lines = shown(width, 24, events=40)
    assert len(lines) < 24
    assert "#39." in "".join(lines)
    assert "#0." not in "".join(lines)
