"""The contract every kind of target keeps. Called by `control.worker`, once per tick each way."""

from typing import Protocol

from podtide.core.model.decision import Applied, Decision
from podtide.core.model.view import TargetView


class Target(Protocol):
    """Something with replicas and pods."""

    async def view(self, now: float) -> TargetView:
        """What is there now. Trouble is a view with `failure`, never an exception."""
        ...

    async def apply(self, decision: Decision) -> Applied:
        """Carry a decision out if its action says so. Trouble is an `Applied`, never an exception."""
        ...
