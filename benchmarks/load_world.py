"""The cluster of `benchmarks.load`: that of `benchmarks.fleet_world`, whose load comes all at once when told to.

A line on standard input says what is to happen; the answer is a line, once it has.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import fleet_world
from benchmarks.fleet_world import Exporter, Loads
from podtide.local.admission import Write
from podtide.local.server import ApiServer

PORT = fleet_world.PORT = 9401
"""Another than that of `benchmarks.fleet`, which may run on the same machine."""
LATE = 1.0
"""Seconds that late answers take."""
HELD = 2.0
"""Seconds between the moments at which all held answers are given."""
EDITS = 200
"""Edits in a second."""


class Pace:
    """When the pods answer."""

    def __init__(self) -> None:
        self.late = 0.0
        self.holds = False
        self.held: list[Callable[[], None]] = []

    async def release(self) -> None:
        """Give all held answers, again and again."""
        while True:
            await asyncio.sleep(HELD)
            held, self.held = self.held, []
            for answer in held:
                answer()


class Paced(Exporter):
    """One connection to a pod that answers when it is told to."""

    def __init__(self, loads: Loads, pace: Pace) -> None:
        super().__init__(loads)
        self._pace = pace

    def data_received(self, data: bytes) -> None:
        """Answer now, later, or together with all others."""
        answer = partial(self._answer, data)
        if self._pace.holds:
            self._pace.held.append(answer)
        elif self._pace.late:
            asyncio.get_running_loop().call_later(self._pace.late, answer)
        else:
            answer()

    def _answer(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            super().data_received(data)


class World:
    """What can happen."""

    def __init__(self, api: ApiServer, pace: Pace, autoscalers: int, pods: int, interval: int) -> None:
        self._api = api
        self._pace = pace
        self._autoscalers = autoscalers
        self._pods = pods
        self._interval = interval

    async def happen(self, what: str) -> None:
        """Let it happen."""
        match what:
            case "late":
                self._pace.late = LATE
            case "at once":
                self._pace.holds = True
            case "created":
                self.create()
            case "rolled":
                await self._roll()
            case "edited":
                await self._edit(seconds=20)

    def create(self) -> None:
        """Every autoscaler, in one moment."""
        kind = self._api.store.kind("autoscaling.aibrix.ai/v1alpha1", "podautoscalers")
        each = max(1, self._pods // self._autoscalers)
        for number in range(self._autoscalers):
            body = fleet_world.autoscaler(f"web-{number}", each, self._interval)
            self._api.store.create(kind, "default", body)

    async def _roll(self) -> None:
        """Every pod goes, and another with another address comes, as fast as the server can."""
        store = self._api.store
        kind = store.kind("v1", "pods")
        for number, stored in enumerate(store.collection(kind).current()):
            old = stored.read()
            app, owner = old["metadata"]["labels"]["app"], {"kind": "ReplicaSet", "metadata": {}}
            owner["metadata"] = old["metadata"]["ownerReferences"][0]
            store.delete(kind, "default", stored.name, {"gracePeriodSeconds": 0})
            name = f"{stored.name}-n"
            store.create(kind, "default", fleet_world.pod(name, app, owner))
            status = fleet_world.status(fleet_world.address(self._pods + number))
            store.patch(kind, "default", name, partial(fleet_world.with_status, status), Write("kubelet", sub="status"))
            if number % 50 == 0:
                await asyncio.sleep(0)

    async def _edit(self, seconds: int) -> None:
        """Change one spec after the other; each comes round again after a while."""
        store = self._api.store
        kind = store.kind("autoscaling.aibrix.ai/v1alpha1", "podautoscalers")
        number = 0
        for _ in range(10 * seconds):
            for _ in range(EDITS // 10):
                number += 1
                change = partial(_changed, 100 + number % 7)
                store.patch(kind, "default", f"web-{number % self._autoscalers}", change, Write("somebody"))
            await asyncio.sleep(0.1)


def _changed(maximum: int, body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "spec": {**body["spec"], "maxReplicas": maximum}}


async def serve(autoscalers: int, pods: int, interval: int, *, empty: bool, kubeconfig: Path) -> None:
    """Run until standard input ends."""
    loop, pace = asyncio.get_running_loop(), Pace()
    loads = Loads(autoscalers, pods, seed=1)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    listening = await loop.create_server(lambda: Paced(loads, pace), "0.0.0.0", PORT, backlog=4096)  # noqa: S104  (127/8)
    releasing = asyncio.create_task(pace.release())
    async with listening, ApiServer(log_length=100_000) as api:
        world = World(api, pace, autoscalers, pods, interval)
        fleet_world.fill(api, autoscalers, pods, interval, scaled=not empty)
        api.kubeconfig(kubeconfig)
        print(json.dumps("ready"), flush=True)
        while line := await reader.readline():
            await world.happen(line.decode().strip())
            print(json.dumps("done"), flush=True)
    releasing.cancel()


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:4]]
    asyncio.run(serve(*numbers, empty=sys.argv[4] == "empty", kubeconfig=Path(sys.argv[5])))
