"""`apa_decisions`: AIBrix's APA, with its bounds, which in our core come last and once for every algorithm."""

from podtide.core.algorithms import apa
from podtide.core.limits import bounds
from podtide.core.model.spec import Apa, Bounds, Tolerance
from tests.conform.outcome import Comparison, Outcome, Row


def run(row: Row) -> Outcome:
    """One decision."""
    comparison = Comparison(row["id"])
    spec = row["spec"]
    rules = Apa(
        tolerance=Tolerance(up=float(spec["up_tolerance"]), down=float(spec["down_tolerance"])),
        max_scale_up_rate=float(spec["max_scale_up_rate"]),
        max_scale_down_rate=float(spec["max_scale_down_rate"]),
    )
    target = float(spec["target_value"])
    wanted, _ = apa.scale(rules, current=row["current"], value=float(row["value"]), target=target)
    got, _ = bounds.clamp(wanted, Bounds(spec["min_replicas"], spec["max_replicas"]))
    comparison.equal("", row["expected"], got)
    return comparison.outcome()
