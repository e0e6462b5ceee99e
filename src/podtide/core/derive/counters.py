"""The past of one metric's counters over all pods, and the numbers derived from it. `Memory` owns one per metric."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from podtide.core import names
from podtide.core.derive import histogram
from podtide.core.derive.series import BYTES, PodSeries, weight
from podtide.core.model.reading import Failure, Reason, Sample
from podtide.core.model.spec import Aggregation, Derive, Increase, Quantile, Rate

MOST = 100_000
"""Usual series that are remembered of one metric over all pods, a kilobyte or two each."""
_FEWEST, _MOST_OF_ONE = 100, 20_000
"""Of a pod, however many or few there are: each series that is remembered costs a microsecond or two per reading."""


@dataclass(frozen=True, slots=True)
class Derived:
    """What a window of readings says."""

    per_pod: Mapping[str, float | Failure] = field(default_factory=dict)
    """Pod uid → its number, for a rate or an increase; empty for a quantile."""
    total: float | Failure | None = None
    """The number of the whole workload, for a quantile; None for a rate or an increase."""


def is_derived(derive: Derive) -> bool:
    """Whether a metric needs a past: everything but a gauge."""
    return isinstance(derive, Rate | Increase | Quantile)


def candidates(metric: str, derive: Derive, engine: str = names.DEFAULT_ENGINE) -> tuple[str, ...]:
    """The series names to look for on a page, best first: a quantile is read from the histogram's buckets."""
    suffix = "_bucket" if isinstance(derive, Quantile) and not metric.endswith("_bucket") else ""
    return names.candidates(metric + suffix, engine)


def refusal(series: Sequence[Sample], size: int, *, pods: int) -> Failure | None:
    """Why the series of one of so many pods, of a page of so many bytes, are not even kept until all have answered."""
    most = _share(pods)
    if len(series) > most or (size > most * BYTES and sum(weight(sample.labels) for sample in series) > most):
        return _too_many("it has", most)
    return None


def _share(pods: int) -> int:
    return min(_MOST_OF_ONE, max(_FEWEST, MOST // max(1, pods)))


def _too_many(said: str, most: int) -> Failure:
    return Failure(
        Reason.TOO_LARGE,
        f"{said} more than {most} series of this metric, its share of what is remembered; narrow them down with "
        "`matchLabels`, or have the server leave labels out",
    )


class Counters:
    """What is remembered of one metric's series, pod by pod, for as long as the window."""

    __slots__ = ("_pods", "_window")

    def __init__(self, window: float) -> None:
        """`window` is the time in seconds that is looked back on."""
        self._window = window
        self._pods: dict[str, PodSeries] = {}

    @property
    def window(self) -> float:
        """Seconds that are remembered."""
        return self._window

    def resize(self, window: float) -> None:
        """Look back on another time from now on; what was forgotten stays forgotten."""
        self._window = window

    def absorb(self, series: Mapping[str, Sequence[Sample]], at: float) -> dict[str, Failure]:
        """Add what one reading found: pod uid → the wanted series. Pods that did not answer have a gap.

        Pods with so many that not all can be remembered are in the answer, and their past is forgotten: part of the
        series would be too low a number.
        """
        crowded: dict[str, Failure] = {}
        most = _share(len(self._pods.keys() | series.keys()))
        for uid, samples in series.items():
            pod = self._pods.get(uid)
            if pod is None:
                pod = self._pods[uid] = PodSeries()
            if not pod.absorb(samples, at, self._window, most):
                crowded[uid] = _too_many(f"it has, or has had within {self._window:g} s,", most)
        return crowded

    def keep(self, uids: Collection[str]) -> None:
        """Forget every pod but these."""
        for gone in self._pods.keys() - set(uids):
            del self._pods[gone]

    def value(
        self, derive: Derive, now: float, window: float | None = None, *, aggregation: Aggregation = Aggregation.SUM
    ) -> Derived:
        """The derived numbers over the window that ends now.

        A rate or an increase is one number per pod: the aggregation of its series' own. A quantile is one number of the
        whole workload: the growth of each bucket, added up over all series of all pods. Without two readings in the
        window: `NotEnoughHistory`. A quantile of no observations: `NoData`.
        """
        span = self._window if window is None else window
        match derive:
            case Rate():
                return Derived(
                    {uid: _per_pod(pod, now, span, aggregation, per=span) for uid, pod in self._pods.items()}
                )
            case Increase():
                return Derived({uid: _per_pod(pod, now, span, aggregation, per=1.0) for uid, pod in self._pods.items()})
            case Quantile(q):
                return Derived(total=self._quantile(q, now, span))
            case _:
                raise ValueError(f"{derive} is not derived from a past")

    def _quantile(self, q: float, now: float, span: float) -> float | Failure:
        buckets: list[tuple[float, float]] = []
        for pod in self._pods.values():
            for counter, grown in pod.grown(now - span, now):
                if counter.bound is not None:
                    # A rate, as in the query this must equal; the quantile of the increases is the same.
                    buckets.append((counter.bound, grown / span))
        if not buckets:
            return Failure(Reason.NO_HISTORY, f"no histogram bucket has been read twice within {span:g} s")
        result = histogram.quantile(q, buckets)
        if math.isnan(result):
            return Failure(Reason.NO_DATA, f"the histogram counted nothing within {span:g} s, or has no +Inf bucket")
        if math.isinf(result):
            return Failure(Reason.NOT_A_NUMBER, f"quantile {q} is {result}; it must be between 0 and 1")
        return result

    def snapshot(self) -> dict[str, Any]:
        """All of it as plain data that JSON can carry."""
        return {"window": self._window, "pods": {uid: pod.snapshot() for uid, pod in self._pods.items()}}

    @classmethod
    def restore(cls, saved: Mapping[str, Any]) -> Self:
        """The object that gave this snapshot. KeyError, TypeError or ValueError for anything else."""
        counters = cls(float(saved["window"]))
        counters._pods = {uid: PodSeries.restore(pod) for uid, pod in saved["pods"].items()}
        return counters

    def __iter__(self) -> Iterator[str]:
        """The uids of the pods that are remembered."""
        return iter(self._pods)


def _per_pod(pod: PodSeries, now: float, span: float, aggregation: Aggregation, *, per: float) -> float | Failure:
    numbers = [grown / per for _, grown in pod.grown(now - span, now)]
    if not numbers:
        return Failure(Reason.NO_HISTORY, f"a change needs two readings within {span:g} s")
    match aggregation:
        case Aggregation.SUM:
            return math.fsum(numbers)
        case Aggregation.AVG:
            return math.fsum(numbers) / len(numbers)
        case Aggregation.MAX:
            return max(numbers)
        case Aggregation.MIN:
            return min(numbers)
