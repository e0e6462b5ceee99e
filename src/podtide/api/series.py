"""What is made of a source's series: their growth, their sum, the value that wakes. `sources` calls this."""

from collections.abc import Mapping
from typing import Any

from podtide.api.errors import MISSING, Findings
from podtide.core import jsonpath, names
from podtide.core.model import quantity, spec


def derive(entry: Mapping[str, Any], source: spec.Source | None, path: str, findings: Findings) -> spec.Derive | None:
    """Whether the values count as they stand, or their growth does; None if it cannot be told, which is then noted."""
    kind = entry.get("valueType", "gauge")
    if kind != "gauge" and source is not None and not isinstance(source, spec.PodPage | spec.Endpoint):
        findings.problem(f"{path}.valueType", kind, "goes with pages only; leave it out")
        return None
    if isinstance(source, spec.Endpoint) and source.json_path is not None:
        return _of_json(kind, source.json_path, path, findings)
    match kind:
        case "rate":
            return spec.Rate()
        case "increase":
            return spec.Increase()
        case "quantile":
            return _quantile(entry.get("quantile"), f"{path}.quantile", findings)
    if "quantile" in entry:
        findings.warn(f"{path}.quantile", entry["quantile"], 'is ignored without valueType: "quantile"')
    return spec.Gauge()


def _of_json(kind: str, where: str, path: str, findings: Findings) -> spec.Derive | None:
    """A JSON page has one number, and no series whose growth could be followed."""
    if kind != "gauge":
        findings.problem(f"{path}.valueType", kind, "goes with pages of metrics only, not with jsonPath; leave one out")
        return None
    try:
        jsonpath.steps(where)
    except ValueError as error:
        findings.problem(f"{path}.jsonPath", MISSING, str(error))
        return None
    return spec.Gauge()


def _quantile(text: str | None, path: str, findings: Findings) -> spec.Quantile | None:
    if text is None:
        findings.problem(path, MISSING, 'is missing; write for example "0.95"')
        return None
    try:
        share = quantity.nano(text) / 1e9
    except quantity.QuantityError:
        share = -1.0
    if not 0 <= share <= 1:
        findings.problem(path, text, 'is not between 0 and 1; write for example "0.95"')
        return None
    return spec.Quantile(share)


def activation(entry: Mapping[str, Any], path: str, findings: Findings) -> float:
    """The value above which a workload at zero is woken."""
    text = entry.get("activationValue", "0")
    try:
        return quantity.nano(text) / 1e9
    except quantity.QuantityError:
        findings.problem(f"{path}.activationValue", text, 'is not a number; write for example "1"')
        return 0.0


def aggregation(entry: Mapping[str, Any], metric: str) -> spec.Aggregation:
    """How several series of one pod become one number."""
    if "podAggregation" in entry:
        return spec.Aggregation(entry["podAggregation"])
    # Two models in one pod that each fill half of their cache do not fill a whole one.
    return spec.Aggregation.AVG if names.is_ratio(metric) else spec.Aggregation.SUM
