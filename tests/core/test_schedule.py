"""Schedules: hours of the wall clock in the user's zone, midnight and clock changes included."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from podtide.core.limits import schedule
from podtide.core.limits.schedule import InForce
from podtide.core.model.spec import Bounds, Schedule

OWN = Bounds(1, 10)
WEEKDAYS = frozenset(range(5))
EVERY_DAY: frozenset[int] = frozenset()


def hours(
    start: str,
    end: str,
    *,
    zone: str = "UTC",
    days: frozenset[int] = EVERY_DAY,
    name: str = "busy",
    low: int | None = 4,
) -> Schedule:
    return Schedule(name, zone, days, _minutes(start), _minutes(end), low, 12)


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def moment(text: str, zone: str = "UTC", fold: int = 0) -> float:
    """2026-03-29T02:30 in a zone, as seconds since 1970."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def active(one: Schedule, text: str, zone: str = "UTC", fold: int = 0) -> bool:
    return schedule.active((one,), moment(text, zone, fold)) is one


def test_without_schedules_the_objects_own_bounds_hold_for_ever() -> None:
    assert schedule.in_force(OWN, (), 0.0) == InForce(OWN)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        pytest.param("2026-11-18T08:59:59", OWN, id="a second before"),
        pytest.param("2026-11-18T09:00", Bounds(4, 12), id="the start itself"),
        pytest.param("2026-11-18T17:59:59", Bounds(4, 12), id="a second before the end"),
        pytest.param("2026-11-18T18:00", OWN, id="the end itself is outside"),
        pytest.param("2026-11-21T12:00", OWN, id="a Saturday"),
    ],
)
def test_bounds_by_the_hour(time: str, expected: Bounds) -> None:
    got = schedule.in_force(OWN, (hours("09:00", "18:00", days=WEEKDAYS),), moment(time))
    assert got.bounds == expected
    assert got.schedule == (None if expected == OWN else "busy")


def test_what_a_schedule_leaves_open_is_the_objects() -> None:
    got = schedule.in_force(OWN, (hours("09:00", "18:00", low=None),), moment("2026-11-18T12:00"))
    assert got.bounds == Bounds(1, 12)


@pytest.mark.parametrize(
    ("time", "until"),
    [
        pytest.param("2026-11-18T12:00", "2026-11-18T18:00", id="the end of today"),
        pytest.param("2026-11-20T18:00", "2026-11-23T09:00", id="over the weekend"),
        pytest.param("2026-11-18T08:59:30", "2026-11-18T09:00", id="within the minute"),
    ],
)
def test_the_next_transition_is_known(time: str, until: str) -> None:
    got = schedule.in_force(OWN, (hours("09:00", "18:00", days=WEEKDAYS),), moment(time))
    assert got.until == moment(until)


def test_the_next_transition_of_one_day_a_week_is_a_week_away() -> None:
    mondays = hours("09:00", "18:00", days=frozenset({0}))
    got = schedule.in_force(OWN, (mondays,), moment("2026-11-23T18:00"))
    assert (got.schedule, got.until) == (None, moment("2026-11-30T09:00"))


def test_a_schedule_of_all_day_every_day_never_ends() -> None:
    got = schedule.in_force(OWN, (hours("00:00", "00:00"),), moment("2026-11-18T12:00"))
    assert (got.schedule, got.until) == ("busy", None)


def test_two_that_meet_hand_over() -> None:
    both = (hours("09:00", "12:00", name="early"), hours("12:00", "18:00", name="late"))
    first = schedule.in_force(OWN, both, moment("2026-11-18T11:00"))
    assert (first.schedule, first.until) == ("early", moment("2026-11-18T12:00"))
    assert schedule.in_force(OWN, both, moment("2026-11-18T12:00")).schedule == "late"


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        pytest.param("2026-11-20T23:00", True, id="Friday evening"),
        pytest.param("2026-11-21T05:59", True, id="belongs to the Friday it began on"),
        pytest.param("2026-11-21T06:00", False, id="its end"),
        pytest.param("2026-11-21T23:00", False, id="Saturday evening has none"),
        pytest.param("2026-11-23T05:00", False, id="Monday morning belongs to Sunday"),
        pytest.param("2026-11-23T22:00", True, id="Monday evening"),
    ],
)
def test_a_period_across_midnight_belongs_to_the_day_it_starts_on(time: str, expected: bool) -> None:
    assert active(hours("22:00", "06:00", days=WEEKDAYS), time) is expected


def test_the_zone_decides_what_the_hour_is() -> None:
    tokyo = hours("09:00", "18:00", zone="Asia/Tokyo", days=frozenset({0}))
    assert active(tokyo, "2026-11-23T00:30")
    assert active(tokyo, "2026-11-23T08:59")
    assert not active(tokyo, "2026-11-23T09:00")
    # Monday in Auckland is Sunday in Greenwich.
    assert active(hours("08:00", "10:00", zone="Pacific/Auckland", days=frozenset({0})), "2026-11-22T19:30")


BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("start", "end", "time", "expected"),
    [
        pytest.param("02:30", "05:00", "2026-03-29T01:59", False, id="skipped start: not before the change"),
        pytest.param("02:30", "05:00", "2026-03-29T03:00", True, id="skipped start: from the change on"),
        pytest.param("01:00", "02:30", "2026-03-29T01:59", True, id="skipped end: until the change"),
        pytest.param("01:00", "02:30", "2026-03-29T03:00", False, id="skipped end: not after the change"),
        pytest.param("02:10", "02:50", "2026-03-29T03:00", False, id="all of it is skipped"),
        pytest.param("09:00", "18:00", "2026-03-29T09:00", True, id="the hours after it are the wall clock's"),
    ],
)
def test_clocks_go_forward(start: str, end: str, time: str, expected: bool) -> None:
    assert active(hours(start, end, zone=BERLIN), time, BERLIN) is expected


@pytest.mark.parametrize(
    ("start", "end", "time", "fold", "expected"),
    [
        pytest.param("02:30", "05:00", "2026-10-25T02:15", 0, False, id="before the first"),
        pytest.param("02:30", "05:00", "2026-10-25T02:30", 0, True, id="it starts at the first"),
        pytest.param("02:30", "05:00", "2026-10-25T02:15", 1, True, id="and does not stop when the hour repeats"),
        pytest.param("01:00", "02:30", "2026-10-25T02:29", 0, True, id="until the first"),
        pytest.param("01:00", "02:30", "2026-10-25T02:15", 1, False, id="not again when the hour repeats"),
    ],
)
def test_clocks_go_back(start: str, end: str, time: str, fold: int, expected: bool) -> None:
    assert active(hours(start, end, zone=BERLIN), time, BERLIN, fold) is expected


def test_two_that_meet_in_a_skipped_hour_leave_no_gap() -> None:
    both = (
        hours("00:00", "02:30", zone=BERLIN, name="night"),
        hours("02:30", "00:00", zone=BERLIN, name="day"),
    )
    for minute in range(0, 25 * 60, 10):
        assert schedule.active(both, moment("2026-03-29T00:00", BERLIN) + minute * 60) is not None


def test_a_zone_that_loses_a_day_and_half_an_hour() -> None:
    # Samoa skipped 30 December 2011; Lord Howe's summer is half an hour.
    assert not active(hours("10:00", "11:00", zone="Pacific/Apia", days=frozenset({4})), "2011-12-30T20:30")
    howe = hours("02:10", "04:00", zone="Australia/Lord_Howe")
    assert schedule.active((howe,), moment("2026-10-04T02:30", "Australia/Lord_Howe")) is howe


def test_a_year_of_every_zone_rule_has_one_piece_per_day() -> None:
    """Every day's period begins and ends once, whatever the clocks do."""
    night = hours("22:00", "06:00", zone="America/New_York")
    start = moment("2026-01-01T12:00", "America/New_York")
    changes, was = 0, False
    for step in range(365 * 24 * 4):
        now = schedule.active((night,), start + step * 900) is not None
        changes += now is not was
        was = now
    assert changes == 2 * 365
