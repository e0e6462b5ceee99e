"""The embedded Kubernetes API server: one object to start, in the process, for the demo and for tests.

async with ApiServer() as api:
    api.kubeconfig(Path("kubeconfig"))
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import trustme
import yaml
from aiohttp import web

from podtide.local import access
from podtide.local.addons import MetricsApis
from podtide.local.collector import Collector
from podtide.local.faults import Faults
from podtide.local.routes import Routes
from podtide.local.store import Store

_BODY_LIMIT = 3 * 1024 * 1024
"""The largest request body, in bytes: kube-apiserver's own limit."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The server's certificate."""

    context: ssl.SSLContext
    authority: bytes
    """The certificate authority that signed it, PEM."""

    @classmethod
    def fresh(cls, *names: str) -> Tls:
        """A new authority and a certificate for these names and addresses."""
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(context)
        return cls(context, authority.cert_pem.bytes())


class ApiServer:
    """A Kubernetes API server on a local address."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        tls: Tls | bool = False,
        tokens: Mapping[str, access.User] | None = None,
        now: Callable[[], float] = time.time,
        log_length: int = 20_000,
    ) -> None:
        """Port 0 takes a free one; `tls=True` makes a certificate; `tokens` turn RBAC on, else everybody may do all."""
        self.store = Store(now=now, log_length=log_length)
        self.faults = Faults()
        self.gate = access.Gate(self.store, tokens)
        self.tls = Tls.fresh(host, "localhost") if tls is True else (tls or None)
        self._host = host
        self._port = port
        self.metrics = MetricsApis(self.store)
        self._routes = Routes(self.store, self.gate, self.faults, self.metrics, lambda: f"{self._host}:{self._port}")
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """Where it answers; known once it has started."""
        return f"{'https' if self.tls else 'http'}://{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        server = web.Server(self._routes.handle, request_factory=_request)
        runner = web.ServerRunner(server, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, self._host, self._port, ssl_context=self.tls.context if self.tls else None)
        await site.start()
        self._port = runner.addresses[0][1]
        await self._stack.enter_async_context(Collector(self.store))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.faults.drop_watches()
        await self._stack.aclose()

    def token(self, namespace: str, service_account: str) -> str:
        """A new bearer token of a ServiceAccount, for a server with RBAC on."""
        if self.gate.tokens is None:
            raise ValueError("this server knows no tokens; start it with tokens={…} to turn RBAC on")
        token = secrets.token_urlsafe(24)
        self.gate.tokens[token] = access.service_account(namespace, service_account)
        return token

    def config(self, token: str = "", namespace: str = "default") -> dict[str, Any]:
        """A kubeconfig for a bearer token, or the first administrator's."""
        cluster: dict[str, Any] = {"server": self.url}
        if self.tls is not None:
            cluster["certificate-authority-data"] = base64.b64encode(self.tls.authority).decode()
        found = token or self._administrator()
        context = {"cluster": "podtide", "user": "podtide", "namespace": namespace}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "podtide", "cluster": cluster}],
            "users": [{"name": "podtide", "user": {"token": found}}],
            "contexts": [{"name": "podtide", "context": context}],
            "current-context": "podtide",
        }

    def _administrator(self) -> str:
        if self.gate.tokens is None:
            # Any token will do, but kubectl asks for a name and password when there is none.
            return "anybody"
        found = next((token for token, user in self.gate.tokens.items() if access.MASTERS in user.groups), None)
        if found is None:
            raise ValueError("none of this server's tokens is an administrator's; say which one the kubeconfig is for")
        return found

    def kubeconfig(self, path: Path, token: str = "", namespace: str = "default") -> Path:
        """Writes a kubeconfig that only its owner can read; returns its path."""
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(self.config(token, namespace)), encoding="utf-8")
        return path


def _request(*parts: Any) -> web.BaseRequest:
    message, payload, protocol, writer, task = parts
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_BODY_LIMIT)
