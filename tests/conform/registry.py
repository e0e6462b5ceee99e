"""Which runner answers which family. A new family is one module beside this one and one line here."""

from tests.conform import kpa_delay_window, kpa_windows
from tests.conform.outcome import Runner

RUNNERS: dict[str, Runner] = {
    "kpa_delay_window": kpa_delay_window.run,
    "kpa_windows": kpa_windows.run,
}
"""Family (a vector file's name without its suffixes) → its runner."""
