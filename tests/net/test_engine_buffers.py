"""Buffers: leased, grown, bounded, and kept for the size that is in use."""

import pytest

from podtide.net import buffers


def test_the_buffer_given_back_last_is_leased_first() -> None:
    pool = buffers.Buffers(1 << 20)
    first, second = pool.lease(1), pool.lease(1)
    pool.give_back(first)
    pool.give_back(second)
    assert pool.lease(1) is second
    assert pool.lease(1) is first


@pytest.mark.parametrize(
    ("wanted", "size"), [(1, 1 << 15), (1 << 15, 1 << 15), ((1 << 15) + 1, 1 << 16), (90_000, 1 << 17)]
)
def test_a_lease_is_the_next_power_of_two(wanted: int, size: int) -> None:
    assert buffers.Buffers(1 << 20).lease(wanted).size == size


def test_a_grown_lease_has_the_same_bytes_and_the_old_one_is_free() -> None:
    pool = buffers.Buffers(1 << 20)
    lease = pool.lease(1)
    lease.view[:3] = b"abc"
    lease.filled = 3
    larger = pool.grown(lease)
    assert (bytes(larger.view[: larger.filled]), larger.size) == (b"abc", 1 << 16)
    assert pool.leased == 1 << 16
    assert pool.lease(1) is lease


def test_no_more_is_leased_than_the_budget_and_a_refusal_changes_nothing() -> None:
    pool = buffers.Buffers(3 << 15)
    lease = pool.lease(1)
    with pytest.raises(buffers.Full):
        pool.lease(1 << 17)
    with pytest.raises(buffers.Full):
        pool.grown(pool.lease(1 << 16))
    assert pool.leased == 3 << 15
    pool.give_back(lease)
    assert pool.leased == 1 << 16


def test_buffers_left_from_a_burst_make_way_for_the_size_in_use() -> None:
    pool = buffers.Buffers(1 << 30)
    burst = [pool.lease(1) for _ in range(400)]
    for lease in burst:
        pool.give_back(lease)
    large = pool.lease(1 << 20)
    pool.give_back(large)
    assert pool.lease(1 << 20) is large


def test_what_is_kept_is_bounded() -> None:
    pool = buffers.Buffers(1 << 30)
    burst = [pool.lease(1 << 20) for _ in range(20)]
    for lease in burst:
        pool.give_back(lease)
    again = [pool.lease(1 << 20) for _ in range(20)]
    assert sum(lease in burst for lease in again) == 8
