"""How a server is reached follows what files, Secrets and ConfigMaps say now."""

import asyncio
import logging
from pathlib import Path

import pytest

from podtide.aio.clock import Clock
from podtide.core.model.reading import Failure, Reason
from podtide.core.model.spec import Auth, Http, KeyRef, Tls
from podtide.net import access, engine, page, prepare, tls
from tests.net.authority import Authority
from tests.net.scripted import Server, answer
from tests.net.test_auth import Store

TOKEN = Http(auth=Auth(service_account_token=True))


class Changes:
    """Counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def accesses(store: Store, tmp_path: Path, **more: object) -> access.Accesses:
    defaults = prepare.Defaults(account=str(tmp_path), **more)  # type: ignore[arg-type]
    ticks = iter(range(0, 10**9, 1000))
    return access.Accesses(store, defaults, timer=Clock(wall=lambda: 0, monotonic=lambda: float(next(ticks))))


def prepared(one: access.Access) -> prepare.Prepared:
    assert isinstance(one.state, prepare.Prepared), one.state
    return one.state


def secured(one: access.Access) -> tls.Context:
    context = prepared(one).context
    assert isinstance(context, tls.Context)
    return context


async def test_plain_http_needs_no_look() -> None:
    opened = access.Accesses(Store()).open("shop", Http(host_header="web.shop"), Changes(), owner="shop/web")
    assert prepared(opened).headers == (("Host", "web.shop"),)
    assert prepared(opened).context is None


async def test_a_token_is_sent_as_it_rotates(tmp_path: Path) -> None:
    changes = Changes()
    every = accesses(Store(), tmp_path)
    opened = every.open("shop", TOKEN, changes, owner="shop/web")
    assert not isinstance(opened.state, prepare.Prepared)
    await every.refresh()
    assert isinstance(opened.state, Failure)
    assert "token cannot be read" in opened.state.detail
    for token in ("first", "second"):
        (tmp_path / "token").write_text(token)
        await every.refresh()
        assert prepared(opened).headers == (("Authorization", f"Bearer {token}"),)
    await every.refresh()
    assert changes.count == 3, "what has not changed is not told"


async def test_a_url_of_a_tenant_never_gets_the_controllers_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("the controller's")
    every = accesses(Store(), tmp_path)
    opened = every.open("shop", TOKEN, Changes(), owner="shop/web", peer="evil.example:80")
    await every.refresh()
    assert isinstance(opened.state, Failure)
    assert opened.state.reason is Reason.CREDENTIALS
    assert "evil.example:80 may not receive the controller's token" in opened.state.detail


async def test_a_url_of_a_tenant_never_gets_the_controllers_certificate(tmp_path: Path) -> None:
    leaf = Authority().issue("podtide")
    (tmp_path / "cert").write_bytes(leaf.certificate)
    (tmp_path / "key").write_bytes(leaf.key)
    every = accesses(Store(), tmp_path, client_cert_file=str(tmp_path / "cert"), client_key_file=str(tmp_path / "key"))
    http = Http(scheme="https")
    pod = every.open("shop", http, Changes(), owner="shop/web")
    url = every.open("shop", http, Changes(), owner="shop/web", peer="evil.example:443")
    await every.refresh()
    assert secured(pod).material.identity is not None
    assert secured(url).material.identity is None


@pytest.mark.parametrize("kind", ["secret", "config map", "file", "default file", "service account"])
async def test_a_renewed_authority_is_trusted_and_the_old_one_is_not(kind: str, tmp_path: Path) -> None:
    old, new = Authority("old"), Authority("new")
    store = Store()
    path = tmp_path / ("ca.crt" if kind == "service account" else "authority.pem")
    given = {
        "secret": Tls(ca_secret=KeyRef("pod-ca", "ca.crt")),
        "config map": Tls(ca_config_map=KeyRef("pod-ca", "ca.crt")),
        "file": Tls(ca_file=str(path)),
    }.get(kind, Tls())

    def publish(authority: Authority) -> None:
        store.secrets["pod-ca"] = store.config_maps["pod-ca"] = {"ca.crt": authority.pem}
        path.write_bytes(authority.pem)

    every = accesses(store, tmp_path, **({"ca_file": str(path)} if kind == "default file" else {}))
    opened = every.open("shop", Http(scheme="https", tls=given), Changes(), owner="shop/web")
    scraper = engine.Engine()
    for authority, other in ((old, new), (new, old)):
        publish(authority)
        await every.refresh()
        way = prepared(opened)
        async with (
            Server([answer()], tls=authority.issue("127.0.0.1").server(tmp_path)) as trusted,
            Server([answer()], tls=other.issue("127.0.0.1").server(tmp_path)) as stranger,
        ):
            assert isinstance(await scraper.fetch(trusted.ask(context=way.context), 5), page.FetchedPage)
            outcome = await scraper.fetch(stranger.ask(context=way.context), 5)
            assert isinstance(outcome, Failure)
            assert outcome.reason is Reason.TLS_UNTRUSTED
    await scraper.aclose()


async def test_a_renewed_client_certificate_is_shown(tmp_path: Path) -> None:
    authority = Authority()
    store = Store()
    every = accesses(store, tmp_path)
    http = Http(scheme="https", tls=Tls(ca_bundle=authority.pem.decode(), client_cert_secret="mine"))
    opened = every.open("shop", http, Changes(), owner="shop/web")
    scraper = engine.Engine()
    served = authority.issue("127.0.0.1").server(tmp_path, clients=authority.pem)
    shown: list[object] = []
    async with Server([answer()], tls=served) as server:
        for name in ("first", "second"):
            leaf = authority.issue(common_name=name)
            store.secrets["mine"] = {"tls.crt": leaf.certificate, "tls.key": leaf.key}
            await every.refresh()
            context = secured(opened)
            assert isinstance(await scraper.fetch(server.ask(context=context), 5), page.FetchedPage)
            shown.append(context.material.identity)
        assert server.connections == 2
    assert shown[0] != shown[1]
    await scraper.aclose()


async def test_a_bundle_larger_than_any_systems_is_refused(tmp_path: Path) -> None:
    """Reading a MiB takes 0.3 s of everybody's time, and an object may ask for 64 contexts of it."""
    store = Store()
    store.config_maps["everybody"] = {"ca.crt": Authority().pem * 1000}
    every = accesses(store, tmp_path)
    given = Tls(ca_config_map=KeyRef("everybody", "ca.crt"))
    opened = every.open("shop", Http(scheme="https", tls=given), Changes(), owner="shop/web")
    await every.refresh()
    assert isinstance(opened.state, Failure)
    assert "tls.caConfigMapRef everybody, key ca.crt is larger than 262144 bytes" in opened.state.detail


@pytest.mark.looptime
async def test_large_bundles_are_read_one_at_a_time_and_leave_others_room(looptime: object, tmp_path: Path) -> None:
    store = Store()
    store.config_maps["many"] = {"ca.crt": Authority().pem * 200}
    every = accesses(store, tmp_path)
    shown = [
        every.open(
            "shop",
            Http(scheme="https", tls=Tls(ca_config_map=KeyRef("many", "ca.crt"), subject_alt_names=(f"spiffe://{n}",))),
            Changes(),
            owner="shop/web",
        )
        for n in range(4)
    ]
    plain = every.open("other", Http(scheme="https"), Changes(), owner="other/web")
    looking = asyncio.create_task(every.refresh())
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(0.05)
    prepared(plain)
    assert all(one.state is None for one in shown)
    await looking
    assert all(isinstance(one.state, prepare.Prepared) for one in shown)
    assert asyncio.get_running_loop().time() - began >= 0.4


async def test_a_broken_authority_is_a_failure_that_ends_when_it_is_mended(tmp_path: Path) -> None:
    store = Store({"pod-ca": {"ca.crt": b"oops"}})
    every = accesses(store, tmp_path)
    given = Tls(ca_secret=KeyRef("pod-ca", "ca.crt"))
    opened = every.open("shop", Http(scheme="https", tls=given), Changes(), owner="shop/web")
    await every.refresh()
    assert isinstance(opened.state, Failure)
    assert opened.state.reason is Reason.TLS
    assert "tls.caSecretRef pod-ca, key ca.crt" in opened.state.detail
    store.secrets["pod-ca"] = {"ca.crt": Authority().pem}
    await every.refresh()
    prepared(opened)


@pytest.mark.looptime
async def test_a_crash_over_one_secret_is_logged_without_it_and_costs_no_other_its_access(
    looptime: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store({"mine": {"token": b"t"}})
    well = store.secret

    async def secret(namespace: str, name: str) -> object:
        if name == "broken":
            raise RuntimeError("s3cret")
        return await well(namespace, name)

    store.secret = secret  # type: ignore[method-assign, assignment]
    defaults = prepare.Defaults(account=str(tmp_path))
    every = access.Accesses(store, defaults, timer=Clock(monotonic=asyncio.get_running_loop().time))
    running = asyncio.create_task(every.run())

    def crash() -> None:
        raise RuntimeError("a source has a bug")

    one, two = (
        every.open("shop", Http(auth=Auth(bearer_token=KeyRef(name, "token"))), crash, owner="shop/web")
        for name in ("broken", "mine")
    )
    await asyncio.sleep(1)
    assert one.state == Failure(Reason.API)
    assert prepared(two).headers == (("Authorization", "Bearer t"),)
    assert "RuntimeError" in caplog.text
    assert "s3cret" not in caplog.text
    store.secret = well  # type: ignore[method-assign]
    store.secrets["broken"] = {"token": b"mended"}
    await asyncio.sleep(access.FRESH)
    assert prepared(one).headers == (("Authorization", "Bearer mended"),)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.looptime
async def test_files_that_are_renewed_one_after_the_other_cost_no_scrape(looptime: object, tmp_path: Path) -> None:
    authority = Authority()
    old, new = authority.issue("old"), authority.issue("new")
    chain, key = tmp_path / "cert-chain.pem", tmp_path / "key.pem"
    chain.write_bytes(old.certificate)
    key.write_bytes(old.key)
    defaults = prepare.Defaults(account=str(tmp_path), client_cert_file=str(chain), client_key_file=str(key))
    every = access.Accesses(Store(), defaults, timer=Clock(monotonic=asyncio.get_running_loop().time))
    running = asyncio.create_task(every.run())
    changes = Changes()
    opened = every.open("shop", Http(scheme="https"), changes, owner="shop/web")
    await asyncio.sleep(1)
    before = prepared(opened)
    chain.write_bytes(new.certificate)
    await asyncio.sleep(access.FRESH)
    assert opened.state is before
    key.write_bytes(new.key)
    await asyncio.sleep(access.SUSPECT)
    identity = secured(opened).material.identity
    assert identity is not None
    assert new.certificate in identity.content
    assert changes.count == 2

    chain.write_bytes(old.certificate)  # and the key stays another's: this is no renewal on its way
    await asyncio.sleep(access.FRESH + access.SUSPECT)
    with pytest.raises(AssertionError, match="key values mismatch"):
        prepared(opened)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_certificate_and_its_key_come_from_one_look_at_their_secret(tmp_path: Path) -> None:
    authority = Authority()
    leaves = [authority.issue(), authority.issue()]
    versions = iter({"tls.crt": leaf.certificate, "tls.key": leaf.key} for leaf in leaves)
    store = Store()

    async def renewed(namespace: str, name: str) -> dict[str, bytes]:
        return next(versions)

    store.secret = renewed  # type: ignore[method-assign]
    every = accesses(store, tmp_path)
    tls_given = Tls(insecure_skip_verify=True, client_cert_secret="mine")
    opened = every.open("shop", Http(scheme="https", tls=tls_given), Changes(), owner="shop/web")
    await every.refresh()
    prepared(opened)


async def test_sources_that_ask_alike_share_one_look_and_go_together(tmp_path: Path) -> None:
    store = Store({"mine": {"token": b"t"}})
    every = accesses(store, tmp_path)
    http = Http(auth=Auth(bearer_token=KeyRef("mine", "token")))
    one, two = Changes(), Changes()
    first = every.open("shop", http, one, owner="shop/web")
    assert every.open("shop", http, two, owner="shop/db") is first
    assert every.open("bank", http, one, owner="bank/web") is not first
    await every.refresh()
    assert sorted(store.asked) == [("bank", "mine"), ("shop", "mine")]
    first.close(one)
    first.close(two)
    assert every.open("shop", http, one, owner="shop/web") is not first


async def test_an_api_server_that_is_away_changes_nothing(tmp_path: Path) -> None:
    store = Store({"mine": {"token": b"t"}})
    every = accesses(store, tmp_path)
    opened = every.open("shop", Http(auth=Auth(bearer_token=KeyRef("mine", "token"))), Changes(), owner="shop/web")
    await every.refresh()
    before = opened.state

    async def away(namespace: str, name: str) -> Failure:
        return Failure(Reason.API, "no answer")

    store.secret = away  # type: ignore[method-assign]
    for _ in range(3):
        await every.refresh()
        assert opened.state is before


@pytest.mark.looptime
async def test_run_prepares_at_once_looks_again_and_hurries_when_refused(looptime: object, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    store = Store({"mine": {"token": b"t"}})
    every = access.Accesses(store, prepare.Defaults(account=str(tmp_path)), timer=Clock(monotonic=loop.time))
    running = asyncio.create_task(every.run())
    opened = every.open("shop", Http(auth=Auth(bearer_token=KeyRef("mine", "token"))), Changes(), owner="shop/web")
    await asyncio.sleep(0.01)
    assert len(store.asked) == 1
    await asyncio.sleep(access.FRESH)
    assert len(store.asked) == 2
    for _ in range(100):
        opened.suspect()
    await asyncio.sleep(access.SUSPECT)
    assert len(store.asked) == 3
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_unverified_tls_is_logged_and_counted(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    every = accesses(Store(), tmp_path)
    with caplog.at_level(logging.WARNING):
        every.open("shop", Http(scheme="https", tls=Tls(insecure_skip_verify=True)), Changes(), owner="shop/web")
        every.open("shop", Http(scheme="https"), Changes(), owner="shop/db")
    assert every.unverified == 1
    assert caplog.messages == ["shop/web: the certificates of its pods are not verified"]


async def test_the_controllers_default_may_skip_and_a_source_may_insist(tmp_path: Path) -> None:
    every = accesses(Store(), tmp_path, insecure_skip_verify=True)
    every.open("shop", Http(scheme="https"), Changes(), owner="shop/web")
    every.open("shop", Http(scheme="https", tls=Tls(insecure_skip_verify=False)), Changes(), owner="shop/db")
    assert every.unverified == 1
