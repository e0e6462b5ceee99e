"""Simulated nodes: every pod in the store starts, serves metrics on an address of its own, and stops with grace.

The demo and the tests run one `PodFleet` beside an `ApiServer`; it plays scheduler, kubelet and the containers.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from podtide.local import briefs, kubelet, listeners, metrics
from podtide.local.admission import Write
from podtide.local.listeners import Addresses, Listener, Site, Trouble
from podtide.local.loads import Load
from podtide.local.refusals import Object
from podtide.local.rounds import Rounds
from podtide.local.store import Store
from podtide.local.versions import Change, Key


@dataclass(frozen=True, slots=True)
class Profile:
    """How the pods of some workloads behave."""

    template: metrics.Template
    port: int
    path: str = "/metrics"
    labels: Mapping[str, str] = field(default_factory=dict)
    """The labels a pod must have for this profile; the first profile that fits is taken."""

    tls: ssl.SSLContext | None = None
    """Serves HTTPS with this context."""

    startup: float = 2.0
    """Seconds from creation until a pod listens and is ready."""

    listens_at_once: bool = False
    """Whether it answers scrapes before it is ready."""

    shutdown: float = 0.5
    """Seconds from deletion until it is gone; never more than its grace period."""

    media: str = listeners.TEXT
    chunked: bool = False
    """Whether pages come in chunks, as from uvicorn."""


@dataclass(slots=True)
class Pod:
    """One running pod."""

    key: Key
    uid: str
    profile: Profile
    load: Load
    trouble: Trouble
    """How it misbehaves; a test changes it in place."""

    ip: str = ""
    listener: Listener | None = None
    ready_at: float | None = None
    scrapes: int = 0
    """How often its page was asked for."""

    starting: asyncio.Task[None] | None = None
    ending: asyncio.TimerHandle | None = None
    _before: float = 0.0

    @property
    def share(self) -> float:
        """Its part of the load now."""
        return 0.0 if self.ready_at is None else self.load.share

    @property
    def served(self) -> float:
        """What it has served since it was ready."""
        return 0.0 if self.ready_at is None else self.load.integral - self._before

    @property
    def age(self) -> float:
        """Seconds since it was ready."""
        return 0.0 if self.ready_at is None else self.load.now() - self.ready_at

    def begin(self) -> None:
        """Takes part in the load from now on."""
        self.load.join(self.uid)
        self.ready_at, self._before = self.load.now(), self.load.integral

    def asked(self) -> None:
        """Counts a scrape."""
        self.scrapes += 1


class PodFleet:
    """Runs the store's pods; an async context."""

    def __init__(
        self,
        store: Store,
        profiles: Sequence[Profile],
        *,
        nodes: int = 3,
        first: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Pods that fit no profile run without a listener. `first` is where addresses begin: 127.`first`.0.1."""
        self.pods: dict[str, Pod] = {}
        """Every running pod by uid."""
        self._store = store
        self._profiles = profiles
        self._nodes = nodes
        self._now = now
        self._addresses = Addresses(os.getpid() if first is None else first - 1)
        self._kind = store.kind("v1", "pods")
        self._loads: dict[Key, Load] = {}
        self._rounds: Rounds[Key] = Rounds(self._look)
        self._started = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._unlisten = self._store.collection(self._kind).listen(self._see)
        for stored in self._store.collection(self._kind).current():
            self._rounds.add(stored.key)
        self._task = asyncio.create_task(self._rounds.run(), name="pod fleet")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._unlisten()
        tasks = [pod.starting for pod in self.pods.values() if pod.starting is not None]
        if self._task is not None:
            self._task.cancel()
            tasks.append(self._task)
        for pod in list(self.pods.values()):
            self._stop(pod)
        await asyncio.wait(tasks)

    def load(self, namespace: str, workload: str) -> Load:
        """The load of a workload, by the name of its Deployment, StatefulSet or other top owner (or of a bare pod)."""
        return self._loads.setdefault((namespace, workload), Load(self._now))

    def set_load(self, namespace: str, workload: str, total: float) -> None:
        """Sets what a workload has to carry; its ready pods share it from now on."""
        self.load(namespace, workload).set(total)

    def of(self, namespace: str, workload: str) -> list[Pod]:
        """The running pods of a workload."""
        load = self.load(namespace, workload)
        return [pod for pod in self.pods.values() if pod.load is load]

    def _see(self, change: Change) -> None:
        stored = change.after or change.before
        if stored is not None:
            self._rounds.add(stored.key)
            if change.after is None and stored.uid in self.pods:
                self._stop(self.pods[stored.uid])

    def _look(self, key: Key) -> None:
        stored = self._store.collection(self._kind).items.get(key)
        if stored is None:
            return
        pod = self.pods.get(stored.uid)
        if pod is None:
            self._start(stored.read())
        elif b'"deletionTimestamp"' in stored.data:
            self._end(pod, stored.read())

    def _start(self, body: Object) -> None:
        metadata = body["metadata"]
        if "deletionTimestamp" in metadata or (body.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return
        labels = metadata.get("labels") or {}
        profile = next((p for p in self._profiles if p.labels.items() <= labels.items()), None)
        if profile is None:
            return
        workload = self._workload(body)
        key = (metadata["namespace"], metadata["name"])
        pod = Pod(key, metadata["uid"], profile, self.load(metadata["namespace"], workload), Trouble())
        self.pods[pod.uid] = pod
        pod.starting = asyncio.create_task(self._run(pod), name=f"start pod {key[0]}/{key[1]}")

    def _workload(self, body: Object) -> str:
        """The name of the top owner."""
        owner = briefs.controller(body)
        if owner is None:
            return str(body["metadata"]["name"])
        if owner["kind"] == "ReplicaSet":
            kind = self._store.kind("apps/v1", "replicasets")
            found = self._store.collection(kind).items.get((body["metadata"]["namespace"], owner["name"]))
            above = briefs.controller(found.read()) if found else None
            if above is not None:
                return str(above["name"])
        return str(owner["name"])

    async def _run(self, pod: Pod) -> None:
        """A pod's way from created to ready."""
        profile = pod.profile
        try:
            listener = await self._bound(pod)
        except OSError as error:
            # Out of file descriptors, or a port below 1024: the pod stays where a real one would, and says why.
            self._write(pod, kubelet.stuck(str(error)), "status")
            return
        pod.listener = listener
        self._started += 1
        self._write(pod, kubelet.bound(f"node-{self._started % self._nodes}"))
        self._write(pod, kubelet.running(pod.ip, self._store.now()), "status")
        if profile.listens_at_once:
            await listener.serve()
        await asyncio.sleep(profile.startup)
        await listener.serve()
        pod.begin()
        self._write(pod, kubelet.ready(self._store.now()), "status")

    async def _bound(self, pod: Pod) -> Listener:
        """An address and socket of the pod's own."""
        profile = pod.profile
        render = partial(profile.template.render, pod)
        site = Site(profile.path, render, pod.trouble, pod.asked, profile.media, profile.chunked)
        while True:
            pod.ip = self._addresses.take()
            try:
                return await listeners.bind(pod.ip, profile.port, site, profile.tls)
            except OSError as error:
                # Another process's fleet may have the address; the next one is as good.
                if error.errno != errno.EADDRINUSE:
                    raise

    def _end(self, pod: Pod, body: Object) -> None:
        """Stops a deleted pod after its shutdown time, which its grace period bounds."""
        if pod.ending is not None:
            return
        pod.load.leave(pod.uid)
        grace = body["metadata"].get("deletionGracePeriodSeconds", 0)
        delay = min(pod.profile.shutdown, grace)
        pod.ending = asyncio.get_running_loop().call_later(delay, self._gone, pod)

    def _gone(self, pod: Pod) -> None:
        namespace, name = pod.key
        self._stop(pod)
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}}
        self._store.delete(self._kind, namespace, name, options)

    def _stop(self, pod: Pod) -> None:
        self.pods.pop(pod.uid, None)
        pod.load.leave(pod.uid)
        if pod.starting is not None:
            pod.starting.cancel()
        if pod.ending is not None:
            pod.ending.cancel()
        if pod.listener is not None:
            pod.listener.close()
            pod.listener = None
            self._addresses.give(pod.ip)

    def _write(self, pod: Pod, change: Callable[[Object], Object], sub: str = "") -> None:
        self._store.patch(self._kind, pod.key[0], pod.key[1], change, Write("kubelet", sub=sub))
