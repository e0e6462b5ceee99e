"""What a worker reads, and what its predecessor read until it does. Kept by a worker, joined to the next by the fleet.

An edit ends one worker and begins another. Were the first one's subscriptions closed before the second has its own,
every connection would be dropped and opened again, credentials read anew, and the scrapes under way lost.
"""

from collections.abc import Iterable

from podtide.core.model.view import TargetView
from podtide.sources.base import Subscription


class Following:
    """The subscriptions of one worker."""

    __slots__ = ("_is_over", "_left", "_own", "heir")

    def __init__(self) -> None:
        self._own: list[Subscription] = []
        self._left: list[Subscription] = []
        """What a predecessor had; it stays open until our own know what to read."""
        self._is_over = False
        self.heir: Following | None = None
        """Who takes over what is still open at the end."""

    def begin(self, subscriptions: Iterable[Subscription]) -> None:
        """Follow these; again after a crash."""
        self._own = list(subscriptions)
        self._is_over = False

    def update(self, view: TargetView) -> None:
        """Say what the target looks like now."""
        for subscription in self._own:
            subscription.update(view)
        if view.failure is None:
            _close(self._left)

    def end(self) -> None:
        """Leave what is open to the heir, or close it."""
        self._is_over = True
        if self.heir is not None:
            self.heir.inherit([*self._left, *self._own])
            self._left.clear()
            self._own.clear()
        else:
            _close(self._left)
            _close(self._own)

    def inherit(self, left: Iterable[Subscription]) -> None:
        """Take over what a predecessor leaves open, even if we were ended before we began."""
        self._left += left
        if self._is_over:
            self.end()


def _close(subscriptions: list[Subscription]) -> None:
    while subscriptions:
        subscriptions.pop().close()
