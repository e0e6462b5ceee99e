"""`hpa_metrics_client`: what the metrics APIs answer, as thousandths."""

from typing import Any

from podtide.api import measured
from podtide.core.model.reading import Failure
from tests.conform.outcome import Comparison, Outcome, Row


def run(row: Row) -> Outcome:
    """Compare one row: the values with their times, or the error."""
    comparison, expected = Comparison(row["id"]), row["expected"]
    got = _read(row)
    comparison.equal("error", expected["error"], got.detail if isinstance(got, Failure) else None)
    if isinstance(got, measured.Measured):
        found = {
            pod: {"value": value, "timestamp_s": got.spans[pod].at, "window_s": got.spans[pod].window}
            for pod, value in got.values.items()
        }
        comparison.equal("metrics", expected.get("metrics", {}), found)
        comparison.equal("failures", {}, got.failures)
    elif isinstance(got, list) and row["kind"] == "object":
        comparison.equal("value_milli", [expected["value_milli"]], got)
    elif isinstance(got, list):
        comparison.equal("values_milli", expected["values_milli"], got)
    return comparison.outcome()


def _read(row: Row) -> measured.Measured | list[int] | Failure:
    if row["kind"] == "resource":
        items = [
            measured.PodUsage(item["name"], item["timestamp_s"], item["window_s"], _containers(item))
            for item in row["items"]
        ]
        return measured.usage(items, row["resource"], row.get("container"))
    values = [
        measured.Value(item["value"], item.get("name", ""), item["timestamp_s"], item.get("window_s"))
        for item in row["items"]
    ]
    return measured.of_pods(values) if row["kind"] == "pods" else measured.of_workload(values)


def _containers(item: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    return [(container["name"], container.get("usage") or {}) for container in item.get("containers") or ()]
