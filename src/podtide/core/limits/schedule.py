"""Bounds of their own at some hours of some days, in the user's time zone. The engine asks which are in force.

A start or end that a clock change skips is the moment of the change; one that happens twice is the first of the two. So
a period is one piece, and two that meet on the wall clock meet on the world's.
"""

import functools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from podtide.core.model.spec import Bounds, Schedule

_DAY = 24 * 60
_AHEAD = 8
"""Days to look ahead: a schedule of one day a week starts again within seven, and one more covers the zones."""


class InForce(NamedTuple):
    """The bounds at a moment."""

    bounds: Bounds
    schedule: str | None = None
    """The name of the active schedule."""
    until: float | None = None
    """When other bounds or another schedule come into force, in seconds; None if that is not within a week."""


def in_force(bounds: Bounds, schedules: tuple[Schedule, ...], now: float) -> InForce:
    """The bounds at `now`: the active schedule's, which takes what it leaves open from the object's own."""
    if not schedules:
        return InForce(bounds)
    # Clocks change, and schedules begin and end, at whole minutes, so the answer of a minute's start is that minute's.
    return _in_force(bounds, schedules, int(now // 60))


@functools.lru_cache(maxsize=4096)
def _in_force(bounds: Bounds, schedules: tuple[Schedule, ...], minute: int) -> InForce:
    now = minute * 60.0
    here = active(schedules, now)
    for moment in sorted({edge for schedule in schedules for edge in _edges(schedule, now) if edge > now}):
        there = active(schedules, moment)
        if there is not here:
            return InForce(_bounds(bounds, here), here.name if here else None, moment)
    return InForce(_bounds(bounds, here), here.name if here else None)


def active(schedules: tuple[Schedule, ...], now: float) -> Schedule | None:
    """The schedule that holds at `now`. `validate` refuses overlapping ones; of such, the first in the list."""
    for schedule in schedules:
        if any(start <= now < end for start, end in _periods(schedule, now, days=range(-2, 2))):
            return schedule
    return None


def _bounds(bounds: Bounds, schedule: Schedule | None) -> Bounds:
    if schedule is None:
        return bounds
    return Bounds(
        bounds.minimum if schedule.minimum is None else schedule.minimum,
        bounds.maximum if schedule.maximum is None else schedule.maximum,
    )


def _edges(schedule: Schedule, now: float) -> Iterator[float]:
    for start, end in _periods(schedule, now, days=range(-2, _AHEAD + 1)):
        yield start
        yield end


def _periods(schedule: Schedule, now: float, *, days: range) -> Iterator[tuple[float, float]]:
    """The schedule's periods that start on some days around today, as instants."""
    zone = ZoneInfo(schedule.timezone)
    today = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    length = (schedule.end - schedule.start - 1) % _DAY + 1
    for day in days:
        midnight = today + timedelta(days=day)
        if not schedule.days or midnight.weekday() in schedule.days:
            start = midnight + timedelta(minutes=schedule.start)
            yield _instant(start, zone), _instant(start + timedelta(minutes=length), zone)


def _instant(wall: datetime, zone: ZoneInfo) -> float:
    """The first moment at which the zone's clocks show this or more."""
    moment = wall.replace(tzinfo=zone).timestamp()
    if datetime.fromtimestamp(moment, zone).replace(tzinfo=None) == wall:
        return moment
    # The clocks jump over it. With `fold` the later offset is assumed, so the jump lies between the two answers.
    early, late = int(wall.replace(tzinfo=zone, fold=1).timestamp()), int(moment)
    before = _offset(early, zone)
    while late - early > 1:
        middle = (early + late) // 2
        if _offset(middle, zone) == before:
            early = middle
        else:
            late = middle
    return float(late)


def _offset(moment: int, zone: ZoneInfo) -> timedelta | None:
    return datetime.fromtimestamp(moment, UTC).astimezone(zone).utcoffset()
