"""The engine as an httpx transport: httpx's own client sees pages, redirects and errors as from its own transport."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator

import httpx
import pytest
import trustme

from podtide.net import engine, page, transport
from tests.net.scripted import Server, answer, hang, then_close


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=transport.Transport(), trust_env=False) as made:
        yield made


def url(server: Server, path: str = "/metrics") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


async def test_a_page_is_a_response_with_its_headers(client: httpx.AsyncClient) -> None:
    async with Server([answer(b"up 1\n", "Server: uvicorn", "Set-Cookie: a=1", "Set-Cookie: b=2")]) as server:
        for _ in range(2):
            response = await client.get(url(server, "/m?a=%20b"), headers={"Authorization": "Bearer t"})
    assert (response.status_code, response.text) == (200, "up 1\n")
    assert (response.headers["content-type"], response.headers["server"]) == ("text/plain", "uvicorn")
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert server.connections == 1
    request = server.requests[0]
    assert request.startswith(b"GET /m?a=%20b HTTP/1.1\r\n")
    assert request.lower().count(b"\r\nhost: ") == 1
    assert b"Bearer t" in request
    assert b"\r\nconnection:" not in request.lower()


async def test_gzip_is_decoded_once(client: httpx.AsyncClient) -> None:
    async with Server([answer(gzip.compress(b"up 1\n"), "Content-Encoding: gzip")]) as server:
        response = await client.get(url(server))
    assert response.content == b"up 1\n"
    assert "content-encoding" not in response.headers
    assert b"\r\naccept-encoding: gzip\r\n" in server.requests[0].lower()


async def test_redirects_are_followed_only_when_the_client_is_told_to(client: httpx.AsyncClient) -> None:
    async with Server([answer(b"there\n")]) as target:
        moved = answer(b"", f"Location: {url(target)}", status="302 Found")
        async with Server([moved]) as server:
            response = await client.get(url(server))
            assert (response.status_code, target.connections) == (302, 0)
            assert (await client.get(url(server), follow_redirects=True)).text == "there\n"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        pytest.param(hang, httpx.ReadTimeout, id="silence"),
        pytest.param(then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nup"), httpx.ReadError, id="cut"),
        pytest.param(b"no http\r\n\r\n", httpx.RemoteProtocolError, id="no http"),
        pytest.param(answer(b"x" * 200), httpx.RemoteProtocolError, id="too large"),
    ],
)
async def test_failures_are_httpx_errors_with_their_request(script: bytes, error: type[httpx.TransportError]) -> None:
    scraper = engine.Engine(page.Limits(page_bytes=100))
    async with httpx.AsyncClient(transport=transport.Transport(scraper=scraper), trust_env=False) as client:
        async with Server([script]) as server:
            with pytest.raises(error) as raised:
                await client.get(url(server), timeout=0.1)
        assert str(raised.value.request.url) == url(server)
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:1/")
    await scraper.aclose()


async def test_what_is_not_a_scrape_is_refused(client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.UnsupportedProtocol, match="GET only"):
        await client.post("http://127.0.0.1:1/")
    with pytest.raises(httpx.UnsupportedProtocol, match="TLS context"):
        await client.get("https://127.0.0.1:1/")
    with pytest.raises(httpx.UnsupportedProtocol, match="scheme"):
        await client.get("ftp://127.0.0.1/")


async def test_https_uses_the_context_and_the_name_to_verify() -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("pod.example").configure_cert(tls)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with (
        Server([answer()], tls=tls) as server,
        httpx.AsyncClient(transport=transport.Transport(verify=context), trust_env=False) as client,
    ):
        place = f"https://127.0.0.1:{server.port}/metrics"
        with pytest.raises(httpx.ConnectError, match="Name"):
            await client.get(place)
        assert (await client.get(place, extensions={"sni_hostname": "pod.example"})).text == "up 1\n"


async def test_a_given_engine_outlives_its_transports() -> None:
    scraper = engine.Engine()
    async with Server([answer()]) as server:
        for _ in range(2):
            async with httpx.AsyncClient(transport=transport.Transport(scraper=scraper), trust_env=False) as client:
                await asyncio.gather(*(client.get(url(server)) for _ in range(3)))
    assert server.connections == 1
    await scraper.aclose()
