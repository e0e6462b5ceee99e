"""`kpa_delay_window`: Knative's maximum over a window, which delays scaling down."""

from podtide.core.windows.extrema import Maximum
from tests.conform.outcome import Comparison, Outcome, Row


def run(row: Row) -> Outcome:
    """One run: the maximum directly after each record."""
    comparison = Comparison(row["id"])
    window = Maximum(float(row["window_s"]), float(row["granularity_s"]))
    for number, (record, expected) in enumerate(zip(row["records"], row["expected"], strict=True)):
        window = window.record(float(record["t"]), record["value"])
        comparison.equal(f"record {number}", expected, window.value)
    return comparison.outcome()
