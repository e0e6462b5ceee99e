"""What the pages show as output is what comes out, and the Python they show runs."""

import ast
import dataclasses
import re
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from podtide.api import decode, explain
from podtide.core.model.decision import Applied, Outcome
from podtide.core.model.spec import Key
from podtide.local import access, addons, faults, metrics, pods, server, workloads
from podtide.local.admission import Write
from tests.core.ticks import Loop
from tests.docs import blocks
from tests.docs.blocks import Block

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z")

MANIFEST = """
apiVersion: autoscaling.aibrix.ai/v1alpha1
kind: PodAutoscaler
metadata: {name: web, namespace: shop}
spec:
  scalingStrategy: KPA
  minReplicas: 1
  maxReplicas: 8
  observeWindowSeconds: 10
  panicWindowSeconds: 4
  metricsSources: [{metricSourceType: pod, port: "8000", targetMetric: go_threads, targetValue: "20"}]
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
"""


def test_the_readme_explains_as_the_command_does() -> None:
    (shown,) = (block for block in blocks.every() if block.text.startswith("$ podtide explain"))
    spec = decode.autoscaler(yaml.safe_load(MANIFEST)).spec
    assert spec is not None
    decision = Loop(spec, replicas=3).run(120, 48.0)
    told = explain.lines(decision, Applied(Outcome.UNCHANGED, 3), dataclasses.replace(spec, key=Key("", "web")))
    assert [_STAMP.sub("…", line) for line in shown.text.splitlines()[2:]] == [
        _STAMP.sub("…", line) for line in told[1:]
    ]


def of_page(name: str) -> list[Block]:
    return [block for block in blocks.every() if block.page.name == name and block.language == "python"]


async def test_the_python_of_the_embedded_server_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Block after block in one place, as a reader would paste them."""
    monkeypatch.chdir(tmp_path)
    first, making, *others = of_page("embedded-server.md")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    place: dict[str, Any] = {
        "page": b"# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 0\n",
        "context": context,
        "authority_pem": authority.cert_pem.bytes(),
        "clock": lambda: 1_700_000_000.0,
        "change": lambda pod: {**pod, "metadata": {**pod["metadata"], "labels": {"app": "web"}}},
        "path": tmp_path / "another",
        **{module.__name__.rpartition(".")[2]: module for module in (access, addons, faults, metrics, pods, server)},
        "workloads": workloads,
        "Write": Write,
    }
    await _run(first, place)
    assert (tmp_path / "kubeconfig").exists()
    async with server.ApiServer(tokens={"known": access.ADMIN}) as api, workloads.Controller(api.store):
        profile = pods.Profile(metrics.Template.plain("load"), port=8000, startup=0.0)
        async with pods.PodFleet(api.store, [profile]) as fleet:
            place |= {"api": api, "fleet": fleet}
            api.store.create(api.store.kind("v1", "namespaces"), "", {"metadata": {"name": "shop"}})
            for block in (making, *others):
                await _run(block, place)
    assert api.faults.active
    assert "rps" in api.metrics.custom


async def _run(block: Block, place: dict[str, Any]) -> None:
    text = block.text.replace("{...}", '{"containers": [{"name": "web", "image": "web:1"}]}')
    code = compile(text, str(block), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, place)  # noqa: S307  (our own documentation)
    if running is not None:
        await running
