"""URLs that tenants write lead to services, and not into the controller's own corner of the network."""

import pytest

from podtide.core.model.reading import Failure, Reason
from podtide.net.guard import Guard


@pytest.mark.parametrize(
    ("host", "allowed", "is_allowed"),
    [
        pytest.param("10.1.2.3", (), True, id="a pod or a Service"),
        pytest.param("fd12::7", (), True, id="the same in IPv6"),
        pytest.param("8.8.8.8", (), True, id="the internet"),
        pytest.param("169.254.169.254", (), False, id="the cloud's credentials"),
        pytest.param("fe80::1", (), False, id="link-local IPv6"),
        pytest.param("fd00:ec2::254", (), False, id="the cloud's credentials in IPv6"),
        pytest.param("fd00:ec2::23", (), False, id="the credentials of EKS' pods in IPv6"),
        pytest.param("fd20:ce::254", (), False, id="Google's metadata in IPv6"),
        pytest.param("fd00:c1::a9fe:a9fe", (), False, id="Oracle's metadata in IPv6"),
        pytest.param("0x7f.1", (), False, id="loopback in hexadecimal"),
        pytest.param("0177.0.0.1", (), False, id="loopback in octal"),
        pytest.param("127.1", (), False, id="loopback, shortened"),
        pytest.param("fe80::1%1", (), False, id="link-local with a zone"),
        pytest.param("100.100.100.200", (), False, id="another cloud's credentials"),
        pytest.param("127.0.0.1", (), False, id="the controller itself"),
        pytest.param("::1", (), False, id="the controller itself in IPv6"),
        pytest.param("::ffff:127.0.0.1", (), False, id="IPv4 in IPv6's clothes"),
        pytest.param("::169.254.169.254", (), False, id="IPv4 in IPv6's old clothes"),
        pytest.param("64:ff9b::a9fe:a9fe", (), False, id="the cloud's credentials behind a translator"),
        pytest.param("64:ff9b::7f00:1", (), False, id="loopback behind a translator"),
        pytest.param("64:ff9b::a60:1", (), False, id="the API server behind a translator"),
        pytest.param("2002:a9fe:a9fe::1", (), False, id="the cloud's credentials through 6to4"),
        pytest.param("64:ff9b::808:808", (), True, id="the internet behind a translator"),
        pytest.param("64:ff9b::a9fe:a9fe", ("64:ff9b::/96",), True, id="a translator the operator allows"),
        pytest.param("168.63.129.16", (), False, id="a third cloud's host"),
        pytest.param("0.0.0.1", (), False, id="an address that means this network"),
        pytest.param("0", (), False, id="every address of this machine"),
        pytest.param("224.0.0.1", (), False, id="multicast"),
        pytest.param("localhost", (), False, id="a name of this machine"),
        pytest.param("LocalHost", (), False, id="the same, spelled otherwise"),
        pytest.param("2130706433", (), False, id="the same as one number"),
        pytest.param("10.96.0.1", (), False, id="the API server's address"),
        pytest.param("127.0.0.1", ("127.0.0.0/8",), True, id="a network the operator allows"),
        pytest.param("127.0.0.1", ("127.0.0.1",), True, id="an address the operator allows"),
        pytest.param("localhost", ("LOCALHOST",), True, id="a name the operator allows"),
        pytest.param("localhost", ("*.host",), False, id="a suffix of other names"),
    ],
)
async def test_where_a_url_may_lead(host: str, allowed: tuple[str, ...], is_allowed: bool) -> None:
    outcome = await Guard(allowed=allowed, refused=["10.96.0.1"]).addresses(host, 80)
    if is_allowed:
        assert not isinstance(outcome, Failure)
        assert outcome
    else:
        assert isinstance(outcome, Failure)
        assert outcome.reason is Reason.FORBIDDEN_ADDRESS
        assert "allowed endpoints" in outcome.detail


async def test_names_of_the_api_server_are_refused_before_any_look_up() -> None:
    outcome = await Guard(refused=["kubernetes.default.svc"]).addresses("Kubernetes.Default.svc.", 443)
    assert isinstance(outcome, Failure)
    assert "API server" in outcome.detail


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".example", "."])
async def test_a_name_that_means_nothing_is_a_failure(host: str) -> None:
    outcome = await Guard().addresses(host, 80)
    assert isinstance(outcome, Failure)
    assert outcome.reason is Reason.CONNECT
