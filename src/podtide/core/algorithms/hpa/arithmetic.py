"""Go's number rules where they decide, and saturation where Go would wrap around or leave it to the CPU."""

import math

from podtide.core.model.spec import Tolerance

MOST = 2**31 - 1
"""Replica counts and utilizations are 32-bit in Kubernetes."""


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
    return math.ceil(replicas) if replicas > -MOST else -MOST - 1


def is_within(ratio: float, tolerance: Tolerance) -> bool:
    """Whether the ratio is so near 1 that nothing is done; both ends belong to the band."""
    # Not `abs(1 - ratio) <= tolerance`: 110 % of the target at tolerance 0.1 would come out differently.
    return 1.0 - tolerance.down <= ratio <= 1.0 + tolerance.up
