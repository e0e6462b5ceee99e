"""A mailbox: many put things in and never wait, one takes them out. Sources put readings; a worker takes them."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Items in order of arrival, with an event that wakes their one reader."""

    __slots__ = ("_items", "dropped", "wake")

    # A worker drains at every tick. A box this full belongs to one that is stuck, and to it only the newest matter.
    def __init__(self, capacity: int = 1024) -> None:
        self._items: deque[T] = deque(maxlen=capacity)
        self.wake = asyncio.Event()
        """Set while there is something to take out."""
        self.dropped = 0
        """Items that were lost because nobody had taken them out, the oldest first."""

    def put(self, item: T) -> None:
        """Add an item and wake the reader; never waits."""
        if len(self._items) == self._items.maxlen:
            self.dropped += 1
        self._items.append(item)
        self.wake.set()

    def drain(self) -> list[T]:
        """Take everything out, the oldest first."""
        items = list(self._items)
        self._items.clear()
        self.wake.clear()
        return items

    def __len__(self) -> int:
        return len(self._items)
