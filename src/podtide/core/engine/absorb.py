"""Puts a reading into the memory: the newest values, and the windows over the whole workload's load."""

import math
from collections.abc import Mapping
from dataclasses import replace

from podtide.core import derive
from podtide.core.algorithms import registry
from podtide.core.engine import foresee, formulas
from podtide.core.limits import freshness
from podtide.core.memory import Memory, MetricMemory
from podtide.core.model.reading import Failure, Reading
from podtide.core.model.spec import AutoscalerSpec, Formula, Kpa, MetricSpec

_WHOLE = ""
"""Stands for the whole workload where `Reading.series` has pods' uids."""

LARGEST = 1e100
"""Values beyond this stand for it. No workload has such a load, and sums and products of it stay finite."""


def absorb(memory: Memory, spec: AutoscalerSpec, reading: Reading) -> None:
    """Take note of one reading of one metric.

    A reading of a metric the spec does not have, or older than the last one, is ignored. One without any value says
    only that, and changes no window: missing is never zero.
    """
    metric = next((each for each in spec.metrics if each.id == reading.metric), None)
    if metric is None:
        return
    if spec.shadow is not None:
        memory.shadow = memory.shadow or memory.other()
        absorb(memory.shadow, spec.shadow, reading)
    _absorb(memory, spec, metric, reading)
    for other in spec.metrics:
        if isinstance(other.source, Formula):
            computed = formulas.compute(memory, spec, other, other.source, reading)
            if computed is not None:
                _absorb(memory, spec, other, computed.reading, answered=computed.answered)


def _absorb(
    memory: Memory, spec: AutoscalerSpec, metric: MetricSpec, reading: Reading, *, answered: int | None = None
) -> None:
    """`answered` is how many pods the reading is from, where it does not say itself."""
    if not memory.is_continued(reading.at, spec):
        if reading.at < memory.clock:
            # Whether this is an old reading or a clock that went back, `decide` tells from its own time.
            return
        memory.restart(reading.at)
    memory.clock = max(memory.clock, reading.at)
    kept = memory.keep(metric, spec.metrics)
    if kept.asked is not None and reading.at < kept.asked:
        return
    if kept.rules is not spec.algorithm:
        kept.fit(registry.for_spec(spec.algorithm).windows(), reading.at)
        kept.rules = spec.algorithm
    if derive.is_derived(metric.derive):
        reading = _derived(kept, spec, metric, reading)
    values = _usable(reading.values)
    total = _bounded(reading.total) if reading.total is not None and math.isfinite(reading.total) else None
    if not values and total is None:
        kept.miss(reading)
        return
    if answered is None:
        answered = len(reading.series) if derive.is_derived(metric.derive) else len(values)
    kept.take(reading, values, total, answered=answered, gap=freshness.max_age(metric.interval))
    load = _mean(values) * (reading.expected or len(values)) if total is None else total
    for window in kept.windows.values():
        window.record(reading.at, load)
    foresee.absorb(memory, spec, metric, reading.at, load)


def _derived(kept: MetricMemory, spec: AutoscalerSpec, metric: MetricSpec, reading: Reading) -> Reading:
    """The reading with the numbers that its series and those before it amount to."""
    span = spec.algorithm.stable_window if isinstance(spec.algorithm, Kpa) else spec.algorithm.window
    if kept.counters is None:
        kept.counters = derive.Counters(span)
    elif kept.counters.window != span:
        kept.counters.resize(span)
    crowded = kept.counters.absorb(reading.series, reading.at)
    if crowded:
        others = {uid: series for uid, series in reading.series.items() if uid not in crowded}
        failure = reading.failure or (None if others else next(iter(crowded.values())))
        whose = {uid: why for uid, why in crowded.items() if uid != _WHOLE}
        reading = replace(reading, series=others, failures={**reading.failures, **whose}, failure=failure)
    if reading.series:
        # A pod that failed once keeps its past; one that no longer belongs to the workload is in neither.
        kept.counters.keep(reading.series.keys() | reading.failures.keys())
    derived = kept.counters.value(metric.derive, reading.at, aggregation=metric.select.aggregation)
    if isinstance(derived.total, Failure):
        return replace(reading, values={}, total=None, failure=reading.failure or derived.total)
    # Only of pods that answered this time: the others' growth is not known up to now.
    fresh = {uid: derived.per_pod[uid] for uid in reading.series if uid in derived.per_pod}
    failures = {uid: value for uid, value in fresh.items() if isinstance(value, Failure)}
    if _WHOLE in fresh:
        whole = fresh[_WHOLE]
        if isinstance(whole, Failure):
            return replace(reading, failure=whole)
        return replace(reading, total=whole)
    return replace(
        reading,
        values={uid: value for uid, value in fresh.items() if not isinstance(value, Failure)},
        total=derived.total,
        failures={**failures, **reading.failures},
    )


def _mean(values: Mapping[str, float]) -> float:
    return math.fsum(values.values()) / len(values)


def _usable(values: Mapping[str, float]) -> dict[str, float]:
    """The finite ones, within what sums can bear."""
    usual = {uid: value for uid, value in values.items() if -LARGEST <= value <= LARGEST}
    if len(usual) == len(values):
        return usual
    return {uid: _bounded(value) for uid, value in values.items() if math.isfinite(value)}


def _bounded(value: float) -> float:
    return max(-LARGEST, min(LARGEST, value))
