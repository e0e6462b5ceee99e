"""What the API server has answered to patches of ours, until a watch tells as much.

A target lives as long as one edition of one autoscaler. While the connection of a watch is dead, the next one would
take the count of before for the present one, and our own scaling for somebody else's. Kept in `targets.context`.
"""

from typing import NamedTuple

from podtide.core.model.spec import Key
from podtide.kube.kinds import ScaleRecord

MOST = 10_000
"""Answers that are kept: of those that nobody looks at any more, nobody says that they are told."""


class Name(NamedTuple):
    """What was patched."""

    api_version: str
    kind: str
    key: Key
    of_roles: bool = False
    """Whether the object itself was patched, which has roles, and not its scale."""


class Answers:
    """The sizes that we were told, by what they are of."""

    def __init__(self) -> None:
        self._known: dict[Name, ScaleRecord] = {}

    def get(self, name: Name) -> ScaleRecord | None:
        """What was answered last; None where a watch has told as much since."""
        return self._known.get(name)

    def put(self, name: Name, record: ScaleRecord) -> None:
        """A patch was carried out."""
        self._known.pop(name, None)
        self._known[name] = record
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]

    def drop(self, name: Name) -> None:
        """A watch has told of this, or of something newer."""
        self._known.pop(name, None)
