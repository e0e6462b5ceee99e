"""Loads to come: lines, seasons, and when a forecast is believed."""

import math
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from podtide.core.forecast import Foresight, line, startup
from podtide.core.forecast.record import LEAST, Record
from podtide.core.forecast.season import STRETCH, Season
from podtide.core.model.spec import Bounds, Forecast, Foreseen, Select
from podtide.core.model.view import PodView, TargetView
from tests.core import ticks

TREND = Forecast(methods=(Foreseen.TREND,))
DAILY = Forecast(methods=(Foreseen.DAILY,))
DAY = 86_400.0


def followed(rules: Forecast, load: Callable[[float], float], seconds: float, *, horizon: float = 90.0) -> Foresight:
    """A foresight that has seen a load every five seconds, from 0 on."""
    made = Foresight(rules)
    for at in range(0, int(seconds), 5):
        made.absorb(float(at), load(float(at)), horizon)
    return made


def test_a_line_goes_through_its_points() -> None:
    found = line.through([(at, 3.0 + 2.0 * at + (0.1 if at % 2 else -0.1)) for at in range(20)])
    assert found is not None
    middle, value, slope = found
    assert slope == pytest.approx(2.0, abs=0.01)
    assert value == pytest.approx(3.0 + 2.0 * middle, abs=0.01)


def test_noise_has_no_slope() -> None:
    rng = random.Random(1)
    for _ in range(50):
        found = line.through([(float(at), rng.gauss(10.0, 3.0)) for at in range(10)])
        assert found is not None
        assert found[2] == 0.0


@pytest.mark.parametrize("count", [0, 1, line.LEAST - 1])
def test_few_points_have_no_line(count: int) -> None:
    assert line.through([(float(at), 1.0) for at in range(count)]) is None


def test_a_rising_load_is_seen_ahead() -> None:
    outlook = followed(TREND, lambda at: 10.0 + at / 10, 1500).outlook("m", 1500.0, 90.0)
    assert outlook.reason == "TrendForecast"
    assert outlook.load is not None
    assert outlook.load == pytest.approx(10.0 + 159.0, rel=0.03)
    assert outlook.low is not None
    assert outlook.high is not None
    assert outlook.low <= outlook.load <= outlook.high
    assert outlook.error is not None
    assert outlook.error < 0.05


def test_a_falling_load_is_never_below_nothing() -> None:
    outlook = followed(replace(TREND, max_error=9.0), lambda at: max(0.0, 100.0 - at / 10), 900).outlook(
        "m", 900, 300.0
    )
    assert outlook.load is None or outlook.load >= 0.0


def test_a_load_that_stays_is_forecast_to_stay() -> None:
    outlook = followed(TREND, lambda at: 50.0, 2000).outlook("m", 2000.0, 90.0)
    assert (outlook.load, outlook.low, outlook.high, outlook.error) == (50.0, 50.0, 50.0, 0.0)


def test_a_trend_that_keeps_turning_is_worse_than_none() -> None:
    outlook = followed(replace(TREND, max_error=9.0), lambda at: 50.0 + 40.0 * math.sin(at / 60), 4000)
    assert "not much better than expecting no change" in outlook.outlook("m", 4000.0, 90.0).message


def test_a_load_that_cannot_be_foreseen_silences_the_forecast() -> None:
    rng = random.Random(2)
    outlook = followed(TREND, lambda at: 100.0 * (rng.random() < 0.1), 6000).outlook("m", 6000.0, 90.0)
    assert outlook.reason == "Silent"
    assert outlook.error is not None
    assert outlook.error > 0.3
    assert "the limit is 30%" in outlook.message


def test_before_enough_has_come_to_pass_nothing_is_believed() -> None:
    outlook = followed(TREND, lambda at: 10.0 + at, 300).outlook("m", 300.0, 90.0)
    assert outlook.reason == "Learning"
    assert outlook.load is None


def test_without_a_start_up_time_there_is_no_horizon() -> None:
    assert followed(TREND, lambda at: at, 300).outlook("m", 300.0, None).reason == "UnknownStartup"


def test_a_season_knows_what_has_passed_once() -> None:
    season = Season(DAY)
    for stretch in range(int(DAY / STRETCH)):
        season.learn((stretch + 0.5) * STRETCH, float(stretch))
    middle = 10.5 * STRETCH
    assert season.usual(middle + DAY) == pytest.approx(10.0)
    assert season.usual(middle + STRETCH / 2) == pytest.approx(10.5)
    assert season.predict(middle + STRETCH, now=middle, level=20.0) == pytest.approx(22.0)
    again = Season(DAY)
    again.resume(season.save())
    assert again.usual(middle) == season.usual(middle)


def test_an_unknown_hour_has_no_forecast() -> None:
    season = Season(DAY)
    season.learn(100.0, 5.0)
    assert season.usual(5 * 3600.0) is None


def test_a_day_that_is_like_the_last_is_foreseen() -> None:
    def load(at: float) -> float:
        return 100.0 + 300.0 * (at % DAY > DAY / 2) * min(1.0, (at % DAY - DAY / 2) / 1800)

    made = followed(DAILY, load, DAY * 1.5 + 60, horizon=600.0)
    outlook = made.outlook("m", DAY * 1.5 + 60, 600.0)
    assert outlook.reason == "DailyForecast"
    assert outlook.load is not None
    assert outlook.load > 1.4 * load(DAY * 1.5 + 60)


def test_a_moment_of_chance_is_not_carried_into_the_season() -> None:
    def load(at: float) -> float:
        return 100.0 + 50.0 * math.sin(at / DAY * math.tau)

    def loaded(at: float) -> float:
        return load(at) * (1.5 if at > end - 30 else 1.0)

    end = DAY * 1.5
    usual, odd = (followed(DAILY, each, end + 5, horizon=600.0) for each in (load, loaded))
    before, after = usual.outlook("m", end, 600.0).load, odd.outlook("m", end, 600.0).load
    assert before is not None
    assert after is not None
    assert before < after < 1.08 * before


def test_what_was_said_is_judged_by_what_came() -> None:
    record = Record()
    for number in range(LEAST):
        record.expect(float(number), 110.0, 90.0)
    assert record.error is None
    for number in range(LEAST):
        record.came(float(number), 100.0)
    assert record.error == pytest.approx(0.1)
    assert record.naive_error == pytest.approx(0.1)
    assert record.band(50.0, (0.1, 0.9)) == (40.0, 40.0)


def test_a_band_holds_the_share_that_it_says() -> None:
    rng, record = random.Random(3), Record()
    outcomes = [100.0 + rng.gauss(0.0, 10.0) for _ in range(120)]
    for number, outcome in enumerate(outcomes):
        record.expect(float(number), 100.0, 100.0)
        record.came(float(number), outcome)
    low, high = record.band(100.0, (0.1, 0.9))
    assert sum(low <= outcome <= high for outcome in outcomes) == pytest.approx(96, abs=3)


def test_no_load_at_all_is_foreseen_exactly() -> None:
    record = Record()
    for number in range(LEAST):
        record.expect(float(number), 0.0, 0.0)
        record.came(float(number), 0.0)
    assert record.error == 0.0
    wrong = Record()
    for number in range(LEAST):
        wrong.expect(float(number), 5.0, 0.0)
        wrong.came(float(number), 0.0)
    assert wrong.error == math.inf


def test_a_saved_foresight_goes_on_as_it_was() -> None:
    made = followed(Forecast(), lambda at: 10.0 + at / 10, 1500)
    again = Foresight.restore(Forecast(), made.save())
    assert again.outlook("m", 1500.0, 90.0) == made.outlook("m", 1500.0, 90.0)


def test_after_a_step_of_the_clock_only_seasons_are_known() -> None:
    made = followed(Forecast(), lambda at: 10.0 + at / 10, DAY + 1500)
    made.pause()
    assert made.outlook("m", 1500.0, 90.0).reason == "Learning"
    assert made.save()["seasons"]["Daily"]


def test_an_edited_limit_holds_from_the_next_reading_on() -> None:
    rng = random.Random(2)
    made = followed(replace(TREND, max_error=9.0), lambda at: 100.0 * (rng.random() < 0.1), 6000)
    assert made.outlook("m", 6000.0, 90.0).reason == "TrendForecast"
    made.obey(TREND)
    assert "the limit is 30%" in made.outlook("m", 6000.0, 90.0).message


def test_an_edited_window_keeps_what_is_usual() -> None:
    made = followed(Forecast(), lambda at: 10.0 + at / 10, DAY + 1500)
    usual = made.save()["seasons"]["Daily"]
    narrow = replace(DAILY, window=120.0)
    again = Foresight.restore(narrow, made.save())
    made.obey(narrow)
    for each in (made, again):
        assert each.outlook("m", DAY + 1500, 90.0).reason == "Learning"
        assert each.save()["seasons"] == {"Daily": usual}
        assert each.save()["points"] == []


@pytest.mark.parametrize(
    ("horizon", "reason"), [(150.0, "TrendForecast"), (300.0, "Learning"), (30.0, "TrendForecast")]
)
def test_forecasts_are_judged_by_those_that_looked_as_far(horizon: float, reason: str) -> None:
    made = followed(TREND, lambda at: 10.0 + at / 10, 1500)
    made.absorb(1500.0, 160.0, horizon)
    assert made.outlook("m", 1500.0, horizon).reason == reason


def test_what_came_while_nothing_was_read_is_not_judged() -> None:
    made = followed(TREND, lambda at: 10.0 + at / 10, 1500)
    before = made.outlook("m", 1500.0, 90.0)
    for at in range(5000, 5200, 5):
        made.absorb(float(at), 5000.0, 90.0)
    assert made.outlook("m", 5200.0, 90.0).error == before.error


@pytest.mark.parametrize("data", [{}, {"points": 3}, {"points": [], "seasons": [], "records": {}}])
def test_a_damaged_snapshot_is_refused(data: dict[str, object]) -> None:
    with pytest.raises((AttributeError, KeyError, TypeError, ValueError)):
        Foresight.restore(Forecast(), data)


def pod(number: int, created: float | None, since: float | None, **changes: object) -> PodView:
    return PodView(f"web-{number}", f"uid-{number}", created=created, ready_since=since, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        pytest.param([], None, id="no pods"),
        pytest.param([pod(0, 0.0, 30.0)], 30.0, id="one"),
        pytest.param([pod(n, 0.0, 10.0 * n) for n in range(1, 6)], 40.0, id="three quarters are as quick"),
        pytest.param([pod(0, 0.0, None), pod(1, None, 5.0)], None, id="those that do not say"),
        pytest.param([pod(0, 0.0, 9000.0), pod(1, 0.0, 20.0)], 20.0, id="one that failed in between"),
        pytest.param([pod(0, 0.0, 20.0, ready="False")], None, id="not ready"),
    ],
)
def test_the_start_up_time_is_learned_from_the_pods(pods: list[PodView], expected: float | None) -> None:
    assert startup.learned(TargetView(1e4, pods=tuple(pods)), limit=600.0) == expected


def rising(strategy: str, **changes: object) -> ticks.Loop:
    """A load that rises by one pod a minute and a half, under pods that take five minutes to start."""
    loop = ticks.Loop(ticks.spec(strategy, **changes), replicas=6, now=100_000.0)
    loop.memory = type(loop.memory)(loop.now)
    return loop


def rise(loop: ticks.Loop, seconds: float) -> list[str]:
    """Why the count was what it was, at each tick."""
    began, reasons = loop.now, []
    while loop.now < began + seconds:
        load = 30.0 + (loop.now - began) / 10.0
        decision = loop.tick(load)
        reasons += [note.reason for note in decision.trail if note.stage == "forecast"]
    return reasons


@pytest.mark.parametrize("strategy", ["KPA", "HPA", "APA"])
def test_a_forecast_asks_early_and_only_ever_raises(strategy: str) -> None:
    ahead = rising(strategy, forecast=replace(TREND, horizon=300.0, window=300.0))
    plain = rising(strategy)
    reasons = rise(ahead, 2400.0)
    rise(plain, 2400.0)
    assert set(reasons) == {"TrendForecast"}
    assert ahead.replicas > plain.replicas
    # 30 + 240 of load now, and 30 more in five minutes, at 10 a pod.
    assert 24 <= plain.replicas <= 30
    assert ahead.replicas <= 33


@pytest.mark.parametrize("strategy", ["HPA", "APA"])
def test_a_forecast_within_the_tolerance_adds_nothing(strategy: str) -> None:
    loop = rising(strategy, forecast=replace(TREND, horizon=300.0))
    for tick in range(600):
        # It ends at 59.9, and about 61 are foreseen: 6 pods carry 60, or 66 within the tolerance.
        decision = loop.tick(54.0 + 6.0 * tick / 600)
    (outlook,) = decision.outlooks
    assert outlook.load is not None
    assert 60.0 < outlook.load < 66.0
    assert (outlook.replicas, loop.replicas) == (6, 6)
    assert "pods, within 10% of those there are" in outlook.message


def test_what_is_asked_for_early_stays_within_the_bounds() -> None:
    loop = rising("KPA", forecast=replace(TREND, horizon=300.0), bounds=Bounds(1, 20))
    rise(loop, 2400.0)
    assert loop.replicas == 20


def test_a_forecast_survives_a_restart() -> None:
    loop = rising("KPA", forecast=replace(TREND, horizon=300.0))
    rise(loop, 1200.0)
    again = type(loop.memory).restore(loop.memory.snapshot())
    before = loop.tick(150.0)
    loop.memory = again
    loop.now -= 2.0
    after = loop.tick(150.0)
    assert before.outlooks
    assert after.outlooks == before.outlooks
    assert after.desired == before.desired


@pytest.mark.parametrize("gap", [5000.0, -3600.0], ids=["an outage", "a clock set back"])
def test_what_is_usual_survives_whatever_else_is_forgotten(gap: float) -> None:
    loop = rising("KPA", forecast=replace(DAILY, horizon=300.0))
    rise(loop, 1200.0)
    before = loop.memory.save().forecasts["0:load"]["seasons"]["Daily"]
    loop.now += gap
    loop.tick(150.0)
    kept = loop.memory.save().forecasts["0:load"]
    assert len(before) >= 3
    assert before.items() <= kept["seasons"]["Daily"].items()
    assert kept["points"] == []


def test_what_is_usual_of_a_metric_is_not_of_another() -> None:
    loop = rising("KPA", forecast=replace(DAILY, horizon=300.0))
    rise(loop, 1200.0)
    loop.spec = replace(loop.spec, metrics=(replace(ticks.metric(), select=Select("other")),))
    loop.tick(150.0)
    assert loop.memory.save().forecasts["0:load"]["seasons"]["Daily"] == {}


def test_an_edited_forecast_is_obeyed_without_a_restart() -> None:
    loop = rising("KPA", forecast=replace(TREND, horizon=300.0))
    rise(loop, 1200.0)
    loop.spec = replace(loop.spec, forecast=replace(TREND, horizon=300.0, max_error=0.0001))
    (outlook,) = loop.tick(150.0).outlooks
    assert "the limit is 0%" in outlook.message


def test_stale_values_are_no_ground_to_look_ahead_from() -> None:
    loop = rising("KPA", forecast=replace(TREND, horizon=300.0))
    rise(loop, 1200.0)
    for _ in range(15):
        decision = loop.tick(None)
    assert [outlook.reason for outlook in decision.outlooks] == ["StaleMetrics"]
