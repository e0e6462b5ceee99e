"""What is put in comes out once, in order, and wakes the reader."""

from podtide.aio.mailbox import Mailbox


async def test_items_come_out_in_order_and_once() -> None:
    box: Mailbox[int] = Mailbox()
    box.put(1)
    box.put(2)
    assert box.drain() == [1, 2]
    assert box.drain() == []


async def test_the_reader_is_woken_while_there_is_something() -> None:
    box: Mailbox[int] = Mailbox()
    assert not box.wake.is_set()
    box.put(1)
    assert box.wake.is_set()
    box.drain()
    assert not box.wake.is_set()


async def test_a_box_nobody_empties_keeps_the_newest_and_counts_the_lost() -> None:
    box: Mailbox[int] = Mailbox(capacity=3)
    for item in range(5):
        box.put(item)
    assert len(box) == 3
    assert box.drain() == [2, 3, 4]
    assert box.dropped == 2
