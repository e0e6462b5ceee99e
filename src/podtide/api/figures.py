"""Metric values for people: `14`, `46%`, `250m`, `1.5Gi`. Status, `explain` and the demo show numbers this way."""

from podtide.core.model import spec

UNKNOWN = "<unknown>"
"""What kubectl shows for an HPA's metric that could not be read."""
_BINARY = ((1024.0**3, "Gi"), (1024.0**2, "Mi"), (1024.0, "Ki"))
# At and above, divided by, followed by: four digits suffice below ten thousand, which is where `k` begins.
_DECIMAL = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))


def value(number: float | None, metric: spec.MetricSpec | None = None) -> str:
    """A value in the unit its metric is given in; plain where the metric is not known."""
    if number is None:
        return UNKNOWN
    if metric is not None and metric.threshold.kind is spec.TargetType.UTILIZATION:
        return f"{plain(number)}%"
    if metric is not None and isinstance(metric.source, spec.Resource):
        return _memory(number) if metric.source.name == "memory" else f"{round(number * 1000)}m"
    return plain(number)


def plain(number: float) -> str:
    """At most four digits: `14`, `0.4625`, `117.5`, `23.4k`."""
    for least, unit, suffix in _DECIMAL:
        if abs(number) >= least:
            return f"{number / unit:.4g}{suffix}"
    return f"{number:.4g}"


def _memory(number: float) -> str:
    for unit, suffix in _BINARY:
        if abs(number) >= unit:
            return f"{number / unit:.4g}{suffix}"
    return f"{number:.4g}"
