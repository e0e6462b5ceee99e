"""A cache of one kind: what a reflector last saw, by key, with indexes and subscribers. Read by targets and feeds."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from podtide.core.model.spec import Key

T = TypeVar("T")

Changed = Callable[[Key, T | None], None]
"""Told of each change: the key, and the object or None when it is gone. Must neither block nor raise."""


class Cache(Generic[T]):
    """Objects of one kind by namespace and name. Not a copy: what it hands out is frozen and shared."""

    def __init__(self, **indexes: Callable[[T], Iterable[str]]) -> None:
        """`indexes`: a name, and a function that gives an object's entries in it."""
        self.synced = asyncio.Event()
        """Set once the first list of every watched namespace is in."""
        self._items: dict[Key, T] = {}
        self._functions = indexes
        self._indexes: dict[str, dict[str, dict[Key, T]]] = {name: {} for name in indexes}
        self._subscribers: list[Changed[T]] = []

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[tuple[Key, T]]:
        return iter(tuple(self._items.items()))

    def get(self, key: Key) -> T | None:
        """The object of that key."""
        return self._items.get(key)

    def find(self, index: str, entry: str) -> tuple[T, ...]:
        """The objects that an index lists under `entry`."""
        return tuple(self._indexes[index].get(entry, {}).values())

    def subscribe(self, changed: Changed[T]) -> Callable[[], None]:
        """Call `changed` for every object there is, and from then on for every change; returns how to stop."""
        for key, item in self:
            changed(key, item)
        self._subscribers.append(changed)
        return lambda: self._subscribers.remove(changed)

    def put(self, key: Key, item: T) -> None:
        """Set one object."""
        self._forget(key)
        self._items[key] = item
        for name, function in self._functions.items():
            for entry in function(item):
                self._indexes[name].setdefault(entry, {})[key] = item
        self._tell(key, item)

    def drop(self, key: Key) -> None:
        """Remove one object, if it is there."""
        if key in self._items:
            self._forget(key)
            self._tell(key, None)

    def replace(self, items: dict[Key, T], *, namespace: str = "") -> None:
        """Set the whole (of one namespace): what is not in `items` is gone, even where no event ever said so."""
        # In the order in which they came: that of a set would be another in each process.
        for key in [key for key in self._items if key not in items]:
            if not namespace or key.namespace == namespace:
                self.drop(key)
        for key, item in items.items():
            if self._items.get(key) != item:
                self.put(key, item)

    def _forget(self, key: Key) -> None:
        item = self._items.pop(key, None)
        if item is None:
            return
        for name, function in self._functions.items():
            for entry in function(item):
                listed = self._indexes[name][entry]
                del listed[key]
                if not listed:
                    del self._indexes[name][entry]

    def _tell(self, key: Key, item: T | None) -> None:
        for changed in tuple(self._subscribers):
            changed(key, item)
