"""Pods behind real sockets: meshes, TLS, hanging servers, redirects, and where credentials go."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import prometheus_client
import pytest

from podtide.aio.mailbox import Mailbox
from podtide.core.model import spec
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.net import auth, prepare
from podtide.sources import registry
from tests.net import blunt
from tests.net.authority import Authority
from tests.net.scripted import Server, Visit, answer
from tests.net.test_auth import Store
from tests.sources.specs import autoscaler, metric, pod, target

PAGE = answer(b"queue 3\n")

Read = Callable[..., Awaitable[Reading]]


@dataclass
class Place:
    """Where a server is that somebody else runs."""

    port: int
    host: str = "127.0.0.1"


@asynccontextmanager
async def sources(credentials: auth.Credentials | None = None, **defaults: Any) -> AsyncIterator[Read]:
    """A function that reads one metric of servers once."""
    options = registry.Options(defaults=prepare.Defaults(**defaults), timeout=1.0)
    made = registry.Sources(credentials or auth.NoCredentials(), options, rng=random.Random(1))
    running = asyncio.create_task(made.run())

    async def read(*servers: Server | Place, one: spec.MetricSpec | None = None, **http: object) -> Reading:
        one = one or metric(http=spec.Http(**http), port=servers[0].port)  # type: ignore[arg-type]
        mailbox: Mailbox[Reading] = Mailbox()
        subscription = made.subscribe(autoscaler(one), one, mailbox)
        ports = [
            pod(number, ip=server.host, annotations={"prometheus.io/port": str(server.port)})
            for number, server in enumerate(servers, 1)
        ]
        subscription.update(target(*ports))
        async with asyncio.timeout(20):
            await mailbox.wake.wait()
        subscription.close()
        return mailbox.drain()[0]

    try:
        yield read
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await made.aclose()


def failure(reading: Reading) -> Failure:
    (found,) = reading.failures.values()
    return found


def by_annotation(**http: object) -> spec.MetricSpec:
    return metric(http=spec.Http(**http), port=None)  # type: ignore[arg-type]


# --- meshes ----------------------------------------------------------------------------------------------------------


async def envoy(visit: Visit) -> None:
    """As a sidecar does: knows one host, and HTTP/1.1."""
    known = b"\r\nhost: web.shop.svc\r\n" in visit.request.lower()
    no_route = b"HTTP/1.1 404 Not Found\r\nserver: istio-envoy\r\ncontent-length: 0\r\n\r\n"
    await visit.send(PAGE if known else no_route)


async def test_a_mesh_that_does_not_know_the_host_is_recognised() -> None:
    async with sources() as read, Server([envoy]) as server:
        found = failure(await read(server))
    assert found.reason is Reason.NOT_FOUND
    assert "istio-envoy" in found.detail
    assert "`hostHeader`" in found.detail


async def test_the_host_header_opens_the_way_through_a_mesh() -> None:
    async with sources() as read, Server([envoy]) as server:
        assert (await read(server, host_header="web.shop.svc")).values == {"uid-1": 3.0}
    assert server.requests[0].lower().count(b"\r\nhost:") == 1


async def test_strict_mesh_tls_with_certificates_from_files(tmp_path: Path) -> None:
    mesh = Authority("mesh")
    ours = mesh.issue("spiffe://cluster.local/ns/podtide/sa/podtide")
    for name, content in (("cert", ours.certificate), ("key", ours.key), ("root", mesh.pem)):
        (tmp_path / name).write_bytes(content)
    served = mesh.issue("spiffe://cluster.local/ns/shop/sa/web").server(tmp_path, clients=mesh.pem)
    files: dict[str, Any] = {
        "client_cert_file": str(tmp_path / "cert"),
        "client_key_file": str(tmp_path / "key"),
        "ca_file": str(tmp_path / "root"),
    }
    right = spec.Tls(subject_alt_names=("spiffe://cluster.local/ns/shop/sa/web",))
    wrong = spec.Tls(subject_alt_names=("spiffe://cluster.local/ns/bank/sa/web",))
    async with sources(**files) as read, Server([PAGE], tls=served) as server:
        assert (await read(server, scheme="https", tls=right)).values == {"uid-1": 3.0}
        assert failure(await read(server, scheme="https", tls=wrong)).reason is Reason.TLS_NAME


# --- answers that are no pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("served", "reason", "said"),
    [
        pytest.param(
            answer(b"", "WWW-Authenticate: Bearer realm=x", status="401 Unauthorized"),
            Reason.UNAUTHORIZED,
            ["HTTP 401 (Bearer realm=x)", "`auth.serviceAccountToken`"],
            id="401",
        ),
        pytest.param(answer(b"", status="403 Forbidden"), Reason.UNAUTHORIZED, ["HTTP 403", "`auth."], id="403"),
        pytest.param(answer(b"", status="404 Not Found"), Reason.NOT_FOUND, ["`path`", "`hostHeader`"], id="bare 404"),
        pytest.param(answer(b"no such page", status="404 Not Found"), Reason.NOT_FOUND, ["`port`"], id="404 with text"),
        pytest.param(answer(b"", status="426 Upgrade Required"), Reason.STATUS, ["`http2: true`"], id="426"),
        pytest.param(answer(b"", status="503 Service Unavailable"), Reason.STATUS, ["HTTP 503"], id="503"),
        pytest.param(answer(b"", status="204 No Content"), Reason.STATUS, ["HTTP 204"], id="204"),
        pytest.param(
            answer(b"Client sent an HTTP request to an HTTPS server.\n", status="400 Bad Request"),
            Reason.TLS,
            ["`protocolType: https`"],
            id="plain HTTP to a TLS port of Go",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>",
            Reason.CONTENT,
            ["text/html", "`path`"],
            id="a web page",
        ),
        pytest.param(answer(b'queue{a="b} 3\n'), Reason.PARSE, ["line 1"], id="a broken line"),
        pytest.param(answer(b"other 3\n"), Reason.NO_METRIC, ["queue"], id="no such metric"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Reason.PROTOCOL, [], id="no HTTP at all"),
    ],
)
async def test_what_is_no_page_says_what_to_change(served: bytes, reason: Reason, said: list[str]) -> None:
    async with sources() as read, Server([served]) as server:
        found = failure(await read(server))
    assert found.reason is reason
    for words in said:
        assert words in found.detail


async def test_a_page_under_the_wrong_type_is_read_all_the_same() -> None:
    served = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 8\r\n\r\nqueue 3\n"
    async with sources() as read, Server([served]) as server:
        assert (await read(server)).values == {"uid-1": 3.0}


async def test_tls_and_plain_http_mixed_up_either_way(tmp_path: Path) -> None:
    async with sources() as read:
        with blunt.serving(blunt.BAD_REQUEST) as port:
            reading = await read(Place(port), scheme="https", tls=spec.Tls(insecure_skip_verify=True))
            assert "`protocolType: http`" in failure(reading).detail
        async with Server([PAGE], tls=Authority().issue("127.0.0.1").server(tmp_path)) as server:
            assert failure(await read(server)).reason in (Reason.RESET, Reason.PROTOCOL, Reason.TLS)


# --- many pods -------------------------------------------------------------------------------------------------------


async def test_a_hanging_pod_costs_its_own_value_only() -> None:
    async def hang(visit: Visit) -> None:
        await visit.hang()

    async with sources() as read, Server([hang]) as hanging, Server([PAGE]) as one, Server([PAGE]) as two:
        reading = await read(one, hanging, two, one=by_annotation())
    assert reading.values == {"uid-1": 3.0, "uid-3": 3.0}
    assert reading.failures == {"uid-2": Failure(Reason.TIMEOUT)}


async def test_a_connection_is_kept_for_the_next_round() -> None:
    made = registry.Sources(auth.NoCredentials(), rng=random.Random(1))
    async with Server([PAGE]) as server:
        one = metric(interval=0.2, port=server.port)
        mailbox: Mailbox[Reading] = Mailbox()
        subscription = made.subscribe(autoscaler(one), one, mailbox)
        subscription.update(target(pod(1, ip=server.host)))
        for _ in range(4):
            async with asyncio.timeout(10):
                await mailbox.wake.wait()
            assert mailbox.drain()[0].values == {"uid-1": 3.0}
        assert server.connections == 1
        subscription.close()
        await made.aclose()


# --- credentials -----------------------------------------------------------------------------------------------------

SECRETS = {
    "login": {"username": b"ada", "password": b"pa55w0rd"},
    "bearer": {"token": b"b3ar3r-t0ken"},
    "keys": {"key": b"h3ader-k3y"},
}
SECRET_TEXTS = ("pa55w0rd", "b3ar3r-t0ken", "h3ader-k3y", "0wn-t0ken", "YWRhOnBhNTV3MHJk", "PRIVATE KEY")

AUTHS = [
    pytest.param(spec.Auth(bearer_token=spec.KeyRef("bearer", "token")), b"Bearer b3ar3r-t0ken", id="bearer"),
    pytest.param(spec.Auth(basic_auth_secret="login"), b"Basic YWRhOnBhNTV3MHJk", id="basic"),
    pytest.param(spec.Auth(headers=(("X-Key", spec.KeyRef("keys", "key")),)), b"X-Key: h3ader-k3y", id="header"),
    pytest.param(spec.Auth(service_account_token=True), b"Bearer 0wn-t0ken", id="own token"),
]


@pytest.mark.parametrize(("wanted", "sent"), AUTHS)
async def test_credentials_arrive_with_a_client_certificate_and_are_seen_nowhere_else(
    wanted: spec.Auth, sent: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text("0wn-t0ken")
    authority = Authority()
    mine = authority.issue("podtide")
    tls = spec.Tls(ca_bundle=authority.pem.decode(), client_cert_secret="mine")
    store = Store({**SECRETS, "mine": {"tls.crt": mine.certificate, "tls.key": mine.key}})
    refused = answer(b"no", status="401 Unauthorized")
    served = authority.issue("127.0.0.1").server(tmp_path, clients=authority.pem)
    said: list[object] = []
    asyncio.get_running_loop().set_debug(True)
    with caplog.at_level(logging.DEBUG):
        async with sources(store, account=str(tmp_path)) as read:
            for script in (PAGE, refused, b"nonsense\r\n\r\n", answer(b"other 1\n")):
                async with Server([script], tls=served) as server:
                    reading = await read(server, scheme="https", tls=tls, auth=wanted)
                said += [repr(reading), str(reading), *map(str, reading.failures.values())]
                assert any(sent.lower() in request.lower() for request in server.requests)
    printed = capfd.readouterr()
    everything = "\n".join([*map(str, said), caplog.text, printed.out, printed.err])
    assert "Unauthorized" in everything
    for text in SECRET_TEXTS:
        assert text not in everything


@pytest.mark.parametrize(("wanted", "sent"), AUTHS)
async def test_a_redirect_is_not_followed_and_gets_no_credentials(
    wanted: spec.Auth, sent: bytes, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("0wn-t0ken")
    async with sources(Store(SECRETS), account=str(tmp_path)) as read, Server([PAGE]) as elsewhere:
        to = f"Location: http://{elsewhere.host}:{elsewhere.port}/metrics"
        async with Server([answer(b"", to, status="302 Found")]) as server:
            found = failure(await read(server, auth=wanted))
    assert found.reason is Reason.REDIRECT
    assert str(elsewhere.port) in found.detail
    assert sent.lower() in server.requests[0].lower()
    assert elsewhere.requests == []


async def test_certificates_rotate_without_a_lost_scrape(tmp_path: Path) -> None:
    old, new = Authority("old"), Authority("new")
    path = tmp_path / "ca.pem"
    path.write_bytes(old.pem)
    made = registry.Sources(
        auth.NoCredentials(), registry.Options(defaults=prepare.Defaults(ca_file=str(path))), rng=random.Random(1)
    )
    async with Server([PAGE], tls=old.issue("127.0.0.1").server(tmp_path)) as server:
        one = metric(interval=0.2, port=server.port, http=spec.Http(scheme="https"))
        mailbox: Mailbox[Reading] = Mailbox()
        subscription = made.subscribe(autoscaler(one), one, mailbox)
        subscription.update(target(pod(1, ip=server.host)))
        await made.accesses.refresh()
        readings: list[Reading] = []
        for content in (old.pem, old.pem + new.pem, old.pem + new.pem + b"\n"):
            path.write_bytes(content)
            for access in made.accesses._all.values():
                access.due = 0
            await made.accesses.refresh()
            for _ in range(2):
                async with asyncio.timeout(10):
                    await mailbox.wake.wait()
                readings += mailbox.drain()
        assert all(reading.values == {"uid-1": 3.0} for reading in readings), readings
        assert server.connections >= 2, "a new context is a new connection"
        subscription.close()
        await made.aclose()


async def test_a_token_is_renewed_on_the_connections_there_are(tmp_path: Path) -> None:
    authority = Authority()
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    (tmp_path / "token").write_bytes(b"first")
    options = registry.Options(defaults=prepare.Defaults(account=str(tmp_path)))
    made = registry.Sources(auth.NoCredentials(), options, rng=random.Random(1))
    async with Server([PAGE], tls=authority.issue("127.0.0.1").server(tmp_path)) as server:
        http = spec.Http(scheme="https", auth=spec.Auth(service_account_token=True))
        one = metric(interval=0.2, port=server.port, http=http)
        mailbox: Mailbox[Reading] = Mailbox()
        subscription = made.subscribe(autoscaler(one), one, mailbox)
        subscription.update(target(pod(1, ip=server.host)))
        for token in (b"first", b"second", b"third"):
            (tmp_path / "token").write_bytes(token)
            for access in made.accesses._all.values():
                access.due = 0
            await made.accesses.refresh()
            for _ in range(2):
                async with asyncio.timeout(10):
                    await mailbox.wake.wait()
                assert mailbox.drain()[0].values == {"uid-1": 3.0}
            assert b"Bearer " + token in server.requests[-1]
        assert server.connections == 1, "thousands of handshakes at once would cost a round"
        subscription.close()
        await made.aclose()


async def test_names_arrive_as_their_author_wrote_them() -> None:
    """Against the real client library, which escapes names unless it is asked not to."""
    registry_ = prometheus_client.CollectorRegistry()
    prometheus_client.Gauge("http.server.duration", "With dots.", registry=registry_).set(3)
    prometheus_client.Gauge("vllm:num_requests_waiting", "With a colon.", registry=registry_).set(4)

    async def serve(visit: Visit) -> None:
        accept = next(
            line.partition(b": ")[2].decode()
            for line in visit.request.split(b"\r\n")
            if line.lower().startswith(b"accept:")
        )
        write, kind = prometheus_client.exposition.choose_encoder(accept)
        await visit.send(answer(write(registry_)).replace(b"text/plain", kind.encode(), 1))

    async with sources() as read, Server([serve]) as server:
        for name, value in (("http.server.duration", 3.0), ("vllm:num_requests_waiting", 4.0)):
            reading = await read(server, one=metric(name, port=server.port))
            assert reading.values == {"uid-1": value}, reading
