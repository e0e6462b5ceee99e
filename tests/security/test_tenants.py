"""What a tenant who may write PodAutoscalers can reach through the whole controller: its own namespace, and no more."""

import base64
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from podtide.api import explain
from podtide.kube import resources
from podtide.telemetry import logs
from tests.e2e.manifests import autoscaler, source, workload
from tests.e2e.site import Site
from tests.net.scripted import Server, answer
from tests.security.conftest import CANARY, OTHERS, Controlling, Object, endpoint, is_bad, secret


async def refused(site: Site, name: str, *sources: Object, saying: str) -> Object:
    """What the object is told about its source, none of which may work."""
    body = autoscaler(name, "web", metricsSources=list(sources))
    await site.apply(resources.AUTOSCALERS, body)
    return await site.condition(name, "MetricsAvailable", "False", saying=saying)


async def test_no_endpoint_leads_to_the_controllers_own_corner(site: Site, controlling: Controlling) -> None:
    await site.load(web=5)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    assert site.api is not None
    async with Server([answer(b"queue_length 1000\n")], host="127.66.0.1") as corner, controlling():
        for number, host in enumerate(
            (
                f"127.66.0.1:{corner.port}",
                f"[::ffff:127.66.0.1]:{corner.port}",
                f"{0x7F420001}:{corner.port}",
                "169.254.169.254",
                "[fd00:ec2::254]",
                site.api.url.rpartition("//")[2],
            )
        ):
            name = f"web-{number}"
            await refused(site, name, endpoint(f"http://{host}"), saying="allowed endpoints")
            await site.delete(resources.AUTOSCALERS, name)
        assert corner.connections == 0
    assert (await site.get(resources.DEPLOYMENTS, "web"))["spec"]["replicas"] == 1


async def test_a_redirect_carries_neither_the_question_nor_the_credentials(
    site: Site, controlling: Controlling
) -> None:
    await site.load(web=5)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await secret(site, site.namespace, "login", token=f"mine-{CANARY}")
    async with Server([answer(b"queue_length 1000\n")], host="127.66.0.1") as corner:
        location = f"Location: http://127.66.0.1:{corner.port}/metrics\r\n".encode()
        moved = b"HTTP/1.1 302 Found\r\n" + location + b"Content-Length: 0\r\n\r\n"
        async with Server([moved], host="127.77.0.1") as mover, controlling(allowed=("127.77.0.0/16",)):
            auth = {"bearerTokenSecretRef": {"name": "login", "key": "token"}}
            url = f"http://127.77.0.1:{mover.port}"
            await refused(site, "web", endpoint(url, auth=auth), saying="redirect")
            assert CANARY.encode() in mover.requests[0]
        assert corner.connections == 0


@pytest.mark.parametrize("name", [f"../../{OTHERS}/secrets/theirs", f"{OTHERS}/theirs", "theirs"])
async def test_no_name_leads_to_a_secret_of_another_namespace(site: Site, controlling: Controlling, name: str) -> None:
    await site.load(web=5)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    auth = {"bearerTokenSecretRef": {"name": name, "key": "password"}}
    async with Server([answer(b"queue_length 1000\n")], host="127.77.0.1") as mine:
        async with controlling(allowed=("127.77.0.0/16",)):
            url = f"http://127.77.0.1:{mine.port}"
            body = autoscaler("web", "web", metricsSources=[endpoint(url, auth=auth)])
            await site.apply(resources.AUTOSCALERS, body)
            told = await site.until(resources.AUTOSCALERS, "web", lambda found: is_bad(found["status"]))
        assert CANARY not in str(told)
        assert not any(CANARY.encode() in request for request in mine.requests)


async def test_no_credential_shows_in_anything_that_is_written(
    site: Site, controlling: Controlling, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Logs at their loudest, events, statuses, metrics, the recording, the kept memory, `explain`: after success and
    after every kind of failure that has a credential at hand."""
    before = logging.getLogger().handlers[:]
    level = logging.getLogger().level
    logs.setup("debug", "json")
    try:
        written = await _everything(site, controlling, tmp_path)
    finally:
        logging.getLogger().handlers[:] = before
        logging.getLogger().setLevel(level)
    printed = capfd.readouterr()
    written |= {"stdout": printed.out, "stderr": printed.err}
    assert all(written[kind] for kind in ("stderr", "events", "statuses", "metrics", "recording", "explain", "kept"))
    coded = base64.b64encode(f"ada:{CANARY}".encode()).decode()
    for kind, text in written.items():
        for clear in (CANARY, base64.b64encode(CANARY.encode()).decode().rstrip("="), coded):
            assert clear not in text, f"{kind} shows a credential"


async def _everything(site: Site, controlling: Controlling, tmp_path: Path) -> dict[str, str]:
    await site.load(web=25)
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    await secret(
        site, site.namespace, "login", token=CANARY, username="ada", password=CANARY, broken=f"{CANARY}\n{CANARY}"
    )
    bearer = {"bearerTokenSecretRef": {"name": "login", "key": "token"}}
    header = {"headerSecretRef": {"header": "X-Key", "name": "login", "key": "broken"}}
    async with (
        Server([answer(b"queue_length 5\n")], host="127.77.0.1") as well,
        Server([answer(b"who is this?", status="401 Unauthorized")], host="127.77.0.1") as ill,
    ):
        sources = {
            "web": source(auth=bearer),
            "basic": endpoint(f"http://127.77.0.1:{well.port}", auth={"basicAuthSecretRef": {"name": "login"}}),
            "denied": endpoint(f"http://127.77.0.1:{ill.port}", auth=bearer),
            "broken": endpoint(f"http://127.77.0.1:{well.port}", auth=header),
            "inside": endpoint(f"http://ada:{CANARY}@127.77.0.1:{well.port}"),
        }
        async with controlling(allowed=("127.77.0.0/16",), record=tmp_path / "tape") as app:
            for name, one in sources.items():
                await site.apply(resources.DEPLOYMENTS, workload(f"{name}-work"))
                body = autoscaler(name, "web" if name == "web" else f"{name}-work", metricsSources=[one])
                await site.apply(resources.AUTOSCALERS, body)
            await site.replicas(resources.DEPLOYMENTS, "web", 4)
            for name in ("denied", "broken", "inside"):
                await site.until(resources.AUTOSCALERS, name, lambda found: is_bad(found["status"]))
            await site.until(resources.AUTOSCALERS, "basic", lambda found: found["status"].get("lastDecision"))
            assert CANARY.encode() in ill.requests[0]
            async with httpx.AsyncClient() as http:
                metrics = (await http.get(f"http://127.0.0.1:{app.ports[0]}/metrics")).text
    listed, _ = await site.client.list(resources.AUTOSCALERS, site.namespace, into=dict[str, Any])
    events, _ = await site.client.list(resources.EVENTS, site.namespace, into=dict[str, Any])
    kept, _ = await site.client.list(resources.CONFIG_MAPS, site.namespace, into=dict[str, Any])
    return {
        "metrics": metrics,
        "statuses": str([one["status"] for one in listed]),
        "explain": "\n".join(line for one in listed for line in explain.from_status(one["status"])),
        "events": str(events),
        "kept": str([one for one in kept if one["metadata"]["name"] != "load"]),
        "recording": _tapes(tmp_path),
    }


def _tapes(directory: Path) -> str:
    return "".join(path.read_bytes().decode("latin-1") for path in directory.glob("tape*"))
