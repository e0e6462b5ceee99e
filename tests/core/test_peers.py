"""Which server a URL leads to, and whether a list names it."""

import pytest

from podtide.core.model import peers


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://prometheus.monitoring:9090/api", "prometheus.monitoring:9090"),
        ("https://Thanos.Monitoring", "thanos.monitoring:443"),
        ("http://thanos", "thanos:80"),
        ("https://[FD00::1]/x", "[fd00::1]:443"),
        ("http://user:secret@thanos:8080", "thanos:8080"),
    ],
)
def test_a_url_leads_to_a_host_and_a_port(url: str, expected: str) -> None:
    assert peers.of(url) == expected


@pytest.mark.parametrize("url", ["thanos", "ftp://thanos", "http://", "http://thanos:port"])
def test_a_url_without_a_server_raises(url: str) -> None:
    with pytest.raises(ValueError, match=r"no host and port|Port could not be cast"):
        peers.of(url)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("thanos.monitoring:443", True, id="host and port"),
        pytest.param("Thanos.Monitoring", True, id="the host alone, whatever its case"),
        pytest.param("thanos.monitoring:80", False, id="another port"),
        pytest.param("thanos", False, id="the beginning of its name"),
        pytest.param("monitoring:443", False, id="the end of its name"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_list_names_hosts_or_hosts_with_a_port(name: str, expected: bool) -> None:
    assert peers.is_named("thanos.monitoring:443", [name]) is expected


def test_an_address_of_ipv6_is_named_in_brackets() -> None:
    assert peers.is_named("[fd00::1]:443", ["[FD00::1]"])
    assert peers.is_named("[fd00::1]:443", ["[fd00::1]:443"])
    assert not peers.is_named("[fd00::1:443]:80", ["[fd00::1]:443"])
