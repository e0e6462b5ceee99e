"""Where reports go: to the API server for CRDs, to the log for files."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from podtide.control.changes import News
from podtide.core.model.spec import Key
from podtide.kube import errors, resources
from podtide.kube.client import Client
from podtide.kube.events import Events, Regarding
from podtide.kube.objects import Meta

log = logging.getLogger(__name__)


class ClusterSink:
    """Statuses into the status subresource, events into the API."""

    def __init__(self, client: Client, events: Events, *, may_write: Callable[[str], bool]) -> None:
        """`may_write` says of an object's uid whether its status is ours to write."""
        self._client = client
        self._events = events
        self._may_write = may_write
        self._complaint: type[errors.KubeError] | None = None

    async def write(self, metadata: Meta, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Merge the status into the object; an object that is gone needs none."""
        key = Key(metadata.namespace, metadata.name)
        try:
            await self._client.patch(
                resources.AUTOSCALERS,
                key.namespace,
                key.name,
                {"status": merge(old, new)},
                into=msgspec.Raw,
                sub="status",
                permit=lambda: self._may_write(metadata.uid),
            )
        except errors.NotFound:
            return True
        except errors.Invalid as error:
            # Trying again cannot help; the next change of the status may.
            log.error("the API server refuses the status of %s: %s", key, error)
            return True
        except errors.KubeError as error:
            self._complain(key, error)
            return False
        self._complaint = None
        return True

    def _complain(self, key: Key, error: errors.KubeError) -> None:
        """Say so at first, not with every try: without the right to write statuses, none of them gets through."""
        if type(error) is not self._complaint and not isinstance(error, errors.Withheld):
            log.warning("cannot write the status of %s: %s; trying again", key, error)
            self._complaint = type(error)

    def tell(self, metadata: Meta, news: News, now: float) -> None:
        """Send one event."""
        autoscaler = resources.AUTOSCALERS
        regarding = Regarding(autoscaler.api_version, autoscaler.kind, metadata.namespace, metadata.name, metadata.uid)
        self._events.emit(regarding, news.kind, news.reason, news.note, action=news.action, now=now)


class LogSink:
    """For autoscalers from files, which have neither status nor events: the log has both."""

    async def write(self, metadata: Meta, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Nothing to store; decisions are logged where they change."""
        return True

    def tell(self, metadata: Meta, news: News, now: float) -> None:
        """Log one event."""
        if news.reason == "InvalidSpec":
            # `Reports` logs that in any case.
            return
        level = logging.WARNING if news.kind == "Warning" else logging.INFO
        key = Key(metadata.namespace, metadata.name)
        log.log(level, "%s: %s: %s", key, news.reason, news.note, extra={"fields": {"autoscaler": str(key)}})


def merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch from one object to another: what went is null, what stayed is left out."""
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = merge(before, value)
            if inner:
                patch[name] = inner
        elif name not in old or before != value:
            patch[name] = value
    return patch
