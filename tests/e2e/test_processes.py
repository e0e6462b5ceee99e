"""Controllers as processes: told to end, paused, cut off, started without an API server."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from podtide.kube import resources
from podtide.local.faults import Fault, Incoming
from tests.e2e.manifests import autoscaler, workload
from tests.e2e.processes import podtide
from tests.e2e.site import Site

pytestmark = pytest.mark.e2e

QUICK = ("--lease-duration", "3", "--renew-deadline", "2", "--retry-period", "0.3")


class Patches(Fault):
    """Hits nothing, and notes who patches scales."""

    def __init__(self) -> None:
        super().__init__()
        self.agents: list[str] = []

    def matches(self, request: Incoming) -> bool:
        if (request.verb, request.sub) == ("patch", "scale"):
            self.agents.append(request.agent)
        return False


async def holder(site: Site) -> str:
    lease = await site.get(resources.LEASES, "podtide")
    return str(lease["spec"].get("holderIdentity") or "")


async def held_by(site: Site, *names: str) -> str:
    """Wait until the Lease is held by one of these; returns which."""
    found: Any = {}
    async with asyncio.timeout(site.patience):
        while True:
            found = await holder(site) if await _has_lease(site) else ""
            for name in names:
                if found.startswith(name):
                    return name
            await asyncio.sleep(0.05)


async def _has_lease(site: Site) -> bool:
    listed, _ = await site.client.list(resources.LEASES, site.namespace, into=dict[str, Any])
    return any(lease["metadata"]["name"] == "podtide" for lease in listed)


async def test_sigterm_finishes_the_patch_in_flight_and_releases_the_lease(site: Site, tmp_path: Path) -> None:
    if site.api is None:
        pytest.skip("a real API server cannot be asked to be slow")
    await site.load(web=5)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web"))
    slow = site.api.faults.add(Fault(agent="podtide", verbs=("patch",), sub="scale", delay=0.7))
    async with podtide(site, tmp_path, "one", *QUICK) as process:
        await site.condition("web", "ScalingActive", "True")
        await site.load(web=50)
        async with asyncio.timeout(20):
            while not slow.hits:
                await asyncio.sleep(0.02)
        process.send(signal.SIGTERM)
        assert await process.ended(within=10) == 0, process.log.read_text()
    assert (await site.get(resources.DEPLOYMENTS, "web"))["spec"]["replicas"] > 1
    assert (await site.get(resources.AUTOSCALERS, "web"))["status"]["lastScaleTime"]
    assert await holder(site) == ""
    leases, _ = await site.client.list(resources.LEASES, site.namespace, into=dict[str, Any])
    assert [lease["metadata"]["name"] for lease in leases] == ["podtide"]
    assert slow.hits == 1


async def test_a_paused_process_writes_nothing_when_it_wakes(site: Site, tmp_path: Path) -> None:
    if site.api is None:
        pytest.skip("who patches is only seen on the embedded server")
    patches = Patches()
    site.api.faults.add(patches)
    await site.load(web=5)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await site.apply(resources.AUTOSCALERS, autoscaler("web", "web"))
    async with podtide(site, tmp_path, "one", *QUICK) as one, podtide(site, tmp_path, "two", *QUICK) as two:
        processes = {"one": one, "two": two}
        paused = await held_by(site, "one", "two")
        other = "two" if paused == "one" else "one"
        await site.condition("web", "ScalingActive", "True")
        await site.load(web=50)
        processes[paused].send(signal.SIGSTOP)
        assert await held_by(site, other) == other
        await site.replicas(resources.DEPLOYMENTS, "web", 4)
        before = len(patches.agents)
        assert f"({other}-" in patches.agents[-1]
        await site.load(web=0)
        processes[paused].send(signal.SIGCONT)
        await processes[paused].said("no longer holding lease podtide")
        await site.replicas(resources.DEPLOYMENTS, "web", 1)
        assert all(f"({other}-" in agent for agent in patches.agents[before:])
        for process in processes.values():
            process.send(signal.SIGTERM)
            assert await process.ended(within=10) == 0, process.log.read_text()


async def test_without_an_api_server_it_says_so_and_ends_when_told(site: Site, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    _point_nowhere(Path(site.kubeconfig), nowhere)
    async with podtide(site, tmp_path, "one", "--kubeconfig", str(nowhere)) as process:
        log = await process.said("cannot watch podautoscalers.autoscaling.aibrix.ai")
        assert "127.0.0.1:9" in log
        assert "trying again" in log
        process.send(signal.SIGTERM)
        assert await process.ended(within=10) == 0, process.log.read_text()


def _point_nowhere(kubeconfig: Path, copy: Path) -> None:
    body = yaml.safe_load(kubeconfig.read_text())
    for entry in body["clusters"]:
        entry["cluster"]["server"] = "http://127.0.0.1:9"
    copy.write_text(yaml.safe_dump(body))
