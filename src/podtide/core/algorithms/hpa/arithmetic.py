"""Go's number rules where they decide, and saturation where Go would wrap around or leave it to the CPU."""

import math

from podtide.core.algorithms import ratio

MOST = ratio.MAX_COUNT
"""Replica counts and utilizations are 32-bit in Kubernetes."""

is_within = ratio.is_within


def clamp(count: int) -> int:
    """The number, or the end of the signed 32-bit range that it is beyond."""
    return max(-MOST - 1, min(MOST, count))


def quotient(dividend: int, divisor: int) -> int:
    """Integer division towards zero, as Go's: -3 over 2 is -1."""
    return dividend // divisor if dividend >= 0 else -(-dividend // divisor)


def count(replicas: float) -> int:
    """A computed count as an integer, rounded up, within 32 bits."""
    # Go leaves the conversion of a float that is too large to the CPU; on amd64 it gives -2^31, which would send a
    # workload under the greatest load to its minimum.
    if replicas >= MOST:
        return MOST
    return math.ceil(replicas) if replicas > -MOST - 1 else -MOST - 1
