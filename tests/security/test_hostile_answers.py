"""What an endpoint that means no good can write: its own number, and a short line about its own failure."""

import logging
import re

import httpx
import pytest

from podtide.kube import resources
from podtide.telemetry import logs
from tests.e2e.manifests import autoscaler, workload
from tests.e2e.site import Site
from tests.net.scripted import Server, answer
from tests.security.conftest import Controlling, endpoint, is_bad

FORGED = '{"level": "error", "msg": "forged"}'
MARK = "hostilelabel"


def _many_series() -> bytes:
    """Ten thousand series of the wanted metric, by labels of the page's own making."""
    lines = [f'queue_length{{{MARK}_{number}="{MARK}-{"x" * 50}-{number}"}} 0.001' for number in range(10_000)]
    return answer("\n".join(lines).encode())


ANSWERS = {
    "reason": b"HTTP/1.1 500 " + b"boom" * 10_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "control": answer(b"queue_length 1\x1b[2J\x00\nqueue_length oops\x1b]0;owned\x07\n"),
    "line": answer(b'queue_length{a="' + b"y" * 1_000_000 + b"\n"),
    "name": answer("".join(f"queue_lengt{chr(97 + n % 26)}{'z' * 5000} 1\n" for n in range(100)).encode()),
    "body": answer(f"\r\n{FORGED}\r\n".encode() * 1000, status=f"503 {FORGED}"),
    "json": answer(b'{"error": "' + b"w" * 100_000 + b'"}'),
}
"""By the autoscaler that reads it."""


async def test_what_an_endpoint_answers_stays_short_and_on_one_line(
    site: Site, controlling: Controlling, capfd: pytest.CaptureFixture[str]
) -> None:
    before, level = logging.getLogger().handlers[:], logging.getLogger().level
    logs.setup("debug", "human")
    try:
        async with controlling(allowed=("127.77.0.0/16",)):
            for name, bytes_ in ANSWERS.items():
                await site.apply(resources.DEPLOYMENTS, workload(name))
                async with Server([bytes_], host="127.77.0.1") as server:
                    body = autoscaler(
                        name, name, metricsSources=[endpoint(f"http://127.77.0.1:{server.port}", path=f"/{name}")]
                    )
                    await site.apply(resources.AUTOSCALERS, body)
                    found = await site.until(resources.AUTOSCALERS, name, lambda found: is_bad(found["status"]))
                assert len(str(found["status"])) < 8_000, name
                for event in await site.events(name):
                    assert len(event["note"]) <= 1024
    finally:
        logging.getLogger().handlers[:] = before
        logging.getLogger().setLevel(level)
    printed = capfd.readouterr().err
    for line in printed.splitlines():
        assert len(line) < 2_000
        assert re.match(r"\d\d:\d\d:\d\d [A-Z]+ ", line), "an answer began a line of its own"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", printed), "an answer can speak to the terminal"


async def test_labels_of_a_page_become_no_series(site: Site, controlling: Controlling) -> None:
    await site.apply(resources.DEPLOYMENTS, workload("web"))
    async with Server([_many_series()], host="127.77.0.1") as server, controlling(allowed=("127.77.0.0/16",)) as app:
        body = autoscaler("web", "web", metricsSources=[endpoint(f"http://127.77.0.1:{server.port}")])
        await site.apply(resources.AUTOSCALERS, body)
        found = await site.until(resources.AUTOSCALERS, "web", lambda found: found["status"].get("lastDecision"))
        async with httpx.AsyncClient() as http:
            metrics = (await http.get(f"http://127.0.0.1:{app.ports[0]}/metrics")).text
    assert 'name="web"' in metrics
    assert MARK not in metrics
    assert MARK not in str(found["status"])
    assert len(metrics) < 100_000
