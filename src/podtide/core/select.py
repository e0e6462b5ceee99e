"""The series of one page become one number of one pod. Sources call it for metrics that are read as they stand."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from podtide.core import exposition, names
from podtide.core.model.reading import Failure, Reason, Sample
from podtide.core.model.spec import Aggregation, LabelMatch, Select

_SHOWN = 10
"""How many label values a message lists."""

# SGLang with priority scheduling serves the total under priority="" and the same requests again under each priority.
# Only the name tells: elsewhere an empty label is a class of its own, as `subresource=""` of an API server.
_TOTALS = {"sglang:": "priority"}


def value(samples: Sequence[Sample], select: Select) -> float | Failure:
    """The one finite number that these series of one pod amount to.

    Without samples the metric is missing: `MetricNotFound`. If none has the wanted labels: `NoSeriesMatch`, with the
    values there are. NaN or an infinity in any series that counts, or as the result: `NotANumber`.
    """
    if len(samples) == 1 and not select.matches:
        only = samples[0].value
        return only if math.isfinite(only) else _not_a_number(samples[0])
    if not samples:
        return Failure(Reason.NO_METRIC, f"the page has no series named {select.metric}")
    wanted = matching(samples, select)
    if not wanted:
        return Failure(Reason.NO_SERIES, _no_series(samples, select))
    for sample in wanted:
        if not math.isfinite(sample.value):
            return _not_a_number(sample)
    return _aggregate([sample.value for sample in wanted], select)


def series(samples: Sequence[Sample], select: Select) -> tuple[Sample, ...] | Failure:
    """The wanted series of one pod themselves, for metrics that are derived over time; failures as for `value`."""
    if not samples:
        return Failure(Reason.NO_METRIC, f"the page has no series named {select.metric}")
    return tuple(matching(samples, select)) or Failure(Reason.NO_SERIES, _no_series(samples, select))


def matching(samples: Iterable[Sample], select: Select) -> list[Sample]:
    """The series with the wanted labels, without the parts of totals that are there themselves."""
    # As sets: a page may have 10,000 series, and a condition 64 values.
    conditions = [(each.key, each.operator, frozenset(each.values)) for each in select.matches]
    wanted = [sample for sample in samples if _are_met(sample.labels, conditions)]
    return _without_parts(wanted, select) if len(wanted) > 1 else wanted


def matches(labels: Mapping[str, str], conditions: Iterable[LabelMatch]) -> bool:
    """Whether the labels meet every condition. As in Prometheus, an empty label and no label are the same."""
    return _are_met(labels, [(each.key, each.operator, each.values) for each in conditions])


def _are_met(labels: Mapping[str, str], conditions: Iterable[tuple[str, str, Collection[str]]]) -> bool:
    for key, operator, values in conditions:
        text = labels.get(key, "")
        match operator:
            case "In":
                met = text in values
            case "NotIn":
                met = text not in values
            case "Exists":
                met = text != ""
            case _:
                met = text == ""
        if not met:
            return False
    return True


def first(found: Mapping[str, Sequence[Sample]], wanted: Iterable[str]) -> Sequence[Sample]:
    """The series of the first of these names that the page has; empty if it has none of them."""
    for name in wanted:
        samples = found.get(name)
        if samples:
            return samples
    return ()


def missing(
    page: bytes | bytearray | memoryview,
    metric: str,
    *,
    engine: str = names.DEFAULT_ENGINE,
    openmetrics: bool = False,
    most: int | None = None,
) -> Failure:
    """Why a metric is not on a page: `MalformedPage` with the first line at fault, else `MetricNotFound`.

    Reads the whole page, or its first `most` bytes, so it costs what a scrape must not: call it once per problem, not
    once per scrape.
    """
    text = bytes(page)
    broken = exposition.check(text, openmetrics=openmetrics, most=most)
    if broken is not None:
        return Failure(Reason.PARSE, str(broken))
    tried = ", ".join(names.candidates(metric, engine))
    beginning = exposition.beginning(text, most)
    near = names.suggest(beginning, metric)
    if near:
        hint = f"names like it on the page: {', '.join(near)}"
    elif names.on_page(beginning):
        hint = "no name on the page is like it"
    else:
        hint = "it has no series at all; check `path` and `port`, and whether the server has measured anything yet"
    return Failure(Reason.NO_METRIC, f"the page has no series named {tried}; {hint}")


def _without_parts(samples: list[Sample], select: Select) -> list[Sample]:
    label = next((label for prefix, label in _TOTALS.items() if samples[0].name.startswith(prefix)), None)
    if label is None or any(condition.key == label for condition in select.matches):
        return samples
    totals = {_rest(sample, label) for sample in samples if not sample.labels.get(label)}
    return [sample for sample in samples if not sample.labels.get(label) or _rest(sample, label) not in totals]


def _rest(sample: Sample, label: str) -> frozenset[tuple[str, str]]:
    return frozenset((key, text) for key, text in sample.labels.items() if key != label)


def _aggregate(numbers: Sequence[float], select: Select) -> float | Failure:
    try:
        match select.aggregation:
            case Aggregation.SUM:
                result = math.fsum(numbers)
            case Aggregation.AVG:
                result = math.fsum(numbers) / len(numbers)
            case Aggregation.MAX:
                result = max(numbers)
            case Aggregation.MIN:
                result = min(numbers)
    except OverflowError:
        return Failure(Reason.NOT_A_NUMBER, f"the {select.aggregation} of {len(numbers)} series is too large")
    return result


def _not_a_number(sample: Sample) -> Failure:
    labels = ",".join(f'{key}="{text}"' for key, text in sample.labels.items())
    return Failure(Reason.NOT_A_NUMBER, f"{sample.name}{{{labels}}} is {sample.value}")


def _no_series(samples: Sequence[Sample], select: Select) -> str:
    parts = []
    for key in dict.fromkeys(condition.key for condition in select.matches):
        there = sorted({sample.labels.get(key, "") for sample in samples})
        listed = ", ".join(f'"{text}"' for text in there[:_SHOWN]) + (", …" if len(there) > _SHOWN else "")
        parts.append(f"{key} is one of: {listed}")
    return f"none of the {len(samples)} series of {samples[0].name} has the wanted labels; {'; '.join(parts)}"
