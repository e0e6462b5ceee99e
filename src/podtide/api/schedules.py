"""`spec.schedules`: read, and checked for overlaps. `decode` calls this."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import combinations, pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from podtide.api import defaults
from podtide.api.errors import MISSING, Findings, nearest
from podtide.core.model import spec

Year = Sequence[tuple[int, int]]
"""Spans in minutes, in order."""

_DAYS = {"mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4, "sat": 5, "sun": 6}
_LONGEST_NAME = 253
_WEEK = 7 * 24 * 60
# Zones change their offsets at the same weeks of any year, so one whole year stands for all; it need not be this one.
_YEAR = [date(2024, 1, 1) + timedelta(days=day) for day in range(366)]


def read(entries: Sequence[Any], base: spec.Bounds | None, findings: Findings) -> tuple[spec.Schedule, ...]:
    """The schedules that can be used; each problem of the others is noted."""
    path = "spec.schedules"
    found = []
    names: dict[str, int] = {}
    for index, entry in enumerate(entries):
        if entry is MISSING:
            continue
        where = f"{path}[{index}]"
        name = entry.get("name")
        if name in names:
            findings.problem(f"{where}.name", name, f"is taken by {path}[{names[name]}]; write another name")
        elif name is not None:
            names[name] = index
            if len(name) > _LONGEST_NAME:
                findings.problem(f"{where}.name", name, f"is longer than {_LONGEST_NAME} characters")
        schedule = _schedule(entry, base, where, findings)
        if schedule is not None:
            found.append((where, schedule))
    # A year is laid out once per schedule: once per pair would hold everybody up for as long as a tenant likes.
    year = functools.cache(_yearly)
    for (_, first), (where, second) in combinations(found, 2):
        if overlap(first, second, year):
            findings.problem(
                where, second.name, f'overlaps with "{first.name}"; change startTime, endTime or daysOfWeek'
            )
    return tuple(schedule for _, schedule in found)


def _schedule(
    entry: Mapping[str, Any], base: spec.Bounds | None, path: str, findings: Findings
) -> spec.Schedule | None:
    zone = _zone(entry.get("timezone", ""), f"{path}.timezone", findings)
    days = [
        _day(day, f"{path}.daysOfWeek[{index}]", findings)
        for index, day in enumerate(entry.get("daysOfWeek", ()))
        if day is not MISSING
    ]
    _bounds(entry, base, path, findings)
    start, end = entry.get("startTime"), entry.get("endTime")
    if zone is None or None in days or not start or not end or "name" not in entry:
        return None
    return spec.Schedule(
        name=entry["name"],
        timezone=zone,
        days=frozenset(day for day in days if day is not None),
        start=_minutes(start),
        end=_minutes(end),
        minimum=entry.get("minReplicas"),
        maximum=entry.get("maxReplicas"),
    )


def _zone(name: str, path: str, findings: Findings) -> str | None:
    if not name:
        return defaults.TIMEZONE
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        meant = nearest(name, _zones())
        advice = f'did you mean "{meant}"?' if meant else 'write for example "Europe/Berlin"'
        findings.problem(path, name, f"is not an IANA time zone; {advice}")
        return None
    return name


@functools.cache
def _zones() -> frozenset[str]:
    # Every name is a file that is looked at: 5 ms, and 50 schedules may each have a wrong one.
    return frozenset(available_timezones())


def _day(name: str, path: str, findings: Findings) -> int | None:
    number = _DAYS.get(name.lower())
    if number is None:
        meant = _DAYS.keys() & {name[:3].lower()}
        advice = next(iter(meant)).capitalize() if meant else "Mon, Tue, Wed, Thu, Fri, Sat or Sun"
        findings.problem(path, name, f"is not a day; write {advice}")
    return number


def _bounds(entry: Mapping[str, Any], base: spec.Bounds | None, path: str, findings: Findings) -> None:
    minimum, maximum = entry.get("minReplicas"), entry.get("maxReplicas")
    if minimum is None and maximum is None:
        findings.problem(path, MISSING, "changes nothing; write minReplicas, maxReplicas or both")
    if minimum is not None and minimum < 0:
        findings.problem(f"{path}.minReplicas", minimum, "is negative; write 0 or more")
    elif maximum is not None and maximum < 1:
        findings.problem(f"{path}.maxReplicas", maximum, "is too small; write at least 1")
    elif base is not None:
        low = base.minimum if minimum is None else minimum
        high = base.maximum if maximum is None else maximum
        if low > high:
            field, value = ("minReplicas", low) if minimum is not None else ("maxReplicas", high)
            findings.problem(
                f"{path}.{field}", value, f"leaves no room: minReplicas {low} is greater than maxReplicas {high}"
            )


def _minutes(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])


def _length(schedule: spec.Schedule) -> int:
    return (schedule.end - schedule.start - 1) % (24 * 60) + 1


def _weekly(schedule: spec.Schedule) -> Iterator[tuple[int, int]]:
    """The spans of one week on the local clock, in minutes since Monday."""
    for day in sorted(schedule.days) or range(7):
        start = day * 24 * 60 + schedule.start
        yield start, start + _length(schedule)


def _yearly(schedule: spec.Schedule) -> Year:
    """The spans of one year on the world's clock, in minutes."""
    zone = ZoneInfo(schedule.timezone)
    spans = []
    for day in _YEAR:
        if not schedule.days or day.weekday() in schedule.days:
            # Adding to a moment with a zone moves its local clock, which is what a schedule is written by.
            start = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=schedule.start)
            end = start + timedelta(minutes=_length(schedule))
            spans.append((int(start.timestamp() // 60), int(end.timestamp() // 60)))
    return spans


def overlap(first: spec.Schedule, second: spec.Schedule, year: Callable[[spec.Schedule], Year] = _yearly) -> bool:
    """Whether there is a moment at which both are active. `year` lays a schedule's out, for who asks of many pairs."""
    if first.timezone == second.timezone:
        spans = sorted([*_weekly(first), *_weekly(second)])
        # The week is a ring: what runs over its end meets what stands at its beginning.
        spans.append((spans[0][0] + _WEEK, spans[0][1] + _WEEK))
    else:
        spans = sorted([*year(first), *year(second)])
    return any(after[0] < before[1] for before, after in pairwise(spans))
