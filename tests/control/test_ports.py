"""Where the controller serves its metrics and probes."""

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest

from podtide.api import settings
from podtide.control.app import App, Job
from podtide.local.server import ApiServer
from tests import cluster


def free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.parametrize(
    ("metrics", "health", "ports"),
    [
        pytest.param(True, True, 2, id="two ports"),
        pytest.param(False, True, 2, id="any port for metrics leaves the probes theirs"),
        pytest.param(True, False, 2, id="any port for the probes"),
        pytest.param(False, False, 1, id="any port for both"),
    ],
)
async def test_metrics_and_probes_are_served(tmp_path: Path, *, metrics: bool, health: bool, ports: int) -> None:
    async with cluster.running(tmp_path):
        asked = [free() if metrics else 0, free() if health else 0]
        serving = settings.Serving(metrics_host="127.0.0.1", metrics_port=asked[0], health_port=asked[1])
        where = settings.Cluster(kubeconfig=str(tmp_path / "kubeconfig"))
        app = App(Job(settings.Settings(cluster=where, serving=serving)))
        async with asyncio.timeout(20), asyncio.TaskGroup() as group, aiohttp.ClientSession() as session:
            group.create_task(app.run())
            while not app.ports:
                await asyncio.sleep(0.01)
            assert len(app.ports) == ports
            assert {port for port in asked if port} <= set(app.ports)
            for port in app.ports:
                for page in ("metrics", "livez"):
                    async with session.get(f"http://127.0.0.1:{port}/{page}") as response:
                        assert response.status == 200
            app.stop()


@pytest.mark.parametrize(
    ("host", "taken", "advice"),
    [
        pytest.param("127.0.0.1", "metrics_port", "Address already in use; give another --metrics-port", id="metrics"),
        pytest.param("127.0.0.1", "health_port", "Address already in use; give another --health-port", id="probes"),
        pytest.param("192.0.2.1", "", "Cannot assign requested address; give another --metrics-host", id="the address"),
    ],
)
async def test_what_to_give_where_nothing_can_be_served(tmp_path: Path, host: str, taken: str, advice: str) -> None:
    api = ApiServer()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = {"metrics_port": 0, "health_port": free()} | ({taken: other.getsockname()[1]} if taken else {})
        serving = settings.Serving(metrics_host=host, **ports)
        async with api:
            where = settings.Cluster(kubeconfig=str(api.kubeconfig(tmp_path / "kubeconfig")))
            with pytest.raises(OSError, match=advice):
                await App(Job(settings.Settings(cluster=where, serving=serving))).run()
