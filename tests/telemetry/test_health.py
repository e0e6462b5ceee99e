import socket
import struct
import threading
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.openmetrics import parser

from podtide.telemetry.health import STALLED, Health, HealthServer
from podtide.telemetry.meters import Meters


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def health(time: Time) -> Health:
    return Health(monotonic=time)


@pytest.fixture
def url(health: Health) -> Iterator[str]:
    server = HealthServer(health, Meters().registry, host="127.0.0.1", port=0)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def test_alive_while_the_loop_beats(health: Health, time: Time, url: str) -> None:
    time.now = STALLED
    assert httpx.get(f"{url}/livez").status_code == 200
    time.now = STALLED + 60
    stalled = httpx.get(f"{url}/livez")
    assert (stalled.status_code, stalled.text) == (503, "the event loop has not run for 90 s\n")
    health.beat()
    assert httpx.get(f"{url}/livez").status_code == 200


def test_ready_once_told_so(health: Health, url: str) -> None:
    health.not_ready("waiting for lists")
    waiting = httpx.get(f"{url}/readyz")
    assert (waiting.status_code, waiting.text) == (503, "waiting for lists\n")
    health.ready()
    assert httpx.get(f"{url}/readyz").status_code == 200


def test_metrics_come_as_openmetrics_when_asked_for(url: str) -> None:
    answer = httpx.get(f"{url}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    families = {family.name for family in parser.text_string_to_metric_families(answer.text)}
    assert "podtide_build" in families
    assert answer.headers["content-type"].startswith("application/openmetrics-text")


def test_other_paths_say_which_there_are(url: str) -> None:
    answer = httpx.get(f"{url}/")
    assert (answer.status_code, answer.text) == (404, "/metrics, /livez, /readyz\n")


def test_a_port_that_is_taken_is_named(health: Health, url: str) -> None:
    taken = int(url.rpartition(":")[2])
    with pytest.raises(OSError, match=rf"127\.0\.0\.1, port {taken}: Address already in use"):
        HealthServer(health, Meters().registry, host="127.0.0.1", port=taken)


def test_one_who_hangs_up_while_being_answered_is_no_error(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        client.recv(1)
        # Closes with a reset, as a process does that is killed.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for thread in threading.enumerate():
        if "process_request" in thread.name:
            thread.join(10)
    assert httpx.get(f"{url}/livez").status_code == 200
    assert "Traceback" not in capfd.readouterr().err
