"""The replica count that one value of the whole workload asks for: object and external metrics."""

import math
from collections.abc import Sequence

from podtide.core.algorithms.hpa import arithmetic, pods
from podtide.core.algorithms.hpa.answer import NO_PODS, Answer, Rule, Trouble, TroubleKind
from podtide.core.model import quantity
from podtide.core.model.spec import Tolerance
from podtide.core.model.view import PodView


def for_value(
    usage: int, target: int, *, current: int, listed: Sequence[PodView], tolerance: Tolerance
) -> Answer | Trouble:
    """The count that brings the value to the target, if the value falls as pods are added. All in thousandths."""
    ratio = float(usage) / float(target)
    if current == 0:
        return Answer(arithmetic.count(ratio), Rule.FROM_ZERO, ratio, usage)
    if arithmetic.is_within(ratio, tolerance):
        return Answer(current, Rule.WITHIN, ratio, usage)
    if not listed:
        return Trouble(TroubleKind.NO_PODS, f"unable to calculate ready pods: {NO_PODS}")
    return Answer(arithmetic.count(ratio * pods.ready_pods(listed)), Rule.VALUE_SCALED, ratio, usage)


def for_average(usage: int, target: int, *, status: int, tolerance: Tolerance, is_sum: bool = True) -> Answer:
    """The count whose even share of the value is the target. All in thousandths; `status` is status.replicas.

    `is_sum` is for values that were added up, as external ones, so that the largest number may be a saturated sum.
    """
    replicas = arithmetic.count(float(usage) / float(target))
    if status == 0:
        # A share of nothing is no number; Go reports whatever the CPU makes of an infinity.
        return Answer(replicas, Rule.SCALED, float(usage) / float(target), None)
    ratio = float(usage) / (float(target) * float(status))
    # The share of a saturated sum is only known to be huge.
    is_saturated = is_sum and float(usage) >= float(quantity.LARGEST)
    share = quantity.LARGEST if is_saturated else quantity.saturate(math.ceil(float(usage) / float(status)))
    if arithmetic.is_within(ratio, tolerance):
        return Answer(status, Rule.WITHIN, ratio, share)
    return Answer(replicas, Rule.SCALED, ratio, share)


def added_up(values: Sequence[int]) -> int:
    """External values as one, for a `Value` target: capped at the largest 64-bit number, whatever comes after it."""
    total = 0
    for value in values:
        total += value
        if total > quantity.LARGEST:
            return quantity.LARGEST
    return quantity.saturate(total)


def added_up_for_average(values: Sequence[int]) -> int:
    """External values as one, for an `AverageValue` target.

    Kubernetes takes any sum below zero for an overflow and stops at the largest number, so one negative value can ask
    for the maximum. Only conformance asks for that; Podtide's sources add up with `added_up`.
    """
    total = 0
    for value in values:
        total += value
        if not 0 <= total <= quantity.LARGEST:
            return quantity.LARGEST
    return total
