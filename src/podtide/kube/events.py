"""Events on objects, as `kubectl describe` shows them. Callers say what changed; a task here sends it."""

import asyncio
import itertools
import logging
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from podtide.kube import errors, resources
from podtide.kube.client import Client

log = logging.getLogger(__name__)

_CONTROLLER = "podtide.dev/controller"
_LONGEST_NOTE = 1024
_QUEUE = 1000
_OBJECTS = 4096


@dataclass(frozen=True, slots=True)
class Regarding:
    """The object an event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


class Events:
    """A queue of events and the task that sends them."""

    def __init__(self, client: Client, instance: str, *, burst: int = 25, refill: float = 60.0) -> None:
        """`instance` names this replica. An object gets `burst` events at once and one more every `refill` seconds."""
        self.dropped = 0
        """Events that were not sent: too many, or refused."""
        self._client = client
        self._instance = instance
        self._burst = burst
        self._refill = refill
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_QUEUE)
        self._allowance: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._numbers = itertools.count()

    def emit(
        self,
        regarding: Regarding,
        kind: Literal["Normal", "Warning"],
        reason: str,
        note: str,
        *,
        action: str,
        now: float,
    ) -> None:
        """Queue one event; never waits. Too many about one object, or in all, are counted and left out."""
        if not self._allowed(regarding.uid, now) or self._queue.full():
            self.dropped += 1
            return
        at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        body = {
            "apiVersion": resources.EVENTS.api_version,
            "kind": "Event",
            "metadata": {
                "name": f"{regarding.name[:200]}.{int(now * 1e6):x}{next(self._numbers) % 4096:03x}",
                "namespace": regarding.namespace,
            },
            "eventTime": at,
            "reportingController": _CONTROLLER,
            "reportingInstance": self._instance[:128],
            "action": action,
            "reason": reason,
            "regarding": {
                "apiVersion": regarding.api_version,
                "kind": regarding.kind,
                "namespace": regarding.namespace,
                "name": regarding.name,
                "uid": regarding.uid,
            },
            "note": note if len(note) <= _LONGEST_NOTE else note[: _LONGEST_NOTE - 1] + "…",
            "type": kind,
        }
        self._queue.put_nowait(body)

    async def run(self) -> None:
        """Send what is queued until cancelled."""
        while True:
            await self._send(await self._queue.get())

    async def flush(self) -> None:
        """Send what is left, and see through what is being sent."""
        while not self._queue.empty():
            await self._send(self._queue.get_nowait())
        await self._queue.join()

    async def _send(self, body: dict[str, Any]) -> None:
        try:
            await self._client.create(resources.EVENTS, body["metadata"]["namespace"], body, into=dict[str, Any])
        except errors.KubeError as error:
            # An event is a courtesy: what matters also stands in status and log.
            self.dropped += 1
            log.debug("event %s was not sent: %s", body["reason"], error)
        finally:
            self._queue.task_done()

    def _allowed(self, uid: str, now: float) -> bool:
        tokens, at = self._allowance.pop(uid, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + max(0.0, now - at) / self._refill)
        allowed = tokens >= 1
        self._allowance[uid] = (tokens - 1 if allowed else tokens, now)
        if len(self._allowance) > _OBJECTS:
            self._allowance.popitem(last=False)
        return allowed
