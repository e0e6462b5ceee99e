"""Which runner answers which family. A new family is one module beside this one and one line here."""

from tests.conform.outcome import Runner

RUNNERS: dict[str, Runner] = {}
"""Family (a vector file's name without its suffixes) → its runner."""
