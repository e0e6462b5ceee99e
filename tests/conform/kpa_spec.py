"""How the KPA families write a spec, and how the core does."""

from podtide.core.model.spec import Kpa
from tests.conform.outcome import Row


def read(row: Row) -> Kpa:
    """A row's spec. A tick may carry one of its own."""
    return Kpa(
        stable_window=float(row["stable_window_s"]),
        panic_window=float(row.get("panic_window_s", 6)),
        panic_threshold=float(row["panic_threshold"]),
        max_scale_up_rate=float(row["max_scale_up_rate"]),
        max_scale_down_rate=float(row["max_scale_down_rate"]),
        activation_scale=row["activation_scale"],
        scale_down_delay=float(row["scale_down_delay_s"]),
        target_burst_capacity=float(row["target_burst_capacity"]),
        total_value=float(row["total_value"]),
        reachable=row["reachable"],
    )
