"""Bytes that others write, thrown at whoever reads them: `tests.fuzz.targets`. Counts stand in docs/reliability.md."""
