"""Where a pod's page is."""

import pytest

from podtide.core.model.reading import Failure, Reason
from podtide.core.model.spec import Http, PodPage
from podtide.core.model.view import ContainerView, PodView, PortView
from podtide.net.page import Ask
from podtide.net.prepare import Prepared
from podtide.sources import addresses, verdict
from tests.sources.specs import pod

MAIN = ContainerView("main", ports=(PortView("http", 8000), PortView("metrics", 9000)))
ONE = ContainerView("main", ports=(PortView("", 8000),))
PROXY = ContainerView("proxy", ports=(PortView("http-envoy-prom", 15090),))


@pytest.mark.parametrize(
    ("wanted", "more", "expected"),
    [
        pytest.param(8080, {}, 8080, id="a number, declared or not"),
        pytest.param("metrics", {"containers": (MAIN,)}, 9000, id="a name"),
        pytest.param("http-envoy-prom", {"containers": (MAIN, PROXY)}, 15090, id="a name in another container"),
        pytest.param("http-envoy-prom", {"init_containers": (PROXY,)}, None, id="init containers are over"),
        pytest.param(
            "http-envoy-prom",
            {"init_containers": (ContainerView("p", ports=PROXY.ports, restartable=True),)},
            15090,
            id="but sidecars run",
        ),
        pytest.param("gone", {"containers": (MAIN,)}, None, id="a name that is not there"),
        pytest.param(
            None, {"containers": (MAIN,), "annotations": {"prometheus.io/port": "9000"}}, 9000, id="the annotation"
        ),
        pytest.param(
            None, {"containers": (MAIN,), "annotations": {"prometheus.io/port": "metrics"}}, 9000, id="naming a port"
        ),
        pytest.param(None, {"annotations": {"prometheus.io/port": "http"}}, None, id="an annotation in vain"),
        pytest.param(None, {"annotations": {"prometheus.io/port": "99999"}}, None, id="an annotation out of range"),
        pytest.param(
            8080, {"annotations": {"prometheus.io/port": "9000"}}, 8080, id="the source before the annotation"
        ),
        pytest.param(None, {"containers": (ONE,)}, 8000, id="the only port"),
        pytest.param(None, {"containers": (ONE, ONE)}, 8000, id="the only port, declared twice"),
        pytest.param(None, {"containers": (MAIN,)}, None, id="one of two"),
        pytest.param(None, {}, None, id="none at all"),
    ],
)
def test_the_port(wanted: int | str | None, more: dict[str, object], expected: int | None) -> None:
    found = addresses.port(pod(1, **more), wanted)
    if expected is None:
        assert isinstance(found, Failure)
        assert found.reason is Reason.NO_PORT
        assert "web-1" in found.detail
    else:
        assert found == expected


def test_a_port_that_is_not_there_is_answered_with_those_that_are() -> None:
    found = addresses.port(pod(1, containers=(MAIN, ONE)), "gone")
    assert isinstance(found, Failure)
    assert "http 8000, metrics 9000, 8000" in found.detail


@pytest.mark.parametrize(
    ("wanted", "more", "expected"),
    [
        pytest.param(None, {}, "/metrics", id="as everybody"),
        pytest.param("stats/prometheus", {}, "/stats/prometheus", id="without its slash"),
        pytest.param("/a b?x=%20ü#part", {}, "/a%20b?x=%20%C3%BC", id="escaped once"),
        pytest.param("/\r\nHost: evil", {}, "/%0D%0AHost:%20evil", id="no way into the request"),
        pytest.param(None, {"annotations": {"prometheus.io/path": "/custom"}}, "/custom", id="the annotation"),
        pytest.param("/mine", {"annotations": {"prometheus.io/path": "/custom"}}, "/mine", id="the source before it"),
        pytest.param(None, {"labels": {"model.aibrix.ai/engine": "trtllm"}}, "/prometheus/metrics", id="the engine's"),
    ],
)
def test_the_path(wanted: str | None, more: dict[str, object], expected: str) -> None:
    assert addresses.path(pod(1, **more), wanted) == expected


@pytest.mark.parametrize(
    ("scheme", "annotation", "expected"),
    [
        (None, None, "http"),
        (None, "https", "https"),
        (None, "HTTPS", "https"),
        (None, "gopher", "http"),
        ("http", "https", "http"),
        ("https", "http", "https"),
    ],
)
def test_the_protocol(scheme: str | None, annotation: str | None, expected: str) -> None:
    noted = {} if annotation is None else {"prometheus.io/scheme": annotation}
    source = PodPage(Http(scheme=scheme), 80, None)  # type: ignore[arg-type]
    assert addresses.scheme(pod(1, annotations=noted), source) == expected


def test_a_pod_without_an_address_is_a_failure() -> None:
    found = addresses.ask(pod(1, ip=""), PodPage(Http(), 80, None), Prepared())
    assert isinstance(found, Failure)
    assert found.reason is Reason.NO_ADDRESS


def test_all_of_it_in_one_ask() -> None:
    way = Prepared(None, "web.shop", (("Host", "web.shop"),))
    single = PodView("web-1", "uid-1", "fd00::1", containers=(ONE,))
    found = addresses.ask(single, PodPage(Http(), None, None), way)
    headers = (("Accept", verdict.ACCEPT), ("Host", "web.shop"))
    assert found == Ask("fd00::1", 8000, "/metrics", None, "web.shop", headers)
    assert str(found) == "http://[fd00::1]:8000/metrics"
