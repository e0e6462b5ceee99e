"""Rates, increases and quantiles over a window, from counters that only grow. Called through `Memory` and sources."""

from podtide.core.derive.counters import Counters, Derived, candidates, is_derived, refusal

__all__ = ["Counters", "Derived", "candidates", "is_derived", "refusal"]
