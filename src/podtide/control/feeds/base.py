"""The contract of a feed: a stream of autoscalers that come, change and go. Read by `control.fleet`."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from podtide.api.decode import Decoded
from podtide.core.model.spec import Key
from podtide.kube.objects import Meta


@dataclass(frozen=True, slots=True)
class Upsert:
    """An autoscaler as it now stands; the first time, it is new."""

    key: Key
    metadata: Meta
    decoded: Decoded
    status: Mapping[str, Any] = field(default_factory=dict)
    """The status it had when read."""


@dataclass(frozen=True, slots=True)
class Remove:
    """An autoscaler is gone."""

    key: Key


Change = Upsert | Remove


@dataclass(frozen=True, slots=True)
class Seen:
    """An object's status as the feed shows it now."""

    status: Mapping[str, Any] = field(default_factory=dict)
    """Empty where it has none."""
    version: str = ""
    """The object's resourceVersion; empty where it has none."""


class Feed(Protocol):
    """A source of autoscalers."""

    def changes(self) -> AsyncIterator[Change]:
        """Every autoscaler there is, then every change that matters, for ever."""
        ...

    def is_synced(self) -> bool:
        """Whether every autoscaler there was at the start has been told of."""
        ...

    def seen(self, key: Key) -> Seen:
        """The status an autoscaler has now, as far as the feed has come."""
        ...
