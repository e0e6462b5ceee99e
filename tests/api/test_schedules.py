from typing import Any

import pytest

from podtide.api import decode, schedules
from podtide.core.model import spec
from tests.api import manifests


def entry(name: str = "a", start: str = "09:00", end: str = "18:00", **more: Any) -> dict[str, Any]:
    return {"name": name, "startTime": start, "endTime": end, "minReplicas": 2, **more}


def problems(*entries: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in decode.autoscaler(manifests.manifest(schedules=list(entries))).problems]


def test_defaults_and_spelling() -> None:
    decoded = decode.autoscaler(manifests.manifest(schedules=[entry(daysOfWeek=["mon", "SUN"])])).spec
    assert decoded is not None
    assert decoded.schedules == (spec.Schedule("a", "UTC", frozenset({0, 6}), 540, 1080, 2, None),)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"timezone": "Europe/Berln"},
            '.timezone: "Europe/Berln" is not an IANA time zone; did you mean "Europe/Berlin"?',
        ),
        ({"timezone": "../etc"}, '.timezone: "../etc" is not an IANA time zone; write for example "Europe/Berlin"'),
        ({"daysOfWeek": ["Monday"]}, '.daysOfWeek[0]: "Monday" is not a day; write Mon'),
        ({"daysOfWeek": ["x"]}, '.daysOfWeek[0]: "x" is not a day; write Mon, Tue, Wed, Thu, Fri, Sat or Sun'),
        ({"daysOfWeek": []}, ".daysOfWeek: [] has too few entries; write at least 1 or leave it out"),
        ({"minReplicas": 11}, ".minReplicas: 11 leaves no room: minReplicas 11 is greater than maxReplicas 10"),
        ({"minReplicas": -1}, ".minReplicas: -1 is negative; write 0 or more"),
        ({"maxReplicas": 0}, ".maxReplicas: 0 is too small; write at least 1"),
        ({"maxReplicas": 1}, ".minReplicas: 2 leaves no room: minReplicas 2 is greater than maxReplicas 1"),
        (
            {"endTime": "24:00"},
            '.endTime: "24:00" is not a time of day; write hours and minutes with two digits each, for example "09:00"',
        ),
    ],
)
def test_problems(fields: dict[str, Any], expected: str) -> None:
    assert problems(entry(**fields)) == [f"spec.schedules[0]{expected}"]


def test_names_are_unique() -> None:
    assert problems(entry(), entry(start="20:00", end="21:00")) == [
        'spec.schedules[1].name: "a" is taken by spec.schedules[0]; write another name'
    ]


def test_an_overlap_names_both() -> None:
    assert problems(entry(), entry("b", "17:00", "19:00")) == [
        'spec.schedules[1]: "b" overlaps with "a"; change startTime, endTime or daysOfWeek'
    ]


def schedule(start: str, end: str, days: str = "", zone: str = "UTC") -> spec.Schedule:
    def minutes(text: str) -> int:
        return int(text[:2]) * 60 + int(text[3:])

    return spec.Schedule("x", zone, frozenset(int(day) for day in days), minutes(start), minutes(end), 1, 2)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(schedule("09:00", "12:00"), schedule("12:00", "14:00"), False, id="the end is not included"),
        pytest.param(schedule("09:00", "12:00"), schedule("11:59", "14:00"), True, id="one minute"),
        pytest.param(schedule("09:00", "12:00", "01"), schedule("09:00", "12:00", "23"), False, id="other days"),
        pytest.param(schedule("22:00", "06:00", "0"), schedule("05:00", "07:00", "1"), True, id="past midnight"),
        pytest.param(schedule("22:00", "06:00", "0"), schedule("05:00", "07:00", "0"), False, id="the morning before"),
        pytest.param(schedule("22:00", "06:00", "6"), schedule("05:00", "07:00", "0"), True, id="Sunday into Monday"),
        pytest.param(schedule("00:00", "00:00", "0"), schedule("00:00", "00:00", "1"), False, id="whole days"),
        pytest.param(schedule("00:00", "00:00"), schedule("13:00", "14:00", "3"), True, id="always"),
        pytest.param(
            schedule("09:00", "10:00", "", "Europe/Berlin"),
            schedule("08:00", "09:00"),
            True,
            id="in winter Berlin is UTC+1",
        ),
        pytest.param(
            schedule("09:00", "10:00", "", "Europe/Berlin"), schedule("07:00", "08:00"), True, id="in summer UTC+2"
        ),
        pytest.param(
            schedule("09:00", "10:00", "", "Europe/Berlin"), schedule("09:00", "10:00"), False, id="never UTC+0"
        ),
        pytest.param(
            schedule("08:00", "09:00", "0", "Asia/Tokyo"),
            schedule("23:00", "23:30", "6"),
            True,
            id="other day, same moment",
        ),
    ],
)
def test_overlap(first: spec.Schedule, second: spec.Schedule, expected: bool) -> None:
    assert schedules.overlap(first, second) is expected
    assert schedules.overlap(second, first) is expected


def test_many_schedules_are_laid_out_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once per pair: one tenant's object must not hold everybody up while it is read."""
    laid_out: list[str] = []
    year = schedules._yearly

    def counted(schedule: spec.Schedule) -> schedules.Year:
        laid_out.append(schedule.name)
        return year(schedule)

    monkeypatch.setattr(schedules, "_yearly", counted)
    entries = [
        entry(f"s{number}", f"12:{number:02d}", f"12:{number + 1:02d}", timezone=zone)
        for number, zone in enumerate(("Asia/Kolkata", "Asia/Tokyo") * 25)
    ]
    assert problems(*entries) == []
    assert sorted(laid_out) == sorted(f"s{number}" for number in range(50))


def test_more_schedules_than_anybody_needs_are_refused_unread() -> None:
    entries = [entry(f"s{number}") for number in range(51)]
    assert problems(*entries) == ["spec.schedules: has 51 entries; write at most 50"]
