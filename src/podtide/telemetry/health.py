"""`/metrics`, `/livez` and `/readyz`, answered by a thread of their own: a busy loop never gets a healthy pod killed.

`control.app` makes one and has its loop call `beat` once a second.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

log = logging.getLogger(__name__)

STALLED = 30.0
"""Seconds without a beat after which the loop counts as stalled. Liveness depends on nothing else: not on scrapes, not
on the API server."""


class Health:
    """What the probes know; written by the loop, read by the server's threads."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._beaten = monotonic()
        self._missing: str | None = "starting"

    def beat(self) -> None:
        """The loop is alive."""
        self._beaten = self._monotonic()

    def not_ready(self, why: str) -> None:
        """Why this replica cannot work yet."""
        self._missing = why

    def ready(self) -> None:
        """The caches have synced."""
        self._missing = None

    def live_problem(self) -> str | None:
        """Why the process should be restarted; None while it should not."""
        silent = self._monotonic() - self._beaten
        return f"the event loop has not run for {silent:.0f} s" if silent > STALLED else None

    def ready_problem(self) -> str | None:
        """Why this replica is not ready; None when it is."""
        return self._missing


class HealthServer:
    """The HTTP server and its thread."""

    def __init__(self, health: Health, registry: CollectorRegistry, *, host: str = "0.0.0.0", port: int = 8080) -> None:  # noqa: S104  (the kubelet and Prometheus come from outside the pod)
        """Binds at once; port 0 takes a free one, `self.port` tells which.

        Raises:
            OSError: the address cannot be bound.
        """
        handler = type("Handler", (_Handler,), {"health": health, "registry": registry})
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            raise OSError(
                error.errno, f"cannot listen on {host or 'any address'}, port {port}: {error.strerror}"
            ) from None
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="health", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._thread.join()
        self.close()

    def close(self) -> None:
        """Free the port of a server that was never started."""
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        # The base class writes a traceback past our log; one who hangs up before the answer is no error at all.
        if isinstance(sys.exception(), OSError):
            log.debug("%s has hung up", client_address)
        else:
            log.exception("could not answer %s", client_address)


class _Handler(BaseHTTPRequestHandler):
    health: ClassVar[Health]
    registry: ClassVar[CollectorRegistry]
    protocol_version = "HTTP/1.1"
    timeout = 10
    """Seconds for a client to send its request, so that idle ones do not keep threads."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encoder, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(200, content_type, encoder(self.registry))
        elif path in ("/livez", "/healthz"):
            self._probe(self.health.live_problem())
        elif path == "/readyz":
            self._probe(self.health.ready_problem())
        else:
            self._answer(404, "text/plain; charset=utf-8", b"/metrics, /livez, /readyz\n")

    def _probe(self, problem: str | None) -> None:
        text = "ok" if problem is None else problem
        self._answer(200 if problem is None else 503, "text/plain; charset=utf-8", f"{text}\n".encode())

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
        log.debug(format, *args)
