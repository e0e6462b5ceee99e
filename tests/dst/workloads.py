"""Deployments, their pods, and what the pods' pages say: a model of everything below the scale subresource."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from podtide.core.model.reading import Failure, Reason
from podtide.net import http, prepare, tls
from podtide.net.page import Ask, FetchedPage, Page
from tests.dst.apiserver import Server, Stored
from tests.dst.authorities import AUTHORITIES
from tests.dst.loop import CURRENT, Loop, Process

Object = dict[str, Any]

TROUBLES = (
    "dead",
    "hangs",
    "dns",
    "tls",
    "unauthorized",
    "error",
    "garbage",
    "nan",
    "infinite",
    "empty",
    "no metric",
    "half",
    "zero",
    "yesterday",
    "slow",
)
"""What can be wrong with a pod's page. `zero` and `yesterday` are lies that nobody can tell from the truth."""

_FAILURES = {
    "dead": Reason.CONNECT,
    "dns": Reason.CONNECT,
    "tls": Reason.TLS_EXPIRED,
}
_BODIES = {
    "garbage": b"\x00\xff<html>{{{ queue 1 2 3 4\nqueue{ 7\n",
    "nan": b"queue NaN\nother NaN\nwaiting NaN\n",
    "infinite": b"queue +Inf\nother -Inf\nwaiting +Inf\n",
    "empty": b"",
    "no metric": b"something_else 1\n",
}


@dataclass(eq=False, slots=True)
class Pod:
    """One pod."""

    name: str
    ip: str
    workload: "Workload"
    owner: str
    """The name of its ReplicaSet."""
    is_ready: bool = False
    is_leaving: bool = False
    trouble: str = ""
    uid: str = ""
    old: bytes = b""
    """Yesterday's page."""


@dataclass(eq=False, slots=True)
class Workload:
    """One Deployment, as the model runs it."""

    namespace: str
    name: str
    startup: tuple[float, float]
    """Seconds until a pod is ready: at least, at most."""
    load: dict[str, float] = field(default_factory=lambda: {"queue": 1.0, "other": 0.0})
    """Metric → the load of the whole, which the ready pods share."""
    pods: list[Pod] = field(default_factory=list)
    wanted: int = 0
    revision: int = 1
    is_due: bool = False
    wants_token: bool = False
    """Whether its pages are for those who show the namespace's token."""
    over_tls: bool = False
    """Whether its pages are served over TLS."""
    is_stuck: bool = False
    """Whether new pods do not become ready."""
    gateway: str = ""
    """What is wrong with what a gateway says of it."""

    def ready(self) -> list[Pod]:
        """Pods that take traffic."""
        return [pod for pod in self.pods if pod.is_ready and not pod.is_leaving]


Asked = Callable[[Process, Pod, Ask], None]
Told = Callable[[Process, Pod, float, dict[str, float] | None], None]
"""Told of each answer: who got it, of which pod, when it was asked, and the values; None for a failure."""


Heard = Callable[[Process, Workload, float, dict[str, float]], None]
"""Told of what a gateway has said: to whom, of which workload, when it was asked, and the values."""


class Cluster:
    """Every workload."""

    def __init__(self, loop: Loop, server: Server, rng: random.Random, stamp: Callable[[float], str]) -> None:
        self.workloads: dict[tuple[str, str], Workload] = {}
        self.by_ip: dict[str, Pod] = {}
        self.faults: dict[str, int] = {}
        self.asked: Asked = lambda process, pod, ask: None
        self.told: Told = lambda process, pod, at, values: None
        self.scrapes = 0
        self.token_number = 0
        self.authority = 0
        """Who has signed the certificates that the pods show."""
        self.heard: Heard = lambda process, workload, at, values: None
        self.leaked: Callable[[str], None] = lambda text: None
        self.cut: set[Process] = set()
        self._loop = loop
        self._server = server
        self._rng = rng
        self._stamp = stamp
        self._ips = 0
        server.listeners.append(self._changed)

    # --- the controllers of the cluster -------------------------------------------------------------------------------

    def add(self, workload: Workload, replicas: int) -> None:
        """Create a Deployment whose pods are up."""
        self.workloads[workload.namespace, workload.name] = workload
        labels = {"app": workload.name}
        self._server.create(
            "deployments",
            workload.namespace,
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": workload.name, "labels": labels},
                "spec": {"replicas": replicas, "selector": {"matchLabels": labels}},
                "status": {"replicas": 0},
            },
        )
        self._replica_set(workload)
        workload.wanted = replicas
        for _ in range(replicas):
            self._ready(self._start(workload))
        self._status(workload)

    def roll(self, workload: Workload) -> None:
        """A new version: every pod is replaced, with one more than asked for meanwhile."""
        workload.revision += 1
        self._replica_set(workload)
        self._replace_next(workload)

    def _replace_next(self, workload: Workload) -> None:
        current = f"{workload.name}-{workload.revision}"
        old = [pod for pod in workload.pods if pod.owner != current and not pod.is_leaving]
        if not old:
            return
        if len([pod for pod in workload.pods if not pod.is_leaving]) <= workload.wanted:
            self._start(workload)
        if len(workload.ready()) > workload.wanted or not workload.wanted:
            self.stop(old[0])
        self._loop.later(1.0 + 4.0 * self._rng.random(), self._replace_next, workload)

    def kill(self, pod: Pod) -> None:
        """A pod dies, and another takes its place."""
        self._gone(pod)
        self._due(pod.workload)

    def _changed(self, resource: str, kind: str, stored: Stored) -> None:
        if resource != "deployments" or kind == "DELETED":
            return
        metadata = stored.body["metadata"]
        workload = self.workloads.get((metadata["namespace"], metadata["name"]))
        replicas = stored.body["spec"].get("replicas", 1)
        if workload is not None and replicas != workload.wanted:
            workload.wanted = replicas
            self._due(workload)

    def _due(self, workload: Workload) -> None:
        if not workload.is_due:
            workload.is_due = True
            self._loop.later(0.05 + 0.2 * self._rng.random(), self._reconcile, workload)

    def _reconcile(self, workload: Workload) -> None:
        workload.is_due = False
        there = [pod for pod in workload.pods if not pod.is_leaving]
        for _ in range(workload.wanted - len(there)):
            self._start(workload)
        surplus = len(there) - workload.wanted
        if surplus > 0:
            there.sort(key=lambda pod: (pod.is_ready, pod.name))
            for pod in there[:surplus]:
                self.stop(pod)
        self._status(workload)

    def _replica_set(self, workload: Workload) -> None:
        deployment = self._server.get("deployments", workload.namespace, workload.name)
        if deployment is None:
            raise LookupError(workload.name)
        body: Object = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{workload.name}-{workload.revision}",
                "labels": {"app": workload.name},
                "ownerReferences": [_owner("Deployment", workload.name, deployment["metadata"]["uid"])],
            },
            "spec": {"replicas": 0},
        }
        self._server.create("replicasets", workload.namespace, body)

    def _start(self, workload: Workload) -> Pod:
        self._ips += 1
        owner = f"{workload.name}-{workload.revision}"
        replica_set = self._server.get("replicasets", workload.namespace, owner)
        if replica_set is None:
            raise LookupError(owner)
        name = f"{owner}-{self._ips:04d}"
        pod = Pod(name, f"10.{self._ips >> 16}.{self._ips >> 8 & 255}.{self._ips & 255}", workload, owner)
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "labels": {"app": workload.name},
                "ownerReferences": [_owner("ReplicaSet", owner, replica_set["metadata"]["uid"])],
            },
            "spec": {"containers": [{"name": "app", "ports": [{"containerPort": 8000}]}]},
            "status": {"phase": "Pending"},
        }
        pod.uid = self._server.create("pods", workload.namespace, body)["metadata"]["uid"]
        workload.pods.append(pod)
        self.by_ip[pod.ip] = pod
        low, high = workload.startup
        if not workload.is_stuck:
            self._loop.later(low + (high - low) * self._rng.random(), self._ready, pod)
        return pod

    def _ready(self, pod: Pod) -> None:
        if pod.is_leaving or pod.is_ready or pod not in pod.workload.pods:
            return
        pod.is_ready = True
        pod.old = self._page(pod)
        now = self._stamp(self._loop.now)
        status = {
            "phase": "Running",
            "podIP": pod.ip,
            "startTime": now,
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}],
        }
        self._server.set_status("pods", pod.workload.namespace, pod.name, status)
        self._status(pod.workload)

    def unstick(self, workload: Workload) -> None:
        """Pods that hung while they started become ready."""
        workload.is_stuck = False
        for pod in workload.pods:
            if not pod.is_ready:
                self._loop.later(1.0 + self._rng.random(), self._ready, pod)

    def stop(self, pod: Pod) -> None:
        """A pod is told to end, and takes a while."""
        if pod.is_leaving:
            return
        pod.is_leaving = True
        at = self._stamp(self._loop.now + 30)
        self._server.change("pods", pod.workload.namespace, pod.name, {"metadata": {"deletionTimestamp": at}})
        self._loop.later(1.0 + 10.0 * self._rng.random(), self._gone, pod)

    def _gone(self, pod: Pod) -> None:
        if pod in pod.workload.pods:
            pod.workload.pods.remove(pod)
            self.by_ip.pop(pod.ip, None)
            self._server.delete("pods", pod.workload.namespace, pod.name)
            self._status(pod.workload)

    def _status(self, workload: Workload) -> None:
        body = self._server.get("deployments", workload.namespace, workload.name)
        there = len([pod for pod in workload.pods if not pod.is_leaving])
        if body is not None and (body.get("status") or {}).get("replicas") != there:
            self._server.set_status("deployments", workload.namespace, workload.name, {"replicas": there})

    # --- the pods' pages ---------------------------------------------------------------------------------------------

    def token(self, namespace: str) -> str:
        """What the pods of a namespace want to see now."""
        return f"s3cret-{namespace}-{self.token_number}"

    def _is_welcome(self, pod: Pod, ask: Ask) -> bool:
        shown = next((value for name, value in ask.headers if name.lower() == "authorization"), "")
        if "s3cret" in shown and pod.workload.namespace not in shown:
            self.leaked(f"{pod.name} of {pod.workload.namespace} is shown {shown}")
        return not pod.workload.wants_token or shown == f"Bearer {self.token(pod.workload.namespace)}"

    def _is_trusted(self, pod: Pod, ask: Ask) -> bool:
        """Whether the certificate that the pod shows passes, in so far as anybody looks at it."""
        if not pod.workload.over_tls:
            return ask.context is None
        if not isinstance(ask.context, tls.Context) or not ask.context.material.verify:
            self.leaked(f"{pod.name} is asked without a look at its certificate")
            return True
        shown = AUTHORITIES[self.authority].encode()
        return any(known.content == shown for known in ask.context.material.authorities)

    def _page(self, pod: Pod) -> bytes:
        share = max(1, len(pod.workload.ready()))
        return b"".join(b"%s %r\n" % (name.encode(), load / share) for name, load in pod.workload.load.items())

    def carrier(self, process: Process) -> "Carrier":
        """How one process reaches the pods."""
        return Carrier(self, process)

    def outside(self, process: Process) -> "Gateway":
        """How one process reaches what is no pod."""
        return Gateway(self, process)

    async def gateway(self, process: Process, url: str, timeout: float) -> FetchedPage | Failure:
        """What a gateway says of a workload, or why it does not."""
        loop, rng = self._loop, self._rng
        _, namespace, name = url.rsplit("/", 2)
        workload, asked = self.workloads[namespace, name], loop.now
        late = 0.001 + 0.01 * rng.random()
        if workload.gateway:
            self.faults[f"gateway {workload.gateway}"] = self.faults.get(f"gateway {workload.gateway}", 0) + 1
        if workload.gateway == "hangs" or process in self.cut:
            await asyncio.sleep(timeout)
            return Failure(Reason.TIMEOUT, f"{url}: made up")
        await asyncio.sleep(late)
        trouble = workload.gateway
        if trouble in _FAILURES:
            return Failure(_FAILURES[trouble], f"{url}: made up")
        body = _BODIES.get(trouble)
        if body is None:
            waiting = 0.0 if trouble == "zero" else workload.load["queue"]
            body = b"waiting %r\n" % waiting
            if trouble != "error":
                self.heard(process, workload, asked, {"waiting": waiting})
        return FetchedPage(500 if trouble == "error" else 200, "text/plain", body, late)

    def request(self, process: Process, ask: Ask, timeout: float, done: Callable[[Ask, Page | Failure], None]) -> None:
        """One scrape."""
        self.scrapes += 1
        loop = self._loop
        pod = self.by_ip.get(ask.host)
        late = 0.001 + 0.01 * self._rng.random()
        trouble = "dead" if pod is None else pod.trouble
        if process in self.cut:
            trouble = "hangs"
        if pod is not None:
            self.asked(process, pod, ask)
        if trouble == "slow":
            late = timeout * 1.5 * self._rng.random()
        if trouble == "hangs" or late > timeout:
            loop.call_later(timeout, self._fail, process, pod, ask, Reason.TIMEOUT, done, loop.now)
        elif pod is not None and not self._is_trusted(pod, ask):
            loop.call_later(late, self._fail, process, pod, ask, Reason.TLS_UNTRUSTED, done, loop.now)
        elif trouble in _FAILURES or pod is None:
            loop.call_later(late, self._fail, process, pod, ask, _FAILURES[trouble], done, loop.now)
        else:
            loop.call_later(late, self._answer, process, pod, ask, done, late, loop.now)
        if trouble:
            self.faults[f"pod {trouble}"] = self.faults.get(f"pod {trouble}", 0) + 1

    def _fail(
        self,
        process: Process,
        pod: Pod | None,
        ask: Ask,
        reason: Reason,
        done: Callable[[Ask, Page | Failure], None],
        asked: float,
    ) -> None:
        if pod is not None:
            self.told(process, pod, asked, None)
        done(ask, Failure(reason, f"{ask}: made up"))

    def _answer(
        self,
        process: Process,
        pod: Pod,
        ask: Ask,
        done: Callable[[Ask, Page | Failure], None],
        late: float,
        asked: float,
    ) -> None:
        trouble = pod.trouble
        if pod not in pod.workload.pods:
            self._fail(process, pod, ask, Reason.CONNECT, done, asked)
            return
        is_refused = trouble == "unauthorized" or not self._is_welcome(pod, ask)
        status = 500 if trouble == "error" else 401 if is_refused else 200
        body = _BODIES.get(trouble)
        values: dict[str, float] | None = None
        if body is None and status == 200:
            if trouble == "zero":
                body = b"queue 0\nother 0\n"
            elif trouble == "yesterday":
                body = pod.old
            else:
                body = self._page(pod)
            if trouble == "half":
                body = body.splitlines(keepends=True)[0]
            values = {name: float(value) for name, value in (line.split() for line in body.decode().splitlines())}
        self.told(process, pod, asked, values)
        done(ask, Page(status, "text/plain", memoryview(body or b""), late))


class Carrier:
    """What `sources.pool` asks pods through, in place of the engine."""

    def __init__(self, cluster: Cluster, process: Process) -> None:
        self._cluster = cluster
        self._process = process

    def request(self, ask: Ask, timeout: float, done: Callable[[Ask, Page | Failure], None]) -> None:
        """As `net.engine.Engine.request`."""
        self._cluster.request(self._process, ask, timeout, done)

    def expect(self, ask: Ask) -> None:
        """There is no connection to keep."""

    def forget(self, ask: Ask) -> None:
        """There is no connection to close."""

    async def aclose(self) -> None:
        """Nothing is open."""


class Gateway:
    """Stands where `net.http.Client` does, for one process."""

    def __init__(self, cluster: Cluster, process: Process) -> None:
        self._cluster = cluster
        self._process = process

    async def get(
        self,
        url: str,
        way: prepare.Prepared,
        timeout: float,
        *,
        params: Mapping[str, str] | None = None,
        owner: str = "",
    ) -> FetchedPage | Failure:
        """As the original."""
        return await self._cluster.gateway(self._process, http.ask_for(url, way).path, timeout)

    async def aclose(self) -> None:
        """Nothing is open."""


def current() -> Process:
    """The process whose code runs; an error from the world's own."""
    process = CURRENT.get()
    if process is None:
        raise LookupError("no process is running")
    return process


def _owner(kind: str, name: str, uid: str) -> Object:
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": True}
