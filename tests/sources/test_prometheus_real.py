"""Queries against the real Prometheus, where it is installed (Debian: `apt-get install prometheus`)."""

import asyncio
import contextlib
import random
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from podtide.aio.mailbox import Mailbox
from podtide.core.model import spec
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.net import auth, page, prepare
from podtide.sources import registry
from tests.net.authority import Authority
from tests.sources.specs import autoscaler, metric, target

PROGRAM = shutil.which("prometheus")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(PROGRAM is None, reason="prometheus is not installed; on Debian: apt-get install prometheus"),
]


@dataclass
class Prometheus:
    """A server that runs for these tests."""

    url: str
    http: spec.Http


@contextlib.asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Prometheus]:
    """Prometheus with TLS, without anything to scrape, ready to answer."""
    assert PROGRAM is not None
    authority = Authority()
    leaf = authority.issue("127.0.0.1")
    (directory / "cert.pem").write_bytes(leaf.certificate)
    (directory / "key.pem").write_bytes(leaf.key)
    (directory / "web.yaml").write_text("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n")
    (directory / "config.yaml").write_text("global: {scrape_interval: 1h}\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        f"--config.file={directory / 'config.yaml'}",
        f"--web.config.file={directory / 'web.yaml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    http = spec.Http(scheme="https", tls=spec.Tls(ca_bundle=authority.pem.decode()))
    try:
        async with asyncio.timeout(60), sources() as made:
            while not (await read(made, Prometheus(f"https://127.0.0.1:{port}", http), "1")).total:
                pass
        yield Prometheus(f"https://127.0.0.1:{port}", http)
    finally:
        process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def sources() -> AsyncIterator[registry.Sources]:
    options = registry.Options(
        limits=page.Limits(), defaults=prepare.Defaults(), allowed_endpoints=("127.0.0.0/8",), timeout=5.0
    )
    made = registry.Sources(auth.NoCredentials(), options, rng=random.Random(1))
    looking = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await made.aclose()


async def read(made: registry.Sources, server: Prometheus, query: str, *, ignore_null: bool = False) -> Reading:
    one = metric(source=spec.Query(server.http, server.url, query, ignore_null))
    mailbox: Mailbox[Reading] = Mailbox()
    subscription = made.subscribe(autoscaler(one), one, mailbox)
    subscription.update(target())
    await mailbox.wake.wait()
    subscription.close()
    return mailbox.drain()[0]


async def test_every_kind_of_result_is_understood(tmp_path: Path) -> None:
    async with running(tmp_path) as server, sources() as made:
        assert (await read(made, server, "6 * 7")).total == 42.0
        assert (await read(made, server, "sum(vector(1.5))")).total == 1.5
        assert (await read(made, server, "sum(nothing_of_this_name)", ignore_null=True)).total == 0.0
        failures = {
            query: (await read(made, server, query)).failure
            for query in (
                "sum(nothing_of_this_name)",
                "vector(0) / 0",
                'vector(1) or label_replace(vector(2), "a", "b", "", "")',
                "nothing_of_this_name[5m]",
                "'text'",
                "sum(",
            )
        }
    reasons = [failure.reason if failure else None for failure in failures.values()]
    assert reasons == [Reason.NO_DATA, *[Reason.NOT_A_NUMBER] * 4, Reason.API]
    refused = failures["sum("]
    assert isinstance(refused, Failure)
    assert "bad_data" in refused.detail
    assert "parse error" in refused.detail
