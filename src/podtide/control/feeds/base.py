"""The contract of a feed: a stream of autoscalers that come, change and go. Read by `control.fleet`."""

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from podtide.api import decode
from podtide.api.decode import Decoded
from podtide.api.errors import MISSING, Problem
from podtide.api.settings import Settings
from podtide.core.model.spec import Key
from podtide.kube.objects import Meta

log = logging.getLogger(__name__)


def read(key: Key, manifest: Mapping[str, Any], settings: Settings) -> Decoded:
    """What a manifest says; a mistake of ours that one object brings to light costs that object, and no other."""
    try:
        return decode.autoscaler(manifest, settings)
    except Exception as error:
        log.exception("%s: reading the object crashed", key)
        why = f"cannot be read ({type(error).__name__}); the controller's log says where"
        return Decoded(key, None, (Problem("spec", MISSING, why),), manifest=manifest)


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
