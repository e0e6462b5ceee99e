"""Certificates: which are accepted, and what is said of those that are not. Every test shakes hands for real."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podtide.core.model.reading import Failure, Reason
from podtide.net import certnames, engine, page, tls, tlserrors
from tests.net import blunt
from tests.net.authority import Authority, Leaf
from tests.net.scripted import Server, answer

SPIFFE = "spiffe://cluster.local/ns/shop/sa/web"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def scraper() -> AsyncIterator[engine.Engine]:
    made = engine.Engine()
    yield made
    await made.aclose()


def context(*authorities: Authority, **more: object) -> tls.Context:
    pems = tuple(tls.Pem("tls.caBundle", one.pem) for one in authorities)
    made = tls.Contexts().get(tls.Material(pems, **more))  # type: ignore[arg-type]
    assert isinstance(made, tls.Context)
    return made


def identity(leaf: Leaf) -> tls.Pem:
    return tls.Pem("tls.clientCertSecretRef mine", leaf.certificate + leaf.key)


async def get(
    scraper: engine.Engine, server: Server, secured: ssl.SSLContext | None, name: str | None = None
) -> page.FetchedPage | Failure:
    return await scraper.fetch(server.ask(context=secured, server_name=name), 5)


def failed(outcome: page.FetchedPage | Failure, reason: Reason) -> str:
    assert isinstance(outcome, Failure), outcome
    assert outcome.reason is reason, outcome
    return outcome.detail


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        pytest.param(["127.0.0.1"], None, id="the address itself"),
        pytest.param(["web.shop.svc"], "web.shop.svc", id="a name given as serverName"),
        pytest.param(["*.shop.svc"], "web.shop.svc", id="a wildcard"),
    ],
)
async def test_a_trusted_certificate_with_the_right_name_is_accepted(
    scraper: engine.Engine, authority: Authority, tmp_path: Path, names: list[str], asked: str | None
) -> None:
    async with Server([answer()], tls=authority.issue(*names).server(tmp_path)) as server:
        outcome = await get(scraper, server, context(authority), asked)
    assert isinstance(outcome, page.FetchedPage)
    assert outcome.status == 200


async def test_an_unknown_issuer_is_named_with_the_remedy(
    scraper: engine.Engine, authority: Authority, tmp_path: Path
) -> None:
    async with Server([answer()], tls=authority.issue("127.0.0.1").server(tmp_path)) as server:
        detail = failed(await get(scraper, server, context(Authority("another"))), Reason.TLS_UNTRUSTED)
    assert "CN=Podtide test authority" in detail
    for remedy in ("tls.caBundle", "tls.caSecretRef", "tls.caConfigMapRef", "--tls-ca-file", "insecureSkipVerify"):
        assert remedy in detail


async def test_an_authority_of_the_same_name_and_another_key_is_not_trusted(
    scraper: engine.Engine, authority: Authority, tmp_path: Path
) -> None:
    async with Server([answer()], tls=authority.issue("127.0.0.1").server(tmp_path)) as server:
        failed(await get(scraper, server, context(Authority())), Reason.TLS_UNTRUSTED)


@pytest.mark.parametrize("asked", [None, "db.shop.svc"])
async def test_a_wrong_name_is_told_with_the_names_there_are(
    scraper: engine.Engine, authority: Authority, tmp_path: Path, asked: str | None
) -> None:
    leaf = authority.issue("web.shop.svc", "10.1.2.3", SPIFFE)
    async with Server([answer()], tls=leaf.server(tmp_path)) as server:
        detail = failed(await get(scraper, server, context(authority), asked), Reason.TLS_NAME)
    assert f"is for web.shop.svc, 10.1.2.3, {SPIFFE}, not for {asked or '127.0.0.1'}" in detail
    assert "tls.serverName" in detail


async def test_a_common_name_is_no_name(scraper: engine.Engine, authority: Authority, tmp_path: Path) -> None:
    leaf = authority.issue(common_name="web.shop.svc")
    async with Server([answer()], tls=leaf.server(tmp_path)) as server:
        detail = failed(await get(scraper, server, context(authority), "web.shop.svc"), Reason.TLS_NAME)
    assert "(CN=web.shop.svc) has no subject alternative name, not for web.shop.svc: issue one that has" in detail


async def test_an_expired_certificate_says_since_when(
    scraper: engine.Engine, authority: Authority, tmp_path: Path
) -> None:
    async with Server([answer()], tls=authority.expired("127.0.0.1").server(tmp_path)) as server:
        detail = failed(await get(scraper, server, context(authority)), Reason.TLS_EXPIRED)
    assert "has expired (since Mar 31 00:00:00 2020 GMT)" in detail


async def test_a_certificate_of_tomorrow_points_at_the_clocks(
    scraper: engine.Engine, authority: Authority, tmp_path: Path
) -> None:
    async with Server([answer()], tls=authority.early("127.0.0.1").server(tmp_path)) as server:
        detail = failed(await get(scraper, server, context(authority)), Reason.TLS_EXPIRED)
    assert "not valid yet" in detail
    assert "clocks" in detail


async def test_skipping_verification_accepts_all_of_that(
    scraper: engine.Engine, authority: Authority, tmp_path: Path
) -> None:
    async with Server([answer()], tls=authority.expired("elsewhere").server(tmp_path)) as server:
        outcome = await get(scraper, server, context(verify=False))
    assert isinstance(outcome, page.FetchedPage)


@pytest.mark.parametrize(
    ("accepted", "is_accepted"),
    [
        pytest.param((SPIFFE,), True, id="its spiffe id"),
        pytest.param(("spiffe://cluster.local/ns/shop/sa/other",), False, id="another's spiffe id"),
        pytest.param(("nobody", "web.shop.svc"), True, id="one of two names"),
        pytest.param(("127.0.0.1",), False, id="not even the address asked for"),
    ],
)
async def test_explicit_names_replace_the_name_asked_for(
    scraper: engine.Engine, authority: Authority, tmp_path: Path, accepted: tuple[str, ...], is_accepted: bool
) -> None:
    async with Server([answer()], tls=authority.issue(SPIFFE, "web.shop.svc").server(tmp_path)) as server:
        outcome = await get(scraper, server, context(authority, accepted_names=accepted))
    if is_accepted:
        assert isinstance(outcome, page.FetchedPage)
    else:
        detail = failed(outcome, Reason.TLS_NAME)
        assert f"is for {SPIFFE}, web.shop.svc" in detail
        assert "tls.subjectAltNames" in detail
        assert not server.requests, "nothing is said to a server of another name"


async def test_explicit_names_do_not_make_a_stranger_trusted(
    scraper: engine.Engine, authority: Authority, tmp_path: Path
) -> None:
    async with Server([answer()], tls=authority.issue(SPIFFE).server(tmp_path)) as server:
        secured = context(Authority("another"), accepted_names=(SPIFFE,))
        failed(await get(scraper, server, secured), Reason.TLS_UNTRUSTED)


async def test_asyncio_checks_explicit_names_with_the_same_context(authority: Authority, tmp_path: Path) -> None:
    async with Server([answer()], tls=authority.issue("web").server(tmp_path)) as server:
        with pytest.raises(tlserrors.CertificateRefused):
            await asyncio.open_connection(
                "127.0.0.1", server.port, ssl=context(authority, accepted_names=(SPIFFE,)), server_hostname=""
            )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_certificate_is_asked_for_by_name(
    scraper: engine.Engine, authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    served = authority.issue("127.0.0.1").server(tmp_path, clients=authority.pem)
    served.minimum_version = served.maximum_version = version
    with blunt.serving(answer(b"up 1\n", "Connection: close"), secured=served) as port:

        async def get_with(leaf: Leaf | None) -> page.FetchedPage | Failure:
            secured = context(authority, identity=identity(leaf) if leaf else None)
            return await scraper.fetch(page.Ask("127.0.0.1", port, context=secured), 5)

        assert "tls.clientCertSecretRef" in failed(await get_with(None), Reason.TLS_CLIENT)
        assert isinstance(await get_with(authority.issue("podtide")), page.FetchedPage)
        detail = failed(await get_with(Authority("another").issue("podtide")), Reason.TLS_CLIENT)
        assert "signed by an authority that the server trusts" in detail
        failed(await get_with(authority.expired("podtide")), Reason.TLS_CLIENT)


async def test_a_server_that_hangs_up_in_the_handshake_may_want_a_client_certificate(
    scraper: engine.Engine, authority: Authority, tmp_path: Path
) -> None:
    served = authority.issue("127.0.0.1").server(tmp_path, clients=authority.pem)
    async with Server([answer()], tls=served) as server:
        detail = failed(await get(scraper, server, context(authority)), Reason.RESET)
    assert "tls.clientCertSecretRef" in detail


async def test_tls_to_a_plain_port_says_so(scraper: engine.Engine, authority: Authority) -> None:
    with blunt.serving(blunt.BAD_REQUEST) as port:
        outcome = await scraper.fetch(page.Ask("127.0.0.1", port, context=context(authority)), 5)
    assert "protocolType: http" in failed(outcome, Reason.TLS)


async def test_nothing_older_than_tls_1_2(authority: Authority) -> None:
    assert context(authority).minimum_version is ssl.TLSVersion.TLSv1_2


def test_no_server_chooses_the_field_that_is_computed_in(authority: Authority) -> None:
    """In one of 10,000 bits, which a pod may choose, a handshake would take 0.6 s of everybody's time."""
    assert {cipher["kea"] for cipher in context(authority).get_ciphers()} == {"kx-ecdhe", "kx-any"}


def test_a_client_key_that_makes_handshakes_long_is_refused(authority: Authority) -> None:
    leaf = authority.issue("x")
    head, body = b"-----BEGIN RSA PRIVATE KEY-----\n", b"MIIx" * 1100
    large = tls.Pem(
        "tls.clientCertSecretRef mine", leaf.certificate + head + body + b"\n-----END RSA PRIVATE KEY-----\n"
    )
    outcome = tls.Contexts().get(tls.Material(identity=large))
    assert isinstance(outcome, Failure)
    assert "private key is larger than 4096 bytes" in outcome.detail
    assert "MIIx" not in outcome.detail


async def test_only_http_1_1_is_offered(authority: Authority, tmp_path: Path) -> None:
    served = authority.issue("127.0.0.1").server(tmp_path)
    served.set_alpn_protocols(["h2", "http/1.1"])
    async with Server([answer()], tls=served) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context(authority))
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        writer.close()
        await writer.wait_closed()


async def test_a_server_s_own_certificate_may_be_named_as_trusted(
    scraper: engine.Engine, authority: Authority, tmp_path: Path
) -> None:
    leaf = authority.issue("127.0.0.1")
    trusting = tls.Contexts().get(tls.Material((tls.Pem("tls.caBundle", leaf.certificate),)))
    assert isinstance(trusting, tls.Context)
    async with Server([answer()], tls=leaf.server(tmp_path)) as server:
        assert isinstance(await scraper.fetch(server.ask(context=trusting), 5), page.FetchedPage)


def test_equal_content_is_one_context_for_as_long_as_it_is_used(authority: Authority) -> None:
    contexts = tls.Contexts()
    one = contexts.get(tls.Material((tls.Pem("tls.caBundle", authority.pem),)))
    same = contexts.get(tls.Material((tls.Pem("tls.caSecretRef pod-ca, key ca.crt", authority.pem),)))
    other = contexts.get(tls.Material((tls.Pem("tls.caBundle", Authority().pem),)))
    assert one is same
    assert one is not other
    assert len(contexts) == 2
    del one, same, other
    assert len(contexts) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "tls.caBundle: no certificate authority", id="empty"),
        pytest.param(b"hello", "tls.caBundle: no certificate authority", id="no PEM"),
        pytest.param("grüß".encode(), "tls.caBundle: no certificate authority", id="not even ASCII"),
        pytest.param(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "BEGIN CERTIFICATE", id="cut"),
    ],
)
def test_an_unreadable_authority_is_refused_with_the_reason(content: bytes, said: str) -> None:
    outcome = tls.Contexts().get(tls.Material((tls.Pem("tls.caBundle", content),)))
    assert isinstance(outcome, Failure)
    assert outcome.reason is Reason.TLS
    assert said in outcome.detail


def test_a_bundle_in_base64_is_unwrapped(authority: Authority) -> None:
    wrapped = base64.encodebytes(authority.pem)
    assert isinstance(tls.Contexts().get(tls.Material((tls.Pem("tls.caBundle", wrapped),))), tls.Context)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_an_unreadable_client_certificate_is_refused_without_its_content(content: bytes) -> None:
    outcome = tls.Contexts().get(tls.Material(identity=tls.Pem("tls.clientCertSecretRef mine", content)))
    assert isinstance(outcome, Failure)
    assert "tls.clientCertSecretRef mine" in outcome.detail
    assert "AAAA" not in outcome.detail


def test_keys_do_not_show(authority: Authority) -> None:
    leaf = authority.issue("podtide")
    material = tls.Material(identity=identity(leaf))
    assert "PRIVATE" not in repr(material)
    assert "tls.clientCertSecretRef mine" in repr(material)


@pytest.mark.parametrize(
    ("name", "accepted", "expected"),
    [
        ("web.shop.svc", "WEB.shop.svc.", True),
        ("*.shop.svc", "web.shop.svc", True),
        ("*.shop.svc", "a.web.shop.svc", False),
        ("*.shop.svc", "shop.svc", False),
        ("*.svc", "web.svc", False),
        ("w*.shop.svc", "web.shop.svc", False),
        ("*", "web", False),
        ("web", "*", False),
    ],
)
def test_dns_names_match_as_browsers_match_them(name: str, accepted: str, expected: bool) -> None:
    assert certnames.verify({"subjectAltName": (("DNS", name),)}, [accepted]) is expected


def test_addresses_are_compared_as_addresses_and_common_names_not_at_all() -> None:
    certificate = {
        "subject": ((("commonName", "web.shop.svc"),),),
        "subjectAltName": (("IP Address", "FD00:0:0:0:0:0:0:1"),),
    }
    assert certnames.verify(certificate, ["fd00::1"])
    assert not certnames.verify(certificate, ["web.shop.svc"])
    assert certnames.names(certificate) == ("FD00:0:0:0:0:0:0:1",)
    assert certnames.names({"subject": certificate["subject"]}) == ()
