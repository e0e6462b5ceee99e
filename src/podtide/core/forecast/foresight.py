"""One metric's load, now and where it is going. `Memory` holds one per metric of an object that has a forecast.

Every method forecasts all the time and is judged by what comes. Only one that has been right of late, and no less so
than a forecast that nothing changes, is believed; of several the one with the smallest error.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from podtide.core.forecast import line, season
from podtide.core.forecast.record import Record
from podtide.core.forecast.season import Season
from podtide.core.model.decision import Outlook
from podtide.core.model.spec import Forecast, Foreseen

_POINTS = 10
"""Points of the line's window."""
_LEVEL = 3
"""Points that a load is averaged over before it is compared with a forecast: single readings are mostly chance."""
_BETTER = 0.88
"""What a forecast's mean error may be of that of expecting no change. On loads without a rhythm forecasts that are
hardly better add pods and spare no request: docs/quality.md."""
_SMALL = 0.02
"""A mean error, as a share of the load, that is always good enough: in quiet hours expecting no change is right,
too, and a season must not be silent when the quiet ends."""
_FARTHER = 2.0
"""How many times as far a forecast may look as those that it is judged by. Few pods' start-up times differ by half."""
_PERIODS = {Foreseen.DAILY: 86_400.0, Foreseen.WEEKLY: 604_800.0}


class Foresight:
    """Forecasts of the workload's whole load."""

    __slots__ = (
        "_begun",
        "_horizon",
        "_line",
        "_points",
        "_records",
        "_rules",
        "_seasons",
        "_stretch",
        "_sum",
        "_weight",
    )

    def __init__(self, rules: Forecast) -> None:
        self._rules = rules
        self._points: deque[tuple[float, float]] = deque(maxlen=_POINTS)
        """The middle of each past point's time, and the mean load in it."""
        self._begun: int | None = None
        """The number of the point that is being gathered."""
        self._sum, self._weight = 0.0, 0
        self._stretch: tuple[int, float, int] | None = None
        """The season's stretch that is passing: its number, the loads' sum, and how many."""
        self._line: tuple[float, float, float] | None = None
        self._seasons = {method: Season(_PERIODS[method]) for method in rules.methods if method in _PERIODS}
        self._records = {method: Record() for method in rules.methods}
        self._horizon: float | None = None
        """How far ahead the records' forecasts looked, in seconds."""

    @property
    def rules(self) -> Forecast:
        """How it looks ahead."""
        return self._rules

    @property
    def width(self) -> float:
        """Seconds of a point."""
        return self._rules.window / _POINTS

    def obey(self, rules: Forecast) -> None:
        """Go on by these rules. What is usual is still usual; points and records are of a window."""
        before, self._rules = self._rules, rules
        periods = {method: _PERIODS[method] for method in rules.methods if method in _PERIODS}
        self._seasons = {method: self._seasons.get(method) or Season(period) for method, period in periods.items()}
        self._records = {method: self._records.get(method) or Record() for method in rules.methods}
        if rules.window != before.window:
            self.pause()

    def pause(self) -> None:
        """The clock has stepped: what is usual is still usual, and how the load came to be what it is is unknown."""
        self._points.clear()
        self._begun = self._stretch = self._line = None
        self._records = {method: Record() for method in self._rules.methods}

    def absorb(self, at: float, load: float, horizon: float | None) -> None:
        """Take note of the load. `horizon` is how far ahead is looked, in seconds; None while that is not known."""
        self._look(horizon)
        number = int(at / self.width)
        if self._begun is not None and number > self._begun and self._weight:
            self._complete((self._begun + 0.5) * self.width, self._sum / self._weight, horizon)
        if self._begun is None or number > self._begun:
            self._begun, self._sum, self._weight = number, 0.0, 0
        self._sum += load
        self._weight += 1
        self._pass(at, load)

    def _look(self, horizon: float | None) -> None:
        """Forget how good forecasts were that looked much less far: it says nothing of farther ones."""
        if horizon is None:
            return
        if self._horizon is not None and horizon > _FARTHER * self._horizon:
            self._horizon = horizon
            self._records = {method: Record() for method in self._rules.methods}
        elif self._horizon is None or horizon < self._horizon / _FARTHER:
            # Those that looked farther were, if anything, worse.
            self._horizon = horizon

    def _pass(self, at: float, load: float) -> None:
        if not self._seasons:
            return
        number = int(at / season.STRETCH)
        if self._stretch is not None and number > self._stretch[0]:
            before, total, count = self._stretch
            for each in self._seasons.values():
                each.learn((before + 0.5) * season.STRETCH, total / count)
            self._stretch = None
        _, total, count = self._stretch or (number, 0.0, 0)
        self._stretch = (number, total + load, count + 1)

    def _complete(self, at: float, mean: float, horizon: float | None) -> None:
        if self._points and at - self._points[-1][0] > self._rules.window:
            # After such a silence nothing says how the load came to be what it is.
            self._points.clear()
            for record in self._records.values():
                record.miss(at)
        self._points.append((at, mean))
        self._line = line.through(self._points)
        level = self._level()
        if level is None:
            return
        for record in self._records.values():
            # The level is that of the middle of the points that it is the mean of.
            record.came(at - (_LEVEL - 1) / 2 * self.width, level)
        if horizon is None:
            return
        for method, record in self._records.items():
            forecast = self._forecast(method, at, at + horizon)
            if forecast is not None:
                record.expect(at + horizon, forecast, level)

    def _forecast(self, method: Foreseen, now: float, then: float) -> float | None:
        if method in self._seasons:
            # Today's level is that of the whole window, beside what is usual in its middle: most of what the last few
            # points differ by is chance, and would be forecast for the whole horizon.
            if len(self._points) < _LEVEL:
                return None
            middle = math.fsum(at for at, _ in self._points) / len(self._points)
            level = math.fsum(value for _, value in self._points) / len(self._points)
            return self._seasons[method].predict(then, now=middle, level=level)
        if self._line is None:
            return None
        middle, value, slope = self._line
        # A line leads a falling load below nothing, and a rising one to the moon: it is believed for its own length.
        return max(0.0, value + slope * (min(then, now + self._rules.window) - middle))

    def _level(self) -> float | None:
        """The load of late; None before there are enough points."""
        if len(self._points) < _LEVEL:
            return None
        return sum(self._points[-place][1] for place in range(1, _LEVEL + 1)) / _LEVEL

    def outlook(self, metric: str, now: float, horizon: float | None) -> Outlook:
        """What is to be expected `horizon` seconds from now, and how far past forecasts can be trusted."""
        if horizon is None:
            return Outlook(metric, reason="UnknownStartup", message="no pod has shown yet how long it takes to start")
        best: tuple[float, Foreseen, float] | None = None
        errors: list[tuple[float, float]] = []
        for method, record in self._records.items():
            error, naive = record.error, record.naive_error
            if error is None or naive is None:
                continue
            errors.append((error, naive))
            forecast = self._forecast(method, now, now + horizon)
            if forecast is None or error > self._rules.max_error or error > max(_BETTER * naive, _SMALL):
                continue
            if best is None or error < best[0]:
                best = (error, method, forecast)
        if best is None:
            return self._silent(metric, errors)
        error, method, forecast = best
        low, wanted, high = self._records[method].band(forecast, (0.1, self._rules.share, 0.9))
        return Outlook(
            metric,
            reason=f"{method.value}Forecast",
            message=f"{forecast:g} in {horizon:.0f} s ({low:g} to {high:g}), errors of late {error:.0%}",
            ahead=horizon,
            load=wanted,
            low=low,
            high=high,
            error=error,
        )

    def _silent(self, metric: str, errors: Sequence[tuple[float, float]]) -> Outlook:
        if not errors:
            return Outlook(metric, reason="Learning", message="too few forecasts have come to pass to believe any")
        error, naive = min(errors)
        limit = self._rules.max_error
        if error > limit:
            why = f"the limit is {limit:.0%}"
        elif error > max(_BETTER * naive, _SMALL):
            why = f"not much better than expecting no change, {naive:.0%}"
        else:
            why = "no trend, and nothing usual is known of that time"
        return Outlook(metric, reason="Silent", message=f"errors of late {error:.0%}: {why}", error=error)

    def save(self) -> dict[str, Any]:
        """All of it as JSON-able data, but for the point that is being gathered."""
        return {
            "window": self._rules.window,
            "horizon": self._horizon,
            "points": [list(point) for point in self._points],
            "seasons": {method.value: each.save() for method, each in self._seasons.items()},
            "records": {method.value: each.save() for method, each in self._records.items()},
        }

    @classmethod
    def restore(cls, rules: Forecast, data: Mapping[str, Any]) -> "Foresight":
        """One that goes on from there. KeyError, TypeError or ValueError for damaged data."""
        made = cls(rules)
        for method, each in made._seasons.items():
            each.resume(data["seasons"].get(method.value, {}))
        if data["window"] != rules.window:
            return made
        made._horizon = None if data["horizon"] is None else float(data["horizon"])
        made._points.extend((float(at), float(value)) for at, value in data["points"])
        made._line = line.through(made._points)
        for method, record in made._records.items():
            if method.value in data["records"]:
                record.resume(data["records"][method.value])
        return made
