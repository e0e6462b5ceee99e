"""Where reports go: to the API server for CRDs, to the log for files."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from podtide.control.changes import News
from podtide.core.model.spec import Key
from podtide.kube import errors, resources
from podtide.kube.client import JSON_PATCH, Client
from podtide.kube.events import Events, Regarding
from podtide.kube.objects import Meta, Partial

log = logging.getLogger(__name__)


class ClusterSink:
    """Statuses into the status subresource, events into the API."""

    def __init__(self, client: Client, events: Events, *, may_write: Callable[[str], bool]) -> None:
        """`may_write` says of an object's uid whether its status is ours to write."""
        self._client = client
        self._events = events
        self._may_write = may_write
        self._complaint: type[errors.KubeError] | None = None

    async def write(self, metadata: Meta, status: Mapping[str, Any]) -> str | None:
        """Replace the object's status: a merge would rest on what it was, and that is not always known.

        An object that is gone needs none, and one that has taken its name is another's.
        """
        key = Key(metadata.namespace, metadata.name)
        try:
            stored = await self._client.patch(
                resources.AUTOSCALERS,
                key.namespace,
                key.name,
                [
                    {"op": "test", "path": "/metadata/uid", "value": metadata.uid},
                    {"op": "add", "path": "/status", "value": status},
                ],
                into=Partial,
                sub="status",
                content_type=JSON_PATCH,
                permit=lambda: self._may_write(metadata.uid),
            )
        except errors.NotFound:
            return ""
        except errors.Invalid as error:
            return await self._refused(metadata, error)
        except errors.KubeError as error:
            self._complain(key, error)
            return None
        self._complaint = None
        return stored.metadata.resourceVersion

    async def _refused(self, metadata: Meta, error: errors.Invalid) -> str | None:
        """Trying again cannot help; the next change of the status may."""
        key = Key(metadata.namespace, metadata.name)
        try:
            found = await self._client.get(resources.AUTOSCALERS, key.namespace, key.name, into=Partial)
        except errors.NotFound:
            return ""
        except errors.KubeError:
            return None
        if found.metadata.uid == metadata.uid:
            log.error("the API server refuses the status of %s: %s", key, error)
        return ""

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

    async def write(self, metadata: Meta, status: Mapping[str, Any]) -> str | None:
        """Nothing to store; decisions are logged where they change."""
        return ""

    def tell(self, metadata: Meta, news: News, now: float) -> None:
        """Log one event."""
        if news.reason == "InvalidSpec":
            # `Reports` logs that in any case.
            return
        level = logging.WARNING if news.kind == "Warning" else logging.INFO
        key = Key(metadata.namespace, metadata.name)
        log.log(level, "%s: %s: %s", key, news.reason, news.note, extra={"fields": {"autoscaler": str(key)}})
