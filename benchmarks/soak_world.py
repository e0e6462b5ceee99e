"""The cluster of `benchmarks.soak`, in a process of its own: API server, pods over HTTP and HTTPS, trouble, a judge.

It takes commands as lines of JSON on standard input and answers each with a line.
"""

import asyncio
import base64
import contextvars
import json
import random
import re
import ssl
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import trustme

from benchmarks.soak_judge import Judge, Rule, Served
from podtide.api import crd
from podtide.local.faults import Fault, Incoming
from podtide.local.listeners import Trouble
from podtide.local.metrics import Template, Work
from podtide.local.pods import Pod, PodFleet, Profile
from podtide.local.server import ApiServer
from podtide.local.versions import Change
from podtide.local.workloads import Controller

PORT = 8000
NAME = "pods.soak.example"
MINIMUM, MAXIMUM, TARGET = 2, 9, 10.0
CUT_EVERY = 1.0
"""Seconds between two cuts of every watch."""
REDRAWN = 0.5
"""Seconds for which a pod drawn to fail does so."""
FAILING = 0.05
"""Share of the pods that fail at any time."""
REFUSED = 0.01
"""Share of the requests to the API server that fail."""
DARK = 16.0
"""Seconds for which every pod of a workload fails: longer than its windows."""
STAYS = 5.0
"""Seconds for which every count must be right in the end."""

_AUTOSCALERS = "autoscaling.aibrix.ai/podautoscalers"
_agent: contextvars.ContextVar[str] = contextvars.ContextVar("agent", default="")
"""Who sent the request that is being carried out."""


class Audit(Fault):
    """Hits nothing, and notes who asks for what."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0

    def matches(self, request: Incoming) -> bool:
        """Never."""
        self.requests += 1
        found = re.search(r"\((.+)\)", request.agent)
        _agent.set(found[1] if found else request.agent)
        return False


class Refusing(Fault):
    """Refuses requests now and then."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(status=503)
        self._rng = rng

    def matches(self, request: Incoming) -> bool:
        """Now and then, and no watch."""
        return request.verb != "watch" and self._rng.random() < REFUSED


class Held(Fault):
    """Keeps the next scale patch for a while before it is carried out."""

    def __init__(self) -> None:
        super().__init__(verbs=("patch",), sub="scale", delay=0.8, times=1)
        self.sender: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def matches(self, request: Incoming) -> bool:
        """Whether this is the one."""
        hit = super().matches(request)
        if hit and not self.sender.done():
            self.sender.set_result(request.agent)
        return hit


class World:
    """Everything around the controllers."""

    def __init__(self, seed: int, step: float) -> None:
        self._rng = random.Random(seed)
        self._step = step
        self.api = ApiServer()
        self._authority = trustme.CA()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(NAME).configure_cert(tls)
        template = Template.plain("queue_length", self._shown)
        self.names = tuple(f"{strategy}-{scheme}" for strategy in ("kpa", "hpa", "apa") for scheme in ("http", "https"))
        profiles = [
            Profile(template, PORT, labels={"scheme": scheme}, tls=context, startup=0.3, shutdown=0.1)
            for scheme, context in (("http", None), ("https", tls))
        ]
        self.fleet = PodFleet(self.api.store, profiles)
        self.judge = Judge({name: Rule(name, MINIMUM, MAXIMUM, TARGET) for name in self.names})
        self.loads = dict.fromkeys(self.names, 35.0)
        self._dark: dict[str, float] = {}
        self._audit = Audit()
        self._refusing = Refusing(self._rng)
        self._trouble: list[asyncio.Task[None]] = []
        self.counted = {"pages": 0, "watches cut": 0, "loads changed": 0, "restarts": 0, "dark": 0}

    async def __aenter__(self) -> "World":
        self._stack = AsyncExitStack()
        await self.api.__aenter__()
        await self._stack.enter_async_context(Controller(self.api.store))
        await self._stack.enter_async_context(self.fleet)
        self.api.store.listen(self._changed)
        self.api.faults.add(self._audit)
        self._fill()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._calm()
        await self._stack.aclose()
        await self.api.__aexit__()

    def _fill(self) -> None:
        store = self.api.store
        store.create(store.kind("apiextensions.k8s.io/v1", "customresourcedefinitions"), "", crd.manifest())
        for name in self.names:
            self.fleet.set_load("default", name, self.loads[name])
            store.create(store.kind("apps/v1", "deployments"), "default", _deployment(name))
            autoscaler = _autoscaler(name, self._authority.cert_pem.bytes())
            store.create(store.kind("autoscaling.aibrix.ai/v1alpha1", "podautoscalers"), "default", autoscaler)

    # --- what is seen -------------------------------------------------------------------------------------------------

    def _shown(self, work: Work) -> float:
        pod = cast("Pod", work)
        self.counted["pages"] += 1
        if pod.trouble.status == 200 and pod.ready_at is not None:
            self.judge.served(_workload(pod), Served(time.monotonic(), pod.share, len(pod.load.ready)))
        return pod.share

    def _changed(self, storage: str, change: Change) -> None:
        before, after = change.before, change.after
        if after is None or storage not in ("apps/deployments", "coordination.k8s.io/leases", _AUTOSCALERS):
            return
        now, new = time.monotonic(), after.read()
        if storage == "coordination.k8s.io/leases":
            if after.name == "podtide":
                spec = new["spec"]
                self.judge.leased(spec.get("holderIdentity") or "", now + spec["leaseDurationSeconds"])
        elif before is not None:
            old = before.read()
            if storage == _AUTOSCALERS and old.get("status") != new.get("status"):
                self.judge.told(after.name, now, by=_agent.get())
            elif storage != _AUTOSCALERS and old["spec"]["replicas"] != new["spec"]["replicas"]:
                counts = {"before": old["spec"]["replicas"], "after": new["spec"]["replicas"]}
                self.judge.scaled(after.name, now, by=_agent.get(), **counts)

    # --- what goes wrong ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Let everything go wrong."""
        self.api.faults.add(self._refusing)
        for work in (self._cut(), self._fail(), self._vary(), self._darken()):
            self._trouble.append(asyncio.create_task(work))

    async def _cut(self) -> None:
        while True:
            await asyncio.sleep(CUT_EVERY)
            self.counted["watches cut"] += self.api.faults.drop_watches()

    async def _fail(self) -> None:
        while True:
            self._redraw()
            await asyncio.sleep(REDRAWN)

    def _redraw(self) -> None:
        for pod in self.fleet.pods.values():
            is_dark = self._dark.get(_workload(pod), 0.0) > time.monotonic()
            fails = is_dark or self._rng.random() < FAILING
            _set(pod.trouble, self._draw() if fails else Trouble())

    def _draw(self) -> Trouble:
        return self._rng.choice(
            (
                Trouble(status=500),
                Trouble(cuts=True),
                Trouble(hangs=True),
                Trouble(page=b"queue_length NaN\n"),
                Trouble(page=b"\x00\xff not a page"),
                Trouble(page=b"# TYPE queue_length gauge\nqueue_length 0.\xff"),
                Trouble(page=b"other 1\n"),
            )
        )

    async def _vary(self) -> None:
        while True:
            await asyncio.sleep(self._step)
            name = self._rng.choice([name for name in self.names if self._dark.get(name, 0.0) < time.monotonic()])
            self.set_load(name, self._rng.uniform(5.0, 100.0))

    async def _darken(self) -> None:
        """Every page of a workload is bad, and its load goes away meanwhile: whoever takes bad for zero shrinks it."""
        while True:
            await asyncio.sleep(2 * self._step)
            name = self._rng.choice(self.names)
            self._dark[name] = time.monotonic() + DARK
            self.counted["dark"] += 1
            self._redraw()
            self.set_load(name, 1.0)
            await asyncio.sleep(DARK)

    def set_load(self, name: str, load: float) -> None:
        """Change the load of a workload."""
        self.counted["loads changed"] += 1
        self.loads[name] = load
        self.fleet.set_load("default", name, load)

    async def led(self) -> None:
        """Wait until a controller has written something."""
        while not self.judge.statuses:  # noqa: ASYNC110 - the judge knows no asyncio
            await asyncio.sleep(0.1)

    async def hold(self) -> str:
        """Who has sent a scale patch that is kept for now; empty if nobody did."""
        held = self.api.faults.add(Held())
        assert isinstance(held, Held)
        # The load of one that is not at its bound changes by half, so that there is something to patch.
        for name in self.names:
            self.set_load(name, 85.0 if self.loads[name] < 50.0 else 25.0)
        try:
            async with asyncio.timeout(15):
                return await held.sender
        except TimeoutError:
            return ""
        finally:
            asyncio.get_running_loop().call_later(2.0, self.api.faults.remove, held)

    async def restart(self) -> None:
        """The API server goes away for a while, and comes back with everything but the history of its changes."""
        self.counted["restarts"] += 1
        await self.api.__aexit__()
        await asyncio.sleep(2.0)
        self.api.store.compact()
        await self.api.__aenter__()

    async def _calm(self) -> None:
        for task in self._trouble:
            task.cancel()
        if self._trouble:
            await asyncio.wait(self._trouble)
            self.api.faults.remove(self._refusing)
        self._trouble.clear()
        for pod in self.fleet.pods.values():
            _set(pod.trouble, Trouble())

    async def calm(self) -> float:
        """Nothing goes wrong any more; after how long every count was right and stayed so, 30 s at most."""
        await self._calm()
        for name in self.names:
            self.set_load(name, self._rng.choice((15.0, 35.0, 55.0, 85.0, 200.0)))
        began = right = time.monotonic()
        # A count may be right by chance, and what was read before may still change it.
        while right < began + 30.0 and time.monotonic() < right + STAYS:
            await asyncio.sleep(0.2)
            if any(rule.count(self.loads[name]) != self.counts()[name] for name, rule in self.judge.rules.items()):
                right = time.monotonic()
        self.judge.converged(self.loads, self.counts())
        return right - began

    def counts(self) -> dict[str, int]:
        """What each workload is to have."""
        kind = self.api.store.kind("apps/v1", "deployments")
        return {item.name: item.read()["spec"]["replicas"] for item in self.api.store.collection(kind).current()}

    def report(self) -> dict[str, Any]:
        """Everything that was counted, and what must not have happened."""
        judge = self.judge
        seen = {"raised": judge.raised, "lowered": judge.lowered, "statuses": judge.statuses, "terms": judge.terms}
        seen |= {"requests": self._audit.requests, "requests refused": self._refusing.hits}
        return {"counted": {**self.counted, **seen}, "violations": judge.violations, "pods": len(self.fleet.pods)}


def _set(trouble: Trouble, wanted: Trouble) -> None:
    for name in Trouble.__slots__:
        setattr(trouble, name, getattr(wanted, name))


def _workload(pod: Pod) -> str:
    return "-".join(pod.key[1].split("-")[:2])


def _deployment(name: str) -> dict[str, Any]:
    labels = {"app": name, "scheme": name.split("-")[1]}
    container = {"name": "app", "image": "registry.example/app:1", "ports": [{"containerPort": PORT}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": MINIMUM, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def _autoscaler(name: str, authority: bytes) -> dict[str, Any]:
    strategy, scheme = name.split("-")
    source = {
        "metricSourceType": "pod",
        "protocolType": scheme,
        "port": str(PORT),
        "path": "/metrics",
        "targetMetric": "queue_length",
        "targetValue": f"{TARGET:g}",
        "intervalSeconds": 1,
    }
    if scheme == "https":
        source["tls"] = {"caBundle": base64.b64encode(authority).decode(), "serverName": NAME}
    rules = {"stabilizationWindowSeconds": 3, "tolerance": "0"}
    return {
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "scalingStrategy": strategy.upper(),
            "minReplicas": MINIMUM,
            "maxReplicas": MAXIMUM,
            "observeWindowSeconds": 6,
            "panicWindowSeconds": 2,
            "behavior": {"scaleUp": {**rules, "stabilizationWindowSeconds": 0}, "scaleDown": rules},
            "metricsSources": [source],
        },
    }


async def serve(kubeconfig: Path, seed: int, step: float) -> None:
    """Answer commands until there are no more."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with World(seed, step) as world:
        world.api.kubeconfig(kubeconfig)
        print(json.dumps({"ready": True}), flush=True)
        while line := await reader.readline():
            print(json.dumps(await _carried_out(world, line.decode().strip())), flush=True)


async def _carried_out(world: World, command: str) -> Any:
    match command:
        case "begin":
            return world.begin()
        case "hold":
            return await world.hold()
        case "restart":
            return await world.restart()
        case "calm":
            return await world.calm()
        case "report":
            return world.report()
        case "wait":
            return await world.led()
        case "leader":
            return world.judge.holder
    raise ValueError(command)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
