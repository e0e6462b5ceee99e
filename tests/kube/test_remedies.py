"""What the API server refuses, and what a person is told to do about it; through a kubeconfig and the wire."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podtide.api import crd
from podtide.cli import main
from podtide.kube import config, kinds
from podtide.kube.client import Client
from podtide.kube.informers import Informers
from podtide.kube.watch import Pace
from podtide.local import access
from podtide.local.server import ApiServer

NO_CRD = "404 page not found; the CRD is not installed: podtide crd | kubectl apply --server-side -f -"
RENEW = "renew the token or certificate of the kubeconfig or service account"
RULES = "the rules that are needed are in config/rbac and in the chart"


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    """Knows root and eve, who may do nothing; has no CRD."""
    async with ApiServer(tokens={"root": access.ADMIN, "eve": access.User("eve")}) as server:
        yield server


def install(api: ApiServer) -> None:
    definitions = api.store.kind("apiextensions.k8s.io/v1", "customresourcedefinitions")
    api.store.create(definitions, "", crd.manifest())


@pytest.mark.parametrize(
    ("token", "installed", "expected"),
    [
        pytest.param("root", False, NO_CRD, id="no CRD"),
        pytest.param("root", True, '"web" not found; `kubectl get pas -A` lists those there are', id="no such object"),
        pytest.param("mallory", True, f"Unauthorized; {RENEW}", id="a token nobody knows"),
        pytest.param("eve", True, f'in the namespace "default"; {RULES}', id="no right"),
    ],
)
async def test_explain_says_what_to_do(
    api: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], token: str, expected: str, *, installed: bool
) -> None:
    if installed:
        install(api)
    path = api.kubeconfig(tmp_path / "kubeconfig", token=token)
    assert await asyncio.to_thread(main.main, ["explain", "web", "--kubeconfig", str(path)]) == 1
    assert capsys.readouterr().err.endswith(f"{expected}\n")


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        pytest.param("root", NO_CRD, id="no CRD"),
        pytest.param("mallory", RENEW, id="a token nobody knows"),
        pytest.param("eve", RULES, id="no right"),
    ],
)
async def test_a_watch_says_what_to_do(
    api: ApiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, token: str, expected: str
) -> None:
    caplog.set_level(logging.WARNING, "podtide.kube.watch")
    path = api.kubeconfig(tmp_path / "kubeconfig", token=token)
    async with Client(await config.load(str(path)), user_agent="test") as client, asyncio.TaskGroup() as group:
        informers = Informers(client, group, pace=Pace(watch=60.0, first_wait=0.01, longest_wait=0.02))
        cache = informers.cache(kinds.AUTOSCALERS)
        async with asyncio.timeout(10):
            while not caplog.messages:
                await asyncio.sleep(0)
        assert caplog.messages[0].startswith("cannot watch podautoscalers.autoscaling.aibrix.ai: ")
        assert caplog.messages[0].endswith(f"{expected}; trying again")
        if token == "root":
            # The CRD comes, and all is well without a restart.
            install(api)
            await asyncio.wait_for(cache.synced.wait(), 10)
        informers.stop()
