"""`kpa_windows`: Knative's averaging buckets; records, resizes and queries in the file's replay order."""

from podtide.core.windows.ring import Ring
from podtide.core.windows.weighted import Weighted
from tests.conform.outcome import Comparison, Outcome, Row


def run(row: Row) -> Outcome:
    """One run: a query sees the first `after` records; a resize comes after so many records and answered queries."""
    comparison = Comparison(row["id"])
    kind = Weighted if row["kind"] == "weighted" else Ring
    window = kind(float(row["window_s"]), float(row["granularity_s"]), gaps="zero")
    records, resizes = row["records"], list(row.get("resizes", ()))
    recorded = 0

    def resize(answered: int) -> None:
        while resizes and resizes[0]["after"] <= recorded and resizes[0]["after_queries"] <= answered:
            due = resizes.pop(0)
            window.resize(float(due["window_s"]), float(due["t"]))

    for answered, (query, expected) in enumerate(zip(row["queries"], row["expected"], strict=True)):
        resize(answered)
        while recorded < query["after"]:
            window.record(float(records[recorded]["t"]), float(records[recorded]["value"]))
            recorded += 1
            resize(answered)
        now = float(query["t"])
        average = window.average(now)
        comparison.equal(f"query {answered} empty", expected["empty"], window.is_empty(now))
        if kind is Ring:
            comparison.equal(f"query {answered} average", float(expected["average"]), average)
        else:
            assert average is not None
            comparison.close(f"query {answered} average", expected["average"], average, relative=1e-9)
    return comparison.outcome()
