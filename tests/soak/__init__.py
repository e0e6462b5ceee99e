"""The real controller in a hostile world, for a short while; `python -m benchmarks.soak` is the long form."""
