"""The simulator and the controller on one trace: a real worker, scaling a Deployment of the embedded API server.

Time is the simulator's. At each tick the server gets the pods that the simulated cluster has, and the worker the
readings that the simulated pods gave; it looks, decides and patches by itself. So everything is compared but the clock:
views from watches, decisions with each of their steps, and the counts that the patches leave behind.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from podtide.aio.clock import Clock
from podtide.api import summary
from podtide.control.report import Reporter
from podtide.control.worker import Worker
from podtide.core.memory import Memory
from podtide.core.model.decision import Applied, Decision
from podtide.core.model.reading import Reading
from podtide.core.model.spec import AutoscalerSpec
from podtide.core.model.view import TargetView
from podtide.kube import objects, resources
from podtide.sources.registry import Sources
from podtide.targets.registry import Targets
from podtide.telemetry.meters import Meters
from tests import cluster
from tests.cluster import Cluster
from tests.sim import tapes, worlds
from tests.targets.conftest import watching

LOAD = worlds.trace([2] * 16 + [14] * 30 + [3] * 44)
OURS = ("current", "desired", "action", "reason", "message", "metrics", "steps", "ready", "starting")
"""What is compared of two decisions."""


@dataclass
class Tick:
    """What the simulator saw and decided."""

    view: TargetView
    decision: Decision
    readings: list[Reading]


@dataclass
class Listener:
    """A reporter that keeps the last decision."""

    told: list[tuple[Decision, Applied]] = field(default_factory=list)

    def publish(self, decision: Decision, applied: Applied) -> None:
        self.told.append((decision, applied))


@dataclass
class Mirror:
    """The server's pods, made like the simulated ones."""

    world: Cluster
    owner: dict[str, Any]
    uids: dict[str, str] = field(default_factory=dict)
    """Simulated uid → the server's."""
    shown: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Simulated uid → phase and readiness."""

    async def follow(self, view: TargetView) -> None:
        """Create, make ready and delete until the server has what the view shows."""
        wanted = {pod.uid: pod for pod in view.pods if not pod.deleting}
        for uid in self.uids.keys() - wanted.keys():
            del self.uids[uid]
            await self.world.other.delete(resources.PODS, "default", uid)
        for uid, pod in wanted.items():
            if uid not in self.uids:
                self.uids[uid] = (await self.world.create(cluster.pod(uid, self.owner))).uid
            if self.shown.get(uid) != (pod.phase, pod.ready):
                self.shown[uid] = (pod.phase, pod.ready)
                condition = {"type": "Ready", "status": pod.ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}
                status = {"status": {"phase": pod.phase, "conditions": [condition]}}
                await self.world.other.patch(resources.PODS, "default", uid, status, into=objects.Partial, sub="status")

    def translated(self, reading: Reading) -> Reading:
        """The same reading of the server's pods."""
        values = {self.uids[uid]: value for uid, value in reading.values.items()}
        failures = {self.uids[uid]: why for uid, why in reading.failures.items()}
        return Reading(
            reading.metric,
            reading.at,
            values=values,
            expected=reading.expected,
            failures=failures,
            failure=reading.failure,
        )


def simulated(spec: AutoscalerSpec) -> list[Tick]:
    """Every tick of a simulation."""
    seen: list[Tick] = []
    readings: list[Reading] = []

    def tap(each: Reading | Decision | TargetView) -> None:
        if isinstance(each, TargetView):
            readings.clear()
            views.append(each)
        elif isinstance(each, Reading):
            readings.append(each)
        else:
            seen.append(Tick(views[-1], each, list(readings)))

    views: list[TargetView] = []
    # Now, as the server's pods are created now and a pod's age counts.
    worlds.scenario(LOAD, begin=Clock().now(), startup=8.0, lost=0.1).run(spec, tap=tap)
    return seen


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="KPA"),
        pytest.param({"scalingStrategy": "APA", "observeWindowSeconds": 20}, id="APA"),
        pytest.param(
            {"scalingStrategy": "HPA", "behavior": {"scaleDown": {"stabilizationWindowSeconds": 10}}}, id="HPA"
        ),
    ],
)
async def test_the_controller_decides_as_the_simulator(tmp_path: Path, fields: dict[str, Any]) -> None:
    written = tapes.manifest(**fields)
    written["spec"]["metricsSources"][0]["intervalSeconds"] = 2
    spec = tapes.spec(written)
    ticks = simulated(spec)
    assert len({tick.decision.desired for tick in ticks}) > 3, "the load must move the count, or nothing is compared"
    async with cluster.running(tmp_path) as world, watching(world) as informers:
        deployment = await world.create(cluster.deployment(replicas=ticks[0].view.replicas))
        above = cluster.owner("Deployment", "web", deployment.uid)
        made = await world.other.create(
            resources.REPLICA_SETS, "default", cluster.replica_set("web-1", above), into=objects.Partial
        )
        mirror = Mirror(world, cluster.owner("ReplicaSet", "web-1", made.metadata.uid))
        target = Targets(informers).for_spec(spec)
        listener = Listener()
        worker = Worker(
            spec,
            Memory(ticks[0].decision.at - spec.interval),
            target,
            cast(Sources, None),
            cast(Reporter, listener),
            may_write=lambda: True,
            clock=Clock(),
            meters=Meters(),
        )
        for tick in ticks:
            now = tick.decision.at
            await mirror.follow(tick.view)
            async with asyncio.timeout(10):
                while not _alike(await target.view(now), tick.view):
                    await asyncio.sleep(0.002)
            for reading in tick.readings:
                worker._readings.put(mirror.translated(reading))
            await worker.tick(now)
            decision, applied = listener.told[-1]
            assert _ours(decision) == _ours(tick.decision)
            assert applied.replicas == tick.decision.desired


def _alike(view: TargetView, simulated: TargetView) -> bool:
    """Whether the watches have brought everything."""
    ours, theirs = (
        {(pod.name, pod.phase, pod.ready) for pod in each.pods if not pod.deleting} for each in (view, simulated)
    )
    return view.failure is None and view.replicas == simulated.replicas and ours == theirs


def _ours(decision: Decision) -> dict[str, Any]:
    told = summary.summarise(decision)
    return {name: told[name] for name in OURS}
