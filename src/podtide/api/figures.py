"""Metric values for people: `14`, `46%`, `250m`, `1.5Gi`. Status, `explain` and the demo show numbers this way."""

from podtide.core.model import spec
from podtide.core.model.figures import plain

UNKNOWN = "<unknown>"
"""What kubectl shows for an HPA's metric that could not be read."""
_BINARY = ((1024.0**3, "Gi"), (1024.0**2, "Mi"), (1024.0, "Ki"))


def value(number: float | None, metric: spec.MetricSpec | None = None) -> str:
    """A value in the unit its metric is given in; plain where the metric is not known."""
    if number is None:
        return UNKNOWN
    if metric is not None and metric.threshold.kind is spec.TargetType.UTILIZATION:
        return f"{plain(number)}%"
    if metric is not None and isinstance(metric.source, spec.Resource):
        return _memory(number) if metric.source.name == "memory" else f"{round(number * 1000)}m"
    return plain(number)


def _memory(number: float) -> str:
    for unit, suffix in _BINARY:
        if abs(number) >= unit:
            return f"{number / unit:.4g}{suffix}"
    return f"{number:.4g}"
