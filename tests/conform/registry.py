"""Which runner answers which family. A new family is one module beside this one and one line here."""

from tests.conform import (
    apa_decisions,
    hpa_behavior,
    hpa_metrics_client,
    hpa_multi,
    hpa_reconcile,
    hpa_replicas,
    kpa_decisions,
    kpa_delay_window,
    kpa_end_to_end,
    kpa_windows,
    sample_size,
)
from tests.conform.outcome import Runner

RUNNERS: dict[str, Runner] = {
    "apa_decisions": apa_decisions.run,
    "hpa_behavior": hpa_behavior.run,
    "hpa_metrics_client": hpa_metrics_client.run,
    "hpa_multi": hpa_multi.run,
    "hpa_reconcile": hpa_reconcile.run,
    "hpa_replicas": hpa_replicas.run,
    "kpa_decisions": kpa_decisions.run,
    "kpa_delay_window": kpa_delay_window.run,
    "kpa_end_to_end": kpa_end_to_end.run,
    "kpa_windows": kpa_windows.run,
    "sample_size": sample_size.run,
}
"""Family (a vector file's name without its suffixes) → its runner."""
