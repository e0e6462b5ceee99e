"""Where Go wraps around or leaves the result to the CPU: ours saturates, so a huge load never shrinks a workload."""

import math

import pytest

from podtide.core.algorithms.hpa import arithmetic, replicas, totals
from podtide.core.algorithms.hpa.answer import Answer
from podtide.core.model import quantity
from podtide.core.model.spec import Tolerance
from tests.core.hpa_views import pods

TOLERANCE = Tolerance()


def test_a_utilization_product_beyond_64_bits_asks_for_more() -> None:
    answer = replicas.for_utilization(
        pods(2),
        {"p0": 2**60, "p1": 2**60},
        50,
        resource="cpu",
        container=None,
        current=2,
        tolerance=TOLERANCE,
        readiness=None,
    )
    assert isinstance(answer, Answer)
    assert answer.utilization == arithmetic.MOST
    assert answer.replicas == math.ceil(arithmetic.MOST / 50 * 2)


def test_a_mean_count_beyond_32_bits_is_the_largest_count() -> None:
    answer = replicas.for_average(
        pods(2), {"p0": 2**60, "p1": 2**60}, 1, current=2, tolerance=TOLERANCE, readiness=None
    )
    assert isinstance(answer, Answer)
    assert (answer.replicas, answer.usage) == (arithmetic.MOST, 2**60)


def test_a_sum_of_values_beyond_64_bits_saturates() -> None:
    huge = quantity.LARGEST
    answer = replicas.for_average(
        pods(2), {"p0": huge, "p1": huge}, huge, current=2, tolerance=TOLERANCE, readiness=None
    )
    assert isinstance(answer, Answer)
    assert (answer.replicas, answer.usage) == (2, huge)


@pytest.mark.parametrize("current", [0, 2], ids=["from zero", "from some"])
def test_a_value_count_beyond_32_bits_is_the_largest_count(current: int) -> None:
    answer = totals.for_value(2**60, 1000, current=current, listed=pods(2), tolerance=TOLERANCE)
    assert isinstance(answer, Answer)
    assert answer.replicas == arithmetic.MOST


def test_a_share_count_beyond_32_bits_is_the_largest_count() -> None:
    assert totals.for_average(2**60, 1000, status=3, tolerance=TOLERANCE).replicas == arithmetic.MOST


def test_a_share_of_no_replicas_is_not_a_number() -> None:
    answer = totals.for_average(1500, 1000, status=0, tolerance=TOLERANCE)
    assert (answer.replicas, answer.usage) == (2, None)


def test_a_count_far_below_zero_stays_within_32_bits() -> None:
    assert arithmetic.count(-1e300) == -arithmetic.MOST - 1
    assert arithmetic.count(-2.5) == -2
    assert arithmetic.count(-float(arithmetic.MOST)) == -arithmetic.MOST
    assert arithmetic.clamp(-(2**40)) == -arithmetic.MOST - 1


def test_division_cuts_towards_zero() -> None:
    assert [arithmetic.quotient(number, 2) for number in (-3, -1, 3)] == [-1, 0, 1]
