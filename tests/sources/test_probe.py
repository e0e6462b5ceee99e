"""What a probe says of servers that do not answer as they should, over real sockets."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from aiohttp import web

from podtide.core.model import view
from podtide.core.model.reading import Failure, Reason
from podtide.core.model.spec import Auth, Http, KeyRef, PodPage, Quantile, Select, Tls
from podtide.net import auth, prepare
from podtide.sources import probe
from podtide.sources.probe import Found, Wanted
from tests.net import blunt, scripted
from tests.net.authority import Authority, Leaf

QUEUE = Wanted(Select("queue"))


@asynccontextmanager
async def serving(answer: web.Response | None = None, secured: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server with one answer; its port."""

    async def handle(request: web.BaseRequest) -> web.Response:
        if answer is None:
            return web.Response(text="queue 3\n")
        return web.Response(status=answer.status, text=answer.text, headers=answer.headers)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=secured).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class Http2(scripted.Listener):
    """A server that understands nothing but HTTP/2, and hangs up on whoever speaks otherwise."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        connection.send_headers(event.stream_id, [(":status", "200"), ("content-type", "text/plain")])
                        connection.send_data(event.stream_id, b"queue 3\n", end_stream=True)
                writer.write(connection.data_to_send())


class Hanging(scripted.Listener):
    """A server that never answers."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()


async def look(port: int, way: Http | None = None, wanted: Wanted = QUEUE) -> Found:
    way = way or Http(timeout=5.0)
    return await probe.url(
        f"{way.scheme}://127.0.0.1:{port}/metrics", way, wanted, auth.NoCredentials(), prepare.Defaults()
    )


def failed(found: Found) -> Failure:
    assert isinstance(found.value, Failure)
    return found.value


async def test_a_page_is_shown_with_all_that_was_seen() -> None:
    async with serving() as port:
        found = await look(port, Http(host_header="web.shop.svc"))
    assert found.value == 3.0
    assert found.facts["asked"] == f"http://127.0.0.1:{port}/metrics"
    assert found.facts["request"].startswith("GET /metrics HTTP/1.1; Host: web.shop.svc; Accept: text/plain")
    assert found.facts["status"] == "200"
    assert found.facts["content type"] == "text/plain; charset=utf-8"
    assert found.facts["series on the page"] == "1 named queue, 1 counted"


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        pytest.param(
            web.Response(status=401, headers={"WWW-Authenticate": "Bearer"}),
            Reason.UNAUTHORIZED,
            ["(Bearer)", "auth.bearerTokenSecretRef"],
            id="401",
        ),
        pytest.param(web.Response(status=403), Reason.UNAUTHORIZED, ["HTTP 403", "auth.serviceAccountToken"], id="403"),
        pytest.param(
            web.Response(status=404, headers={"Server": "istio-envoy"}),
            Reason.NOT_FOUND,
            ["a proxy (istio-envoy)", "set `hostHeader` to the name of its Service"],
            id="404 NR of a mesh",
        ),
        pytest.param(
            web.Response(status=302, headers={"Location": "/login"}), Reason.REDIRECT, ["to /login"], id="a redirect"
        ),
        pytest.param(
            web.Response(text="<html>hello</html>", content_type="text/html"),
            Reason.CONTENT,
            ["the answer is text/html", "check `path`"],
            id="a web page",
        ),
        pytest.param(
            web.Response(text='{"queue": 3}', content_type="application/json"),
            Reason.CONTENT,
            ["the answer is application/json", "with `jsonPath`"],
            id="a JSON document",
        ),
        pytest.param(
            web.Response(text="queues 1\n"), Reason.NO_METRIC, ["names like it on the page: queues"], id="another name"
        ),
        pytest.param(web.Response(text='queue{a="b} 1\n'), Reason.PARSE, ["line 1"], id="a broken line"),
        pytest.param(web.Response(status=500), Reason.STATUS, ["HTTP 500"], id="500"),
    ],
)
async def test_answers_that_are_no_page(answer: web.Response, reason: Reason, said: list[str]) -> None:
    async with serving(answer) as port:
        found = await look(port)
    assert failed(found).reason is reason
    for text in said:
        assert text in failed(found).detail
    assert found.facts["status"] == str(answer.status)


async def test_nothing_listens() -> None:
    async with serving() as port:
        pass
    assert failed(await look(port)).reason is Reason.CONNECT


# --- protocols -------------------------------------------------------------------------------------------------------


async def test_a_server_that_speaks_http2_only() -> None:
    async with Http2() as server:
        found = await look(server.port)
        assert failed(found).detail.endswith("tried: the server speaks HTTP/2 only: set `http2: true`")
        assert (await look(server.port, Http(http2=True))).value == 3.0


async def test_a_tls_server_that_speaks_http2_only(tmp_path: Path) -> None:
    authority = Authority()
    context = authority.issue("127.0.0.1").server(tmp_path)
    context.set_alpn_protocols(["h2"])
    trusting = Tls(ca_bundle=authority.pem.decode())
    async with Http2(context) as server:
        found = await look(server.port, Http(scheme="https", tls=trusting))
        assert failed(found).detail.endswith("set `http2: true`")
        assert (await look(server.port, Http(scheme="https", tls=trusting, http2=True))).value == 3.0


async def test_a_server_that_does_not_speak_http2() -> None:
    async with serving() as port:
        found = await look(port, Http(http2=True))
    assert failed(found).detail.endswith("tried: the server speaks HTTP/1.1 only: leave `http2` off")


async def test_a_tls_server_asked_in_plain(tmp_path: Path) -> None:
    context = Authority().issue("127.0.0.1").server(tmp_path)
    async with serving(secured=context) as port:
        found = await look(port)
    assert "the server speaks TLS on this port: set `protocolType: https`" in failed(found).detail


async def test_a_plain_server_asked_over_tls() -> None:
    async with serving() as port:
        found = await look(port, Http(scheme="https"))
    assert "the server speaks plain HTTP on this port: set `protocolType: http`" in failed(found).detail


class Patient(scripted.Listener):
    """A plain server that says nothing until a whole request is there, and what it was asked."""

    requests = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            self.requests += await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nqueue 3\n")
            await writer.drain()


async def test_a_plain_server_that_waits_for_the_end_of_a_handshake_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken")
    way = Http(scheme="https", timeout=0.3, auth=Auth(service_account_token=True))
    async with Patient() as server:
        found = await probe.url(
            f"https://127.0.0.1:{server.port}/",
            way,
            QUEUE,
            auth.NoCredentials(),
            prepare.Defaults(account=str(tmp_path)),
        )
    assert failed(found) == Failure(Reason.TIMEOUT)
    assert failed(found).detail.endswith("the server speaks plain HTTP on this port: set `protocolType: http`")
    assert b"GET / HTTP/1.1" in server.requests
    assert b"t0ken" not in server.requests


# --- certificates ----------------------------------------------------------------------------------------------------


async def secured(leaf: Leaf, directory: Path, tls: Tls) -> Found:
    async with serving(secured=leaf.server(directory)) as port:
        return await look(port, Http(scheme="https", tls=tls))


async def test_the_certificates_and_the_checked_name_are_shown(tmp_path: Path) -> None:
    authority = Authority("shop authority")
    leaf = authority.issue("web.shop.svc", "10.0.0.7", common_name="web")
    found = await secured(leaf, tmp_path, Tls(ca_bundle=authority.pem.decode(), server_name="web.shop.svc"))
    assert found.value == 3.0
    assert found.facts["verified"] == "the chain, and the name web.shop.svc"
    assert found.facts["TLS"] == "TLSv1.3"
    assert found.facts["certificate"] == (
        "CN=web; for web.shop.svc, 10.0.0.7; issued by CN=shop authority; until Jan  1 00:00:00 2090 GMT"
    )


async def test_a_certificate_for_other_names(tmp_path: Path) -> None:
    authority = Authority()
    found = await secured(authority.issue("web.shop.svc"), tmp_path, Tls(ca_bundle=authority.pem.decode()))
    failure = failed(found)
    assert failure.reason is Reason.TLS_NAME
    assert "is for web.shop.svc, not for 127.0.0.1: set `tls.serverName`" in failure.detail
    assert "for web.shop.svc;" in found.facts["certificate"]


async def test_a_certificate_of_an_authority_nobody_trusts(tmp_path: Path) -> None:
    found = await secured(Authority("theirs").issue("127.0.0.1"), tmp_path, Tls(ca_bundle=Authority().pem.decode()))
    failure = failed(found)
    assert failure.reason is Reason.TLS_UNTRUSTED
    assert "tls.caSecretRef" in failure.detail
    assert "issued by CN=theirs" in found.facts["certificate"]


async def test_an_expired_certificate(tmp_path: Path) -> None:
    authority = Authority()
    found = await secured(authority.expired("127.0.0.1"), tmp_path, Tls(ca_bundle=authority.pem.decode()))
    assert failed(found).reason is Reason.TLS_EXPIRED
    assert "until Mar 31 00:00:00 2020 GMT" in found.facts["certificate"]


async def test_a_missing_client_certificate(tmp_path: Path) -> None:
    authority = Authority()
    wanting = authority.issue("127.0.0.1").server(tmp_path, clients=authority.pem)
    way = Http(scheme="https", tls=Tls(ca_bundle=authority.pem.decode()))
    with blunt.serving(b"", secured=wanting) as port:
        found = await look(port, way)
    failure = failed(found)
    assert failure.reason is Reason.TLS_CLIENT
    assert "set `tls.clientCertSecretRef`" in failure.detail
    assert "for 127.0.0.1" in found.facts["certificate"]


async def test_a_missing_client_certificate_of_which_the_server_says_nothing(tmp_path: Path) -> None:
    """As those on asyncio do: they close without an alert."""
    authority = Authority()
    async with serving(secured=authority.issue("127.0.0.1").server(tmp_path, clients=authority.pem)) as port:
        found = await look(port, Http(scheme="https", tls=Tls(ca_bundle=authority.pem.decode())))
    assert failed(found).reason is Reason.RESET
    assert "it may want a client certificate (`tls.clientCertSecretRef`)" in failed(found).detail


async def test_any_certificate_is_accepted_where_that_is_asked_for(tmp_path: Path) -> None:
    found = await secured(Authority().issue("other"), tmp_path, Tls(insecure_skip_verify=True))
    assert found.value == 3.0
    assert found.facts["verified"] == "no: any certificate is accepted"


# --- pods ------------------------------------------------------------------------------------------------------------


class Secrets:
    """One Secret with a token."""

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | Failure:
        assert (namespace, name) == ("shop", "scrape")
        return {"token": b"hunter2"}

    async def config_map(self, namespace: str, name: str) -> Mapping[str, bytes] | Failure:
        raise AssertionError("nobody names a ConfigMap")


async def test_a_pod_is_asked_as_a_scrape_would_and_secrets_are_hidden() -> None:
    async with serving() as port:
        seen = view.PodView(
            "web-1",
            "u",
            ip="127.0.0.1",
            annotations={"prometheus.io/port": str(port), "prometheus.io/path": "/stats"},
        )
        source = PodPage(Http(scheme=None, auth=Auth(bearer_token=KeyRef("scrape", "token"))), None, None)
        found = await probe.pod(seen, "shop", source, QUEUE, Secrets(), prepare.Defaults())
    assert (found.value, found.pod) == (3.0, "web-1")
    assert found.facts["asked"] == f"http://127.0.0.1:{port}/stats"
    assert "Authorization: (hidden)" in found.facts["request"]
    assert "hunter2" not in str(found)


async def test_a_pod_without_an_address() -> None:
    source = PodPage(Http(), 8000, None)
    found = await probe.pod(view.PodView("web-1", "u"), "shop", source, QUEUE, auth.NoCredentials(), prepare.Defaults())
    assert (failed(found).reason, found.pod) == (Reason.NO_ADDRESS, "web-1")


async def test_a_histogram_that_has_counted_nothing() -> None:
    text = 'latency_bucket{le="1"} 0\nlatency_bucket{le="+Inf"} 0\n'
    async with serving(web.Response(text=text)) as port:
        found = await look(port, wanted=Wanted(Select("latency"), Quantile(0.5)))
    assert failed(found).reason is Reason.NO_DATA


async def test_a_server_that_hangs_costs_the_timeout_and_no_more() -> None:
    async with Hanging() as server:
        found = await look(server.port, Http(timeout=0.05))
    assert failed(found).reason is Reason.TIMEOUT
