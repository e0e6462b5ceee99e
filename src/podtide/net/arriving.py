"""Answers that httpx carries while they arrive: one limit, however many clients. Called by `net.http`."""

from collections.abc import Iterator
from contextlib import contextmanager


class Body:
    """An answer that is not whole yet."""

    __slots__ = ("content", "is_given_up")

    def __init__(self) -> None:
        self.content = bytearray()
        self.is_given_up = False


class Arriving:
    """The bodies that are on their way."""

    __slots__ = ("_bodies", "_most", "held")

    def __init__(self, most: int) -> None:
        self._most = most
        self._bodies: set[Body] = set()
        self.held = 0
        """Bytes of all of them."""

    @contextmanager
    def body(self) -> Iterator[Body]:
        """One more, for as long as it arrives."""
        body = Body()
        self._bodies.add(body)
        try:
            yield body
        finally:
            self._bodies.discard(body)
            self.held -= len(body.content)

    def add(self, body: Body, piece: bytes) -> None:
        """More of one of them; it, or another that is larger, may be given up for it."""
        if body.is_given_up:
            return
        body.content += piece
        self.held += len(piece)
        if self.held > self._most:
            self._make_room()

    def _make_room(self) -> None:
        """Give up the largest, as the engine does: who sends many large pages loses them before others lose theirs."""
        largest = max(self._bodies, key=lambda each: len(each.content))
        self.held -= len(largest.content)
        largest.content.clear()
        largest.is_given_up = True
