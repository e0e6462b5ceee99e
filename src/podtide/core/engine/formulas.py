"""A formula's number, out of its inputs' newest readings. `absorb` and `judge` call this."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from podtide.core import formula
from podtide.core.limits import freshness
from podtide.core.memory import Memory, MetricMemory
from podtide.core.model.decision import Note, Proposal
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.core.model.spec import AutoscalerSpec, Formula, MetricSpec

STAGE = "formula"


@dataclass(frozen=True, slots=True)
class Computed:
    """A formula's reading."""

    reading: Reading
    answered: int
    """How many of the expected pods stand behind it: those of the input that fewest answered for."""


def compute(
    memory: Memory, spec: AutoscalerSpec, metric: MetricSpec, source: Formula, reading: Reading
) -> Computed | None:
    """What the formula comes to now that this reading of an input was absorbed; None while others are awaited.

    It is computed once in each round of its most eager inputs, when all of those have been read: a sum of one round's
    half and the last round's other half is the load of no moment. Any input without a fresh value is the formula's
    failure, never a zero.
    """
    wanted = dict(source.inputs)
    inputs = [each for each in spec.metrics if each.id in wanted.values()]
    eager = min((each.interval for each in inputs), default=0.0)
    round_ = [each for each in inputs if each.interval <= eager]
    if reading.metric not in {each.id for each in round_} or _awaits(memory, spec, metric, round_, reading.at):
        return None
    values: dict[str, float] = {}
    for name, id_ in source.inputs:
        of = next(each for each in inputs if each.id == id_)
        value = _value(memory.of(of, spec.metrics), of, reading.at)
        if isinstance(value, Failure):
            failure = Failure(value.reason, f"{name}: {value.detail or value.reason}")
            return Computed(Reading(metric.id, reading.at, failure=failure), 0)
        values[name] = value
    result = formula.value(formula.parse(source.expression), values)
    if isinstance(result, Failure):
        return Computed(Reading(metric.id, reading.at, failure=result), 0)
    kept = [memory.metrics[each.id] for each in inputs if memory.metrics[each.id].expected]
    weakest = min(kept, key=lambda each: each.coverage, default=None)
    expected, answered = (weakest.expected, weakest.answered) if weakest is not None else (0, 0)
    return Computed(Reading(metric.id, reading.at, total=result, expected=expected), answered)


def _awaits(memory: Memory, spec: AutoscalerSpec, metric: MetricSpec, inputs: list[MetricSpec], now: float) -> bool:
    """Whether an input has yet to be read in this round. One that is long overdue is not waited for."""
    kept = memory.of(metric, spec.metrics)
    last = -math.inf if kept is None or kept.asked is None else kept.asked
    for each in inputs:
        known = memory.of(each, spec.metrics)
        asked = memory.since if known is None or known.asked is None else known.asked
        is_read = known is not None and known.asked is not None and known.asked > last
        if not is_read and now - asked <= freshness.max_age(each.interval):
            return True
    return False


def _value(kept: MetricMemory | None, metric: MetricSpec, now: float) -> float | Failure:
    """The input's number over the whole workload, of its newest reading."""
    if kept is None or kept.at is None:
        return kept.failure if kept is not None and kept.failure else Failure(Reason.NO_DATA, "it has not been read")
    if kept.failure is not None:
        return kept.failure
    if now - kept.at > freshness.max_age(metric.interval):
        return Failure(Reason.NO_DATA, f"the newest value is {now - kept.at:.0f} s old")
    return _load(kept.values, kept)


def _load(values: Mapping[str, float], kept: MetricMemory) -> float:
    if kept.total is not None:
        return kept.total
    return math.fsum(values.values()) / len(values) * (kept.expected or len(values))


def told(proposal: Proposal, memory: Memory, spec: AutoscalerSpec, source: Formula) -> Proposal:
    """The proposal with a note that shows the inputs' newest numbers, for people."""
    shown = []
    by_id = {metric.id: metric for metric in spec.metrics}
    for name, id_ in source.inputs:
        kept = memory.of(by_id[id_], spec.metrics)
        known = kept is not None and kept.failure is None and kept.at is not None
        shown.append(f"{name} {_load(kept.values, kept):g}" if kept is not None and known else f"{name} unknown")
    note = Note(STAGE, None, None, "Formula", f"{source.expression}: {', '.join(shown)}")
    return proposal._replace(notes=(note, *proposal.notes))
