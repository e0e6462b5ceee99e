import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from podtide.kube import config, errors, objects, resources
from podtide.kube.client import Client
from podtide.local.faults import Fault
from podtide.local.server import ApiServer
from tests import cluster
from tests.garbage import none_left


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[ApiServer, Client]]:
    async with cluster.running(tmp_path, timeout=2.0) as running:
        yield running.api, running.client


async def test_creates_reads_patches_and_deletes(pair: tuple[ApiServer, Client]) -> None:
    _, client = pair
    made = await client.create(resources.DEPLOYMENTS, "default", cluster.deployment(), into=objects.Scalable)
    assert made.spec.replicas == 2
    body = {"metadata": {"resourceVersion": made.metadata.resourceVersion}, "spec": {"replicas": 5}}
    scale = await client.patch(resources.DEPLOYMENTS, "default", "web", body, into=objects.Scale, sub="scale")
    assert scale.spec.replicas == 5
    read = await client.get(resources.DEPLOYMENTS, "default", "web", into=objects.Scalable)
    assert read.spec.replicas == 5
    assert read.metadata.resourceVersion == scale.metadata.resourceVersion
    await client.delete(resources.DEPLOYMENTS, "default", "web")
    with pytest.raises(errors.NotFound) as gone:
        await client.get(resources.DEPLOYMENTS, "default", "web", into=objects.Scalable)
    assert gone.value.message == 'deployments.apps "web" not found'


async def test_a_stale_patch_is_a_conflict(pair: tuple[ApiServer, Client]) -> None:
    _, client = pair
    made = await client.create(resources.DEPLOYMENTS, "default", cluster.deployment(), into=objects.Scalable)
    body = {"metadata": {"resourceVersion": made.metadata.resourceVersion}, "spec": {"replicas": 5}}
    await client.patch(resources.DEPLOYMENTS, "default", "web", body, into=objects.Scale, sub="scale")
    body["spec"] = {"replicas": 6}
    with pytest.raises(errors.Conflict):
        await client.patch(resources.DEPLOYMENTS, "default", "web", body, into=objects.Scale, sub="scale")


async def test_lists_page_by_page(pair: tuple[ApiServer, Client], monkeypatch: pytest.MonkeyPatch) -> None:
    _, client = pair
    monkeypatch.setattr("podtide.kube.client._PAGE", 2)
    for number in range(5):
        await client.create(resources.PODS, "default", cluster.pod(f"web-{number}"), into=objects.Partial)
    found, version = await client.list(resources.PODS, into=objects.Partial)
    assert [item.metadata.name for item in found] == [f"web-{number}" for number in range(5)]
    assert int(version) > 0


async def test_a_short_retry_after_is_waited_out_once(pair: tuple[ApiServer, Client]) -> None:
    api, client = pair
    fault = api.faults.add(Fault(status=429, retry_after=0, times=1))
    found, _ = await client.list(resources.PODS, into=objects.Partial)
    assert (found, fault.hits) == ([], 1)


async def test_a_server_that_stays_busy_is_an_error(pair: tuple[ApiServer, Client]) -> None:
    api, client = pair
    with api.faults.during(Fault(status=429, retry_after=0)), pytest.raises(errors.TooManyRequests):
        await client.list(resources.PODS, into=objects.Partial)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, errors.Unauthorized), (403, errors.Forbidden), (500, errors.ServerError), (503, errors.ServerError)],
)
async def test_answers_that_are_no_success_raise(
    pair: tuple[ApiServer, Client], status: int, kind: type[errors.StatusError]
) -> None:
    api, client = pair
    with api.faults.during(Fault(status=status)), pytest.raises(kind):
        await client.list(resources.PODS, into=objects.Partial)


async def test_a_cut_connection_is_unreachable(pair: tuple[ApiServer, Client]) -> None:
    api, client = pair
    with api.faults.during(Fault(cut=True)), pytest.raises(errors.Unreachable, match=api.url):
        await client.list(resources.PODS, into=objects.Partial)


async def test_a_refused_connection_leaves_nothing_to_the_collector(tmp_path: Path) -> None:
    """An API server that restarts is asked often, and each answer would keep a request and its headers."""
    async with ApiServer() as api:
        kubeconfig = str(api.kubeconfig(tmp_path / "kubeconfig"))

    async def ask() -> None:
        with pytest.raises(errors.Unreachable):
            await client.list(resources.PODS, into=objects.Partial)

    async with Client(await config.load(kubeconfig)) as client:
        await ask()
        with none_left():
            await ask()


async def test_no_answer_in_time_is_unreachable(tmp_path: Path) -> None:
    async with cluster.running(tmp_path, timeout=0.05) as running:
        slow = running.api.faults.during(Fault(delay=0.5))
        with slow, pytest.raises(errors.Unreachable, match="no answer in time"):
            await running.client.list(resources.PODS, into=objects.Partial)


async def test_requests_are_observed(tmp_path: Path) -> None:
    seen: list[tuple[str, str, int]] = []

    def observe(verb: str, resource: str, code: int, seconds: float) -> None:
        seen.append((verb, resource, code))

    async with cluster.running(tmp_path, observe=observe) as running:
        await running.client.list(resources.PODS, into=objects.Partial)
        with pytest.raises(errors.NotFound):
            await running.client.get(resources.DEPLOYMENTS, "default", "ghost", into=objects.Partial)
    assert seen == [("GET", "pods", 200), ("GET", "deployments.apps", 404)]


async def test_many_requests_wait_their_turn(tmp_path: Path) -> None:
    async with cluster.running(tmp_path, qps=100.0, burst=1) as running:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(running.client.list(resources.PODS, into=objects.Partial) for _ in range(11)))
        # Ten of them had to wait for a token each; how much longer they took is the machine's business.
        assert loop.time() - began >= 0.099


async def test_tls_by_the_kubeconfigs_authority(tmp_path: Path) -> None:
    async with ApiServer(tls=True) as api:
        path = api.kubeconfig(tmp_path / "kubeconfig")
        async with Client(await config.load(str(path))) as client:
            found, _ = await client.list(resources.PODS, into=dict[str, Any])
    assert found == []


async def test_a_missing_kubeconfig_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigError, match="give --kubeconfig FILE, set KUBECONFIG"):
        await config.load(str(tmp_path / "nowhere"))


async def test_a_kubeconfig_that_is_none_says_why(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("clusters: 5")
    with pytest.raises(errors.ConfigError, match=str(path)):
        await config.load(str(path))


async def test_an_empty_kubeconfig_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("")
    with pytest.raises(errors.ConfigError, match="is empty"):
        await config.load(str(path))


@pytest.mark.parametrize(
    ("cluster", "user", "said"),
    [
        pytest.param({"certificate-authority-data": "Zm9v"}, {"token": "x"}, "certificate authority", id="authority"),
        pytest.param(
            {}, {"client-certificate-data": "Zm9v", "client-key-data": "Zm9v"}, "client certificate", id="client"
        ),
    ],
)
async def test_certificates_that_are_none_are_said_to_be_the_kubeconfigs(
    tmp_path: Path, cluster: dict[str, str], user: dict[str, str], said: str
) -> None:
    path = tmp_path / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443", **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path.write_text(json.dumps(content))
    with pytest.raises(errors.ConfigError, match=f"{path}.*its {said} is not usable"):
        await config.load(str(path))


async def test_a_cluster_without_a_token_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(errors.ConfigError, match="mount a token"):
        await config.load()
