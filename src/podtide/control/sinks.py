"""Where reports go: to the API server for CRDs, to the log for files."""

import logging
from collections.abc import Mapping
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

    def __init__(self, client: Client, events: Events) -> None:
        self._client = client
        self._events = events

    async def write(self, key: Key, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Merge the status into the object; an object that is gone needs none."""
        body = {"status": merge(old, new)}
        try:
            await self._client.patch(
                resources.AUTOSCALERS, key.namespace, key.name, body, into=msgspec.Raw, sub="status"
            )
        except errors.NotFound:
            return True
        except errors.Invalid as error:
            # Trying again cannot help; the next change of the status may.
            log.error("the API server refuses the status of %s: %s", key, error)
            return True
        except errors.KubeError as error:
            log.debug("status of %s: %s", key, error)
            return False
        return True

    def tell(self, metadata: Meta, news: News, now: float) -> None:
        """Send one event."""
        autoscaler = resources.AUTOSCALERS
        regarding = Regarding(autoscaler.api_version, autoscaler.kind, metadata.namespace, metadata.name, metadata.uid)
        self._events.emit(regarding, news.kind, news.reason, news.note, action=news.action, now=now)


class LogSink:
    """For autoscalers from files, which have neither status nor events: the log has both."""

    async def write(self, key: Key, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Nothing to store; decisions are logged where they change."""
        return True

    def tell(self, metadata: Meta, news: News, now: float) -> None:
        """Log one event."""
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
