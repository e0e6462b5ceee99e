"""What the embedded cluster costs: pods started, lists, watches, writes. `python -m benchmarks.embedded [PODS]`."""

from __future__ import annotations

import argparse
import asyncio
import resource
import time
from typing import Any

import aiohttp

from podtide.local import metrics
from podtide.local.pods import PodFleet, Profile
from podtide.local.server import ApiServer
from podtide.local.workloads import Controller

_PER_WORKLOAD = 10
_WATCHERS = 20
_WRITES = 1000


def _workload(name: str) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "x", "ports": [{"containerPort": 8000}]}]},
    }
    spec = {"replicas": _PER_WORKLOAD, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"metadata": {"name": name}, "spec": spec}


def _told(what: str, count: int, began: tuple[float, float]) -> None:
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    print(f"{what:<42} {wall * 1000:9.1f} ms wall {cpu * 1e6 / count:9.1f} µs CPU each")


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


async def _pods(api: ApiServer, fleet: PodFleet, count: int) -> None:
    kind = api.store.kind("apps/v1", "deployments")
    began = _now()
    for number in range(count // _PER_WORKLOAD):
        api.store.create(kind, "default", _workload(f"w{number}"))
    changed = asyncio.Event()
    unlisten = api.store.listen(lambda storage, change: changed.set())
    while sum(pod.ready_at is not None for pod in fleet.pods.values()) < count:
        await changed.wait()
        changed.clear()
    unlisten()
    _told(f"{count} pods created, listening, ready", count, began)


async def _follow(http: aiohttp.ClientSession, revision: int) -> None:
    async with http.get(f"/api/v1/pods?watch=true&resourceVersion={revision}") as answer:
        left = _WRITES
        async for chunk in answer.content.iter_any():
            left -= chunk.count(b"\n")
            if left <= 0:
                return


async def _watches(api: ApiServer, fleet: PodFleet, http: aiohttp.ClientSession) -> None:
    kind = api.store.kind("v1", "pods")
    following = [asyncio.create_task(_follow(http, api.store.revision)) for _ in range(_WATCHERS)]
    await asyncio.sleep(0.5)
    keys = [pod.key for pod in fleet.pods.values()]
    began = _now()
    for number in range(_WRITES):

        def change(body: dict[str, Any], number: int = number) -> dict[str, Any]:
            body["metadata"].setdefault("annotations", {})["number"] = str(number)
            return body

        namespace, name = keys[number % len(keys)]
        api.store.patch(kind, namespace, name, change)
        await asyncio.sleep(0)
    await asyncio.gather(*following)
    _told(f"{_WRITES} pod writes to {_WATCHERS} watchers (with clients)", _WRITES, began)


async def _http(http: aiohttp.ClientSession, count: int) -> None:
    began = _now()
    async with http.get("/api/v1/pods") as answer:
        size = len(await answer.read())
    _told(f"list of {count} pods, {size / 1e6:.1f} MB (with client)", count, began)
    headers = {"Content-Type": "application/merge-patch+json"}
    began = _now()
    for number in range(_WRITES):
        path = "/apis/apps/v1/namespaces/default/deployments/w0/scale"
        async with http.patch(path, json={"spec": {"replicas": 10 + number % 2}}, headers=headers) as answer:
            await answer.read()
    _told("scale patches, each starting or ending a pod", _WRITES, began)


async def _main(count: int) -> None:
    profile = Profile(metrics.Template.plain("load"), 8000, startup=0.0, shutdown=0.0)
    async with ApiServer() as api, Controller(api.store) as controller, PodFleet(api.store, [profile]) as fleet:
        del controller
        await _pods(api, fleet, count)
        await asyncio.sleep(0.5)
        async with aiohttp.ClientSession(api.url) as http:
            await _watches(api, fleet, http)
            await _http(http, count)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, server and clients")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pods", type=int, nargs="?", default=1000)
    asyncio.run(_main(parser.parse_args().pods))
