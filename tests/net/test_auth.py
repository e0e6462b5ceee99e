"""Credentials become headers, for whom they are meant and nobody else."""

import base64
from collections.abc import Mapping
from pathlib import Path

import pytest

from podtide.core.model.reading import Failure, Reason
from podtide.core.model.spec import Auth, KeyRef
from podtide.net import auth, files, page, prepare


class Store:
    """Secrets and ConfigMaps of one namespace that a test fills."""

    def __init__(self, secrets: dict[str, dict[str, bytes]] | None = None) -> None:
        self.secrets = secrets or {}
        self.config_maps: dict[str, dict[str, bytes]] = {}
        self.asked: list[tuple[str, str]] = []

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | Failure:
        self.asked.append((namespace, name))
        found = self.secrets.get(name)
        return Failure(Reason.CREDENTIALS, f"Secret {namespace}/{name} does not exist") if found is None else found

    async def config_map(self, namespace: str, name: str) -> Mapping[str, bytes] | Failure:
        self.asked.append((namespace, name))
        found = self.config_maps.get(name)
        return Failure(Reason.CREDENTIALS, f"ConfigMap {namespace}/{name} is gone") if found is None else found


STORE = Store(
    {
        "token": {"token": b"t0ken\n"},
        "login": {"username": b"ada", "password": b"s3cret:with:colons\n"},
        "keys": {"api-key": b"k3y", "broken": b"one\r\nX-Injected: yes"},
    }
)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(Auth(), (), id="none"),
        pytest.param(
            Auth(bearer_token=KeyRef("token", "token")), (("Authorization", "Bearer t0ken"),), id="bearer, newline off"
        ),
        pytest.param(
            Auth(basic_auth_secret="login"),
            (("Authorization", "Basic " + base64.b64encode(b"ada:s3cret:with:colons").decode()),),
            id="basic",
        ),
        pytest.param(
            Auth(headers=(("X-Scope-OrgID", KeyRef("keys", "api-key")),), bearer_token=KeyRef("token", "token")),
            (("Authorization", "Bearer t0ken"), ("X-Scope-OrgID", "k3y")),
            id="a header of one's own beside a token",
        ),
    ],
)
async def test_credentials_become_headers(wanted: Auth, expected: auth.Headers) -> None:
    assert await auth.headers(wanted, "shop", STORE, None) == expected


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        pytest.param(Auth(bearer_token=KeyRef("gone", "token")), "Secret shop/gone does not exist", id="no Secret"),
        pytest.param(
            Auth(bearer_token=KeyRef("keys", "token")), "no key 'token'; its keys: api-key, broken", id="no such key"
        ),
        pytest.param(Auth(basic_auth_secret="token"), "no key 'username'", id="a Secret of another kind"),
        pytest.param(Auth(headers=(("X-Key", KeyRef("keys", "broken")),)), "line breaks", id="header injection"),
        pytest.param(Auth(headers=(("Host", KeyRef("keys", "api-key")),)), "'Host' cannot be set", id="the Host"),
        pytest.param(
            Auth(headers=(("Transfer-Encoding", KeyRef("keys", "api-key")),)), "cannot be set", id="the framing"
        ),
        pytest.param(Auth(headers=(("X Key", KeyRef("keys", "api-key")),)), "cannot be set", id="no header name"),
        pytest.param(
            Auth(bearer_token=KeyRef("token", "token"), basic_auth_secret="login"), "set twice", id="two at once"
        ),
    ],
)
async def test_what_cannot_be_sent_is_a_failure_that_names_the_fix_and_no_secret(wanted: Auth, said: str) -> None:
    outcome = await auth.headers(wanted, "shop", STORE, None)
    assert isinstance(outcome, Failure)
    assert outcome.reason is Reason.CREDENTIALS
    assert said in outcome.detail
    for secret in ("t0ken", "s3cret", "k3y", "Injected"):
        assert secret not in str(outcome)


async def test_secrets_come_from_the_namespace_of_the_autoscaler_only() -> None:
    store = Store(STORE.secrets)
    await auth.headers(Auth(bearer_token=KeyRef("token", "token"), headers=()), "shop", store, None)
    assert store.asked == [("shop", "token")]


def test_prepared_requests_hide_their_headers() -> None:
    secret = (("Authorization", "Bearer t0ken"),)
    assert "t0ken" not in repr(prepare.Prepared(headers=secret))
    ask = page.Ask("10.0.0.1", 8000, headers=secret)
    assert "t0ken" not in f"{ask!r} {ask}"


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        pytest.param(None, True, id="a pod"),
        pytest.param("prometheus.monitoring:9090", True, id="a host on the list"),
        pytest.param("thanos.monitoring:443", True, id="a host and port on the list, whatever its case"),
        pytest.param("thanos.monitoring:8080", False, id="another port"),
        pytest.param("prometheus.monitoring.evil.example:9090", False, id="a longer name"),
        pytest.param("evil.example:443", False, id="anybody"),
    ],
)
def test_the_own_token_goes_to_pods_and_listed_endpoints_only(peer: str | None, expected: bool) -> None:
    listed = prepare.Defaults(trusted_endpoints=("prometheus.monitoring", "Thanos.monitoring:443"))
    assert listed.trusts(peer) is expected


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    watched = files.File(str(path))
    outcome = watched.read()
    assert isinstance(outcome, Failure)
    assert str(path) in outcome.detail
    path.write_bytes(b"one")
    assert watched.read() == b"one"
    path.write_bytes(b"second")
    assert watched.read() == b"second"
    path.unlink()
    assert isinstance(watched.read(), Failure)


def test_a_mounted_file_that_is_swapped_by_a_link_is_noticed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_bytes(name.encode())
    link = tmp_path / "..data"
    link.symlink_to("one")
    watched = files.File(str(link / "token"))
    assert watched.read() == b"one"
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").rename(link)
    assert watched.read() == b"two"


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"x" * (files.LARGEST + 1))
    assert isinstance(files.File(str(path)).read(), Failure)
