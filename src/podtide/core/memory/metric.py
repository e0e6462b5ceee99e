"""What is kept of one metric: its windows, and what the newest readings said. `Memory` holds one per metric."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from podtide.core import derive
from podtide.core.memory import meaning, snapshot
from podtide.core.memory.snapshot import SavedMetric
from podtide.core.model.reading import Failure, Reading, Reason, Span
from podtide.core.model.spec import Algorithm, MetricSpec
from podtide.core.windows import spec as windows
from podtide.core.windows.spec import Window, WindowSpec

_NONE: Mapping[str, Any] = {}
_NO_DATA = Failure(Reason.NO_DATA, "the source answered without a usable value")


class MetricMemory:
    """One metric's past."""

    __slots__ = (
        "answered",
        "asked",
        "at",
        "counters",
        "expected",
        "failure",
        "failures",
        "meaning",
        "refilled",
        "rules",
        "seen",
        "spans",
        "total",
        "values",
        "windows",
    )

    def __init__(self, meaning: str) -> None:
        self.meaning = meaning
        """What the numbers are of, as `meaning.digest` says it."""
        self.seen: Sequence[MetricSpec] = ()
        """The autoscaler's metrics as they were when last compared with that, so that it is done once per edit."""
        self.rules: Algorithm | None = None
        """The strategy that the windows were last fitted for, so that it is done once per edit."""
        self.asked: float | None = None
        """When the newest reading was taken, whether or not it held a value."""
        self.failure: Failure | None = None
        """Why that one gave nothing at all."""
        self.failures: Mapping[str, Failure] = _NONE
        """Pod uid → why that one has no value of it."""
        self.at: float | None = None
        """When the newest reading that held a value was taken; the rest is of that one."""
        self.values: Mapping[str, float] = _NONE
        """Pod uid → value."""
        self.spans: Mapping[str, Span] = _NONE
        self.total: float | None = None
        """The value of the whole workload, from a source without pods."""
        self.expected = 0
        """How many pods should have answered."""
        self.answered = 0
        """How many did."""
        self.refilled: float | None = None
        """From when on the windows are full again, so that shrinking is no longer held; None before the first value."""
        self.windows: dict[str, Window] = {}
        self.counters: derive.Counters | None = None
        """The pods' series over time, where the metric is derived from them."""

    @property
    def coverage(self) -> float:
        """The share of the expected pods that answered, 0 to 1."""
        if not self.expected:
            return 1.0 if self.answered or self.total is not None else 0.0
        return min(1.0, self.answered / self.expected)

    @property
    def span(self) -> float:
        """The length of the longest window in seconds."""
        return max((window.window for window in self.windows.values()), default=0.0)

    def is_of(self, metric: MetricSpec, metrics: Sequence[MetricSpec]) -> bool:
        """Whether what is kept goes on with this metric, one of the autoscaler's metrics."""
        return self.seen is metrics or self.meaning == meaning.digest(metric, metrics)

    def fit(self, wanted: Iterable[WindowSpec], now: float) -> None:
        """Have exactly the wanted windows, resized where only the length changed.

        A window that is new, or has grown, is not full: shrinking waits until it is.
        """
        fitting: dict[str, Window] = {}
        full = now
        for spec in wanted:
            window = self.windows.get(spec.name)
            if window is None or not windows.fits(window, spec):
                window = windows.build(spec)
                full = max(full, now + spec.length)
            elif window.window != spec.length:
                full = max(full, now + spec.length - window.window)
                window.resize(spec.length, now)
            fitting[spec.name] = window
        self.windows = fitting
        if self.refilled is not None:
            self.refilled = max(full, min(self.refilled, now + self.span))

    def miss(self, reading: Reading) -> None:
        """Take note of a reading that held no value. It says why, and nothing else: missing is not zero."""
        self.asked = reading.at
        self.failures = reading.failures
        self.failure = reading.failure or next(iter(reading.failures.values()), None) or _NO_DATA

    def take(
        self, reading: Reading, values: Mapping[str, float], total: float | None, *, answered: int, gap: float
    ) -> None:
        """Take note of a reading's values, and of how many pods they are from.

        `gap` is the silence in seconds that is no longer taken for one missed reading. A longer silence must be made up
        for by as long a time of values, at most one whole window, before the windows count as full again.
        """
        span = self.span
        if self.at is None or self.refilled is None:
            self.refilled = reading.at + span
        elif reading.at - self.at > gap:
            self.refilled = max(self.refilled, reading.at + min(span, reading.at - self.at))
        self.asked = self.at = reading.at
        self.failure = None
        self.failures = reading.failures
        self.values = values
        self.spans = reading.spans
        self.total = total
        self.expected = reading.expected
        self.answered = answered

    def save(self) -> SavedMetric:
        """All of it as plain data; without the pods' values where there are too many to keep."""
        return SavedMetric(
            meaning=self.meaning,
            asked=self.asked,
            at=self.at,
            expected=self.expected,
            answered=self.answered,
            refilled=self.refilled,
            total=self.total,
            failure=self.failure,
            values=snapshot.few(self.values),
            spans=snapshot.few(self.spans),
            failures=snapshot.few(self.failures),
            windows={name: windows.snapshot(window) for name, window in self.windows.items()},
            counters=self._counters(),
        )

    def _counters(self) -> dict[str, Any] | None:
        if self.counters is None or sum(1 for _ in self.counters) > snapshot.PODS:
            return None
        return self.counters.snapshot()

    @classmethod
    def restore(cls, saved: SavedMetric) -> Self:
        """What was saved. ValueError for a damaged window."""
        metric = cls(saved.meaning)
        metric.asked, metric.at = saved.asked, saved.at
        metric.expected, metric.answered, metric.total = saved.expected, saved.answered, saved.total
        metric.refilled = saved.refilled
        metric.failure, metric.failures = saved.failure, saved.failures
        metric.values, metric.spans = saved.values, saved.spans
        metric.counters = None if saved.counters is None else derive.Counters.restore(saved.counters)
        metric.windows = {name: windows.restore(data) for name, data in saved.windows.items()}
        return metric
