"""What the whole controller records, beside the embedded API server and pods with real sockets."""

import asyncio
from pathlib import Path

import pytest

from podtide.api import decode, recording, settings
from podtide.api.recording import Begin, Tick
from podtide.control.app import App, Job
from podtide.core.model.spec import AutoscalerSpec
from podtide.kube.errors import ConfigError
from podtide.local.demo import World
from podtide.local.scenario import SCENARIOS
from podtide.sim import replay


def own(begin: Begin) -> AutoscalerSpec:
    decoded = decode.autoscaler(begin.manifest, begin.settings)
    assert decoded.spec is not None
    return decoded.spec


async def recorded(path: Path) -> list[Begin | Tick]:
    """A short demo, recorded."""
    async with World(SCENARIOS["burst"], 10.0) as world:
        kubeconfig = world.api.kubeconfig(path / "kubeconfig")
        chosen = settings.Settings(
            cluster=settings.Cluster(kubeconfig=str(kubeconfig)),
            serving=settings.Serving(metrics_host="127.0.0.1", metrics_port=0, health_port=0),
        )
        app = App(Job(chosen, record=path / "rec"))
        async with asyncio.TaskGroup() as group:
            group.create_task(app.run())
            await world.play()
            app.stop()
    with (path / "rec").open("rb") as lines:
        return list(recording.read(lines, "rec"))


async def test_a_recorded_demo_is_decided_alike_once_more(tmp_path: Path) -> None:
    entries = await recorded(tmp_path)
    steps = list(replay.replay(entries, own, is_other=False))
    assert {step.tick.autoscaler for step in steps} == {"llm/vllm", "kube-system/metrics-server"}
    assert len(steps) >= 6
    assert [step.why for step in steps if not step.is_same] == []
    assert any(step.tick.applied.outcome == "patched" for step in steps)
    assert any(step.tick.readings for step in steps)


async def test_a_recording_that_cannot_be_written_is_said_before_anything_is_started(tmp_path: Path) -> None:
    async with World(SCENARIOS["burst"], 10.0) as world:
        kubeconfig = world.api.kubeconfig(tmp_path / "kubeconfig")
        chosen = settings.Settings(cluster=settings.Cluster(kubeconfig=str(kubeconfig)))
        with pytest.raises(ConfigError, match="none/rec: No such file or directory; name a file that can be written"):
            await App(Job(chosen, record=tmp_path / "none" / "rec")).run()
