"""`sample_size`: how many pods Knative asks of so many."""

from podtide.core.algorithms import sampling
from tests.conform.outcome import Comparison, Outcome, Row


def run(row: Row) -> Outcome:
    """One population; it stands for the id, which these rows have not."""
    comparison = Comparison(f"population {row['population']}")
    comparison.equal("", row["sample_size"], sampling.sample_size(row["population"]))
    return comparison.outcome()
