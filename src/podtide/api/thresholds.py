"""`targetValue` and its unit. `sources` calls this."""

from collections.abc import Mapping
from typing import Any

from podtide.api.errors import MISSING, Findings
from podtide.core import names
from podtide.core.model import quantity, spec

_MIB = 1024 * 1024


def read(
    entry: Mapping[str, Any], source: spec.Source, metric: str, strategy: str, path: str, findings: Findings
) -> spec.Threshold | None:
    """The value a metric is held at, in base units: cores, bytes, or the metric's own; per cent for utilization."""
    text = entry.get("targetValue")
    where = f"{path}.targetValue"
    nano = amount(text, where, findings)
    if text is None or nano is None:
        return None
    kind = spec.TargetType(entry["targetType"]) if "targetType" in entry else None
    if kind is spec.TargetType.UTILIZATION and not isinstance(source, spec.Resource):
        findings.problem(f"{path}.targetType", "Utilization", 'goes with metricSourceType "resource" only')
        return None
    if entry.get("valueType") == "quantile":
        # One number over the buckets of all pods: it does not grow with their count, so it has no share per pod.
        if kind is spec.TargetType.AVERAGE_VALUE:
            findings.problem(
                f"{path}.targetType", kind.value, "does not go with a quantile; write Value or leave it out"
            )
            return None
        return of(nano, spec.TargetType.VALUE)
    if isinstance(source, spec.Resource) and kind is None:
        kind, nano = _aibrix(source, text, nano, strategy)
    if kind in {None, spec.TargetType.AVERAGE_VALUE} and entry.get("podAggregation") != "sum":
        _warn_of_scale(text, nano, metric, where, findings)
    return of(nano, kind or spec.TargetType.AVERAGE_VALUE)


def amount(text: str | None, where: str, findings: Findings) -> int | None:
    """A target in billionths; None for what is missing, no number or not above zero, which is then noted."""
    if text is None:
        if not any(problem.path == where for problem in findings.problems):
            findings.problem(where, MISSING, 'is missing; write for example "50"')
        return None
    try:
        nano = quantity.nano(text)
    except quantity.QuantityError:
        findings.problem(where, text, 'is not a number; write for example "50"')
        return None
    if nano <= 0:
        findings.problem(where, text, 'is not greater than 0; write for example "50"')
        return None
    return nano


def of(nano: int, kind: spec.TargetType) -> spec.Threshold:
    """A target of so many billionths."""
    return spec.Threshold(nano / 10**9, quantity.saturate(quantity.away_from_zero(nano, 10**6)), kind)


def _aibrix(source: spec.Resource, text: str, nano: int, strategy: str) -> tuple[spec.TargetType, int]:
    """AIBrix's units for a resource without `targetType`; a number with a suffix has said its unit itself."""
    if text[-1].isalpha():
        return spec.TargetType.AVERAGE_VALUE, nano
    if strategy == "HPA" and source.name == "cpu":
        return spec.TargetType.UTILIZATION, nano
    if strategy == "HPA":
        return spec.TargetType.AVERAGE_VALUE, nano * _MIB
    if source.name == "cpu":
        return spec.TargetType.AVERAGE_VALUE, quantity.away_from_zero(nano, 1000)
    return spec.TargetType.AVERAGE_VALUE, nano


def _warn_of_scale(text: str, nano: int, metric: str, path: str, findings: Findings) -> None:
    if names.is_ratio(metric) and nano > 10**9:
        findings.warn(
            path,
            text,
            f'is never reached: engines report {metric} from 0 to 1; for {text} % write "{nano / 10**11:g}"',
        )
