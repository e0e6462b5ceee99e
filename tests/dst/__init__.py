"""The controller on a virtual clock and a virtual network: `python -m tests.dst --seeds A-B`, docs/reliability.md."""
