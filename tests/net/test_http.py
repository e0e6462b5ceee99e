"""The client for URLs: bounded in time and size, never redirected, and errors have names."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from podtide.core.model.reading import Failure, Reason
from podtide.net import guard, http, page, prepare, tls
from tests.net import blunt
from tests.net.authority import Authority
from tests.net.scripted import Server, Visit, answer

PLAIN = prepare.Prepared()


@pytest.fixture
async def client() -> AsyncIterator[http.Client]:
    made = http.Client(page.Limits(page_bytes=100_000), watch=guard.Guard(allowed=["127.0.0.0/8"]))
    yield made
    await made.aclose()


def url(server: Server, path: str = "/metrics", *, scheme: str = "http", host: str | None = None) -> str:
    return f"{scheme}://{host or server.host}:{server.port}{path}"


def failed(outcome: page.FetchedPage | Failure, reason: Reason) -> str:
    assert isinstance(outcome, Failure), outcome
    assert outcome.reason is reason, outcome
    return outcome.detail


def context(authority: Authority, **more: object) -> ssl.SSLContext:
    material = tls.Material((tls.Pem("tls.caBundle", authority.pem),), **more)  # type: ignore[arg-type]
    made = tls.Contexts().get(material)
    assert isinstance(made, tls.Context)
    return made


async def test_a_page_arrives_with_what_is_said_about_it(client: http.Client) -> None:
    async with Server([answer(b"up 1\n", "Server: envoy")]) as server:
        outcome = await client.get(url(server, "/a?x=1"), PLAIN, 5, params={"query": "sum(rate(x[1m])) > 1"})
    assert isinstance(outcome, page.FetchedPage)
    assert (outcome.status, outcome.body, outcome.content_type, outcome.server) == (
        200,
        b"up 1\n",
        "text/plain",
        "envoy",
    )
    head = server.requests[0].decode().lower()
    assert head.startswith("get /a?x=1&query=sum%28rate%28x%5b1m%5d%29%29+%3e+1 http/1.1\r\n")
    assert f"host: 127.0.0.1:{server.port}\r\n" in head
    assert "accept-encoding: identity\r\n" in head


async def test_connections_are_kept(client: http.Client) -> None:
    async with Server([answer()]) as server:
        for _ in range(3):
            await client.get(url(server), PLAIN, 5)
        assert server.connections == 1


async def test_credentials_and_host_are_sent(client: http.Client) -> None:
    way = prepare.Prepared(headers=(("Host", "prom.example"), ("Authorization", "Bearer t")))
    async with Server([answer()]) as server:
        await client.get(url(server), way, 5)
    head = server.requests[0].decode().lower()
    assert head.count("host:") == 1
    assert "host: prom.example\r\n" in head
    assert "authorization: bearer t\r\n" in head


async def test_a_header_may_hold_what_is_no_ascii_as_for_pods(client: http.Client) -> None:
    way = prepare.Prepared(headers=(("X-Key", "sch\xf6n"),))
    async with Server([answer()]) as server:
        assert isinstance(await client.get(url(server), way, 5), page.FetchedPage)
    assert b"x-key: sch\xf6n\r\n" in server.requests[0].lower()


async def test_redirects_are_not_followed(client: http.Client) -> None:
    async with Server([answer()]) as elsewhere:
        to = f"Location: {url(elsewhere)}"
        async with Server([answer(b"", to, status="302 Found")]) as server:
            outcome = await client.get(url(server), prepare.Prepared(headers=(("Authorization", "Bearer t"),)), 5)
        assert isinstance(outcome, page.FetchedPage)
        assert (outcome.status, outcome.location) == (302, url(elsewhere))
        assert elsewhere.requests == []


async def test_proxies_of_the_environment_are_not_used(client: http.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Server([answer()]) as proxy, Server([answer()]) as server:
        monkeypatch.setenv("HTTP_PROXY", url(proxy))
        monkeypatch.setenv("ALL_PROXY", url(proxy))
        await client.get(url(server), PLAIN, 5)
        assert len(server.requests) == 1
        assert proxy.requests == []


async def test_refused_addresses_are_not_even_connected_to() -> None:
    guarded = http.Client(page.Limits(), watch=guard.Guard())
    async with Server([answer()]) as server:
        failed(await guarded.get(url(server), PLAIN, 5), Reason.FORBIDDEN_ADDRESS)
        failed(await guarded.get(url(server, host="localhost"), PLAIN, 5), Reason.FORBIDDEN_ADDRESS)
        assert server.connections == 0
    await guarded.aclose()


async def test_a_name_that_moves_after_it_was_checked_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the first answer is allowed, every later one is the address that an attacker wants reached."""
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo
    asked: list[str] = []

    async def moving(host: str, port: int, **more: Any) -> Any:
        asked.append(host)
        return await real("127.9.0.1" if asked.count(host) > 1 else "127.8.0.1", port, **more)

    monkeypatch.setattr(loop, "getaddrinfo", moving)
    guarded = http.Client(page.Limits(), watch=guard.Guard(allowed=["127.8.0.0/16"]))
    async with Server([answer(b"fine 1\n")], host="127.8.0.1") as fine:
        outcome = await guarded.get(f"http://moving.example:{fine.port}/metrics", PLAIN, 5)
        assert isinstance(outcome, page.FetchedPage)
        assert asked.count("moving.example") == 1
    async with Server([answer(b"inner 1\n")], host="127.9.0.1") as inner:
        failed(await guarded.get(f"http://moving.example:{inner.port}/metrics", PLAIN, 5), Reason.FORBIDDEN_ADDRESS)
        assert inner.connections == 0
    await guarded.aclose()


# --- TLS -------------------------------------------------------------------------------------------------------------


async def test_the_name_of_the_url_is_verified_although_an_address_is_connected_to(
    client: http.Client, tmp_path: Path
) -> None:
    authority = Authority()
    served = authority.issue("localhost").server(tmp_path)
    names: list[str | None] = []
    served.sni_callback = lambda _connection, name, _context: names.append(name)
    way = prepare.Prepared(context(authority))
    async with Server([answer()], tls=served) as server:
        assert isinstance(await client.get(url(server, scheme="https", host="localhost"), way, 5), page.FetchedPage)
        detail = failed(await client.get(url(server, scheme="https"), way, 5), Reason.TLS_NAME)
    assert names[0] == "localhost"
    assert "is for localhost, not for 127.0.0.1" in detail


async def test_a_server_name_of_ones_own(client: http.Client, tmp_path: Path) -> None:
    authority = Authority()
    way = prepare.Prepared(context(authority), server_name="prom.example")
    async with Server([answer()], tls=authority.issue("prom.example").server(tmp_path)) as server:
        assert isinstance(await client.get(url(server, scheme="https"), way, 5), page.FetchedPage)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("untrusted", Reason.TLS_UNTRUSTED),
        ("expired", Reason.TLS_EXPIRED),
        ("names", Reason.TLS_NAME),
    ],
)
async def test_tls_trouble_has_the_same_names_as_for_pods(
    client: http.Client, tmp_path: Path, case: str, reason: Reason
) -> None:
    authority = Authority()
    leaf = authority.expired("127.0.0.1") if case == "expired" else authority.issue("127.0.0.1")
    more = {"accepted_names": ("spiffe://a/b",)} if case == "names" else {}
    way = prepare.Prepared(context(Authority("another") if case == "untrusted" else authority, **more))
    async with Server([answer()], tls=leaf.server(tmp_path)) as server:
        failed(await client.get(url(server, scheme="https"), way, 5), reason)


async def test_a_client_certificate_that_is_missing(client: http.Client, tmp_path: Path) -> None:
    authority = Authority()
    served = authority.issue("127.0.0.1").server(tmp_path, clients=authority.pem)
    with blunt.serving(answer(), secured=served) as port:
        outcome = await client.get(f"https://127.0.0.1:{port}/", prepare.Prepared(context(authority)), 5)
    failed(outcome, Reason.TLS_CLIENT)


async def test_plain_http_where_tls_was_meant(client: http.Client) -> None:
    with blunt.serving(blunt.BAD_REQUEST) as port:
        outcome = await client.get(f"https://127.0.0.1:{port}/", prepare.Prepared(context(Authority())), 5)
    assert "plain HTTP" in failed(outcome, Reason.TLS)


# --- servers that misbehave ------------------------------------------------------------------------------------------


async def hang(visit: Visit) -> None:
    await visit.hang()


async def drip(visit: Visit) -> None:
    await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        await visit.send(b"x")
        await asyncio.sleep(0.01)


async def flood(visit: Visit) -> None:
    await visit.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await visit.send(b"x" * 65536)


async def cut(visit: Visit) -> None:
    await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nup 1")
    visit.writer.close()


async def reset(visit: Visit) -> None:
    visit.reset()


BOMB = gzip.compress(b"0" * 50_000_000)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        pytest.param(hang, Reason.TIMEOUT, id="silence"),
        pytest.param(drip, Reason.TIMEOUT, id="a byte now and then"),
        pytest.param(flood, Reason.TOO_LARGE, id="no end"),
        pytest.param(answer(b"x" * 200_000), Reason.TOO_LARGE, id="too long"),
        pytest.param(answer(BOMB, "Content-Encoding: gzip"), Reason.PROTOCOL, id="a bomb"),
        pytest.param(cut, Reason.PROTOCOL, id="half a body"),
        pytest.param(reset, Reason.RESET, id="a reset"),
        pytest.param(b"hello\r\n\r\n", Reason.PROTOCOL, id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000, Reason.PROTOCOL, id="a head without end"),
    ],
)
async def test_a_server_that_misbehaves_costs_little_and_has_a_name(
    client: http.Client, script: object, reason: Reason
) -> None:
    async with Server([script]) as server:  # type: ignore[list-item]
        failed(await client.get(url(server), PLAIN, 0.5), reason)


async def test_nothing_listens(client: http.Client) -> None:
    async with Server([answer()]) as server:
        address = url(server)
    failed(await client.get(address, PLAIN, 5), Reason.CONNECT)


@pytest.mark.parametrize(
    "address", ["ftp://host/x", "host:80", "http://", "http://host:99999/", "http://[::1/", "http://localhost/\x7f"]
)
async def test_what_is_no_url_is_told(client: http.Client, address: str) -> None:
    assert "is no URL" in failed(await client.get(address, PLAIN, 5), Reason.CONNECT)


async def test_a_password_in_a_url_is_not_repeated(client: http.Client) -> None:
    assert "pa55" not in failed(await client.get("ftp://ada:pa55@host/x", PLAIN, 5), Reason.CONNECT)


async def test_unused_clients_are_closed(client: http.Client) -> None:
    async with Server([answer()]) as server:
        ask = http.ask_for(url(server), PLAIN)
        old = await client._client(ask, 0.0)
        assert await client._client(ask, http.KEPT) is old
        assert await client._client(ask, 2 * http.KEPT + 1) is not old
        assert old.is_closed


async def test_many_large_answers_at_once_have_one_limit_and_the_largest_goes() -> None:
    """64 URLs of one object, each with a page of 10 MiB that comes slowly, would be 640 MiB."""
    free = asyncio.Event()
    stalled = 0

    async def slowly(visit: Visit) -> None:
        nonlocal stalled
        size = int(visit.request.split(b" ")[1].strip(b"/"))
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * (size - 1))
        stalled += 1
        await free.wait()
        await visit.send(b"x")

    made = http.Client(
        page.Limits(page_bytes=100_000, buffer_bytes=100_000), watch=guard.Guard(allowed=["127.0.0.0/8"])
    )
    async with Server([slowly]) as server:
        large = [asyncio.create_task(made.get(url(server, "/60000"), PLAIN, 20)) for _ in range(4)]
        small = asyncio.create_task(made.get(url(server, "/2000"), PLAIN, 20))
        async with asyncio.timeout(10):
            while stalled < 5:
                await asyncio.sleep(0.005)
        free.set()
        answers = await asyncio.gather(*large)
        assert isinstance(await small, page.FetchedPage)
    lost = [failed(each, Reason.TOO_LARGE) for each in answers if isinstance(each, Failure)]
    assert len(lost) == 3
    assert all("no room" in why for why in lost)
    await made.aclose()
