"""What a process of `benchmarks.soak` may have and may grow by, and the table of it."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WARM = 20.0
"""Seconds after its start when a process has everything it needs."""
GROWTH = 5.0
"""MB that a process may grow after that, however long it lives; the allocator keeps some of what was free."""
LONG = 240.0
"""Seconds after which a process has seen each disaster, and can be held to `SLOPE` for the second half of its life."""
SLOPE = 0.5
"""MB that may be added a minute, by a straight line through the samples: a process is sent and sends some 3,000
answers, pages and events a minute, and 200 bytes forgotten for each would be 0.6 MB."""
FILES = 30
"""File descriptors besides one for every pod that is scraped. Held in the end only, as tasks are, and by no slope: who
comes to lead in the second half has more of both from then on."""
TASKS = 30
"""Tasks besides one for every autoscaler that is worked on."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process had at one moment."""

    age: float
    rss: float
    """MB."""
    files: int
    tasks: int
    crashes: int


def slope(samples: Sequence[Sample]) -> float | None:
    """The MB that a process adds a minute in the second half of its life, by least squares; None for a young one."""
    if not samples or samples[-1].age < LONG:
        return None
    later = [sample for sample in samples if sample.age >= samples[-1].age / 2]
    return statistics.linear_regression([one.age / 60 for one in later], [one.rss for one in later]).slope


def left(name: str, samples: Sequence[Sample], pods: int, tasks: int) -> list[str]:
    """What a process has too much of in the end."""
    found = []
    last, warm = samples[-1], [sample for sample in samples if sample.age > WARM]
    if warm and last.rss > warm[0].rss + GROWTH:
        found.append(f"{name} has grown from {warm[0].rss:.0f} to {last.rss:.0f} MB")
    if (grows := slope(samples)) is not None and grows > SLOPE:
        found.append(f"{name} still grows by {grows:.2f} MB a minute, more than {SLOPE:g}")
    if last.files > pods + FILES:
        found.append(f"{name} has {last.files} file descriptors for {pods} pods")
    if last.tasks > tasks:
        found.append(f"{name} has {last.tasks} tasks, {last.tasks - tasks} too many")
    if last.crashes:
        found.append(f"{name}: {last.crashes} workers have crashed")
    return found


HEAD = f"{'replica':<8} {'lived':>7} {'files':>9} {'tasks':>9}   MB, every minute"


def rows(name: str, samples: Sequence[Sample]) -> Iterator[str]:
    """What a process had, if it lived for long enough: at most, in the end, its memory minute by minute."""
    warm = [sample for sample in samples if sample.age > WARM]
    if not warm:
        return
    last = warm[-1]
    files = f"{max(one.files for one in warm)} / {last.files}"
    tasks = f"{max(one.tasks for one in warm)} / {last.tasks}"
    minutes = {int((one.age - WARM) / 60): f"{one.rss:.1f}" for one in reversed(warm)}
    memory = " ".join([*reversed(minutes.values()), f"{last.rss:.1f}"])
    grows = slope(samples)
    pace = "" if grows is None else f"   {grows:+.2f} a minute in the second half"
    yield f"{name:<8} {last.age:5.0f} s {files:>9} {tasks:>9}   {memory}{pace}"
