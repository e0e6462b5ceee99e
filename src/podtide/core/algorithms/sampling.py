"""How many of a workload's pods must be asked to know the mean of all. For sources too costly to read pod by pod."""

import math
from typing import Final

# Knative chose 95 % confidence (1.96 standard deviations), a variance of 100, and an error of 5 in the metric's unit.
_SPREAD: Final = 1.96**2 * 100 / 25

_ALL: Final = 3
"""Workloads up to this size are asked as a whole."""


def sample_size(population: int) -> int:
    """The number of pods to ask: all of up to 3, then fewer and fewer, and never more than 16.

    The formula is the one for a mean with the correction for small populations, as in Knative's
    https://github.com/knative/serving/blob/main/pkg/autoscaler/metrics/sample_size.go
    """
    if population <= _ALL:
        return max(0, population)
    return math.ceil(population * _SPREAD / (population + _SPREAD - 1))
