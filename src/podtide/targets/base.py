"""The contract every kind of target keeps. Called by `control.worker`, once per tick each way."""

from collections.abc import Callable
from typing import Protocol

from podtide.core.model.decision import Applied, Decision
from podtide.core.model.view import TargetView


def always() -> bool:
    """Nobody else could write."""
    return True


class Target(Protocol):
    """Something with replicas and pods."""

    async def view(self, now: float) -> TargetView:
        """What is there now. Trouble is a view with `failure`, never an exception."""
        ...

    async def apply(self, decision: Decision, *, may_write: Callable[[], bool] = always) -> Applied:
        """Carry a decision out if its action says so. Trouble is an `Applied`, never an exception.

        `may_write` is asked right before a patch goes out, after every wait: whether this replica still owns the
        autoscaler.
        """
        ...
