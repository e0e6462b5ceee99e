"""An embedded API server that knows every kind the chart can make, and a client that installs manifests into it."""

import json
import lzma
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from podtide.local.access import ADMIN
from podtide.local.server import ApiServer
from tests.chart import helm

_MONITORING = Path(__file__).parents[1] / "data" / "monitoring" / "definitions.json.xz"
_ADMINISTRATOR = "administrator"

Object = dict[str, Any]


@dataclass
class Cluster:
    """The server and its administrator."""

    api: ApiServer
    client: httpx.AsyncClient
    _plurals: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)

    async def install(self, documents: Iterable[Object], namespace: str = "default") -> None:
        """Create every object, unknown fields being errors; those that name no namespace go to this one."""
        for document in documents:
            where = await self._path(document["apiVersion"], document["kind"], document, namespace)
            answer = await self.client.post(where, json=document, params={"fieldValidation": "Strict"})
            assert answer.status_code == 201, f"{document['kind']} {document['metadata']['name']}: {answer.text}"

    async def get(self, path: str) -> Object:
        """The object at a path."""
        found = (await self.client.get(path)).raise_for_status().json()
        assert isinstance(found, dict)
        return found

    async def _path(self, version: str, kind: str, document: Object, namespace: str) -> str:
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._plurals:
            for found in (await self.get(root))["resources"]:
                if "/" not in found["name"]:
                    self._plurals[(version, found["kind"])] = (found["name"], found["namespaced"])
        plural, is_namespaced = self._plurals[(version, kind)]
        place = f"/namespaces/{document['metadata'].get('namespace', namespace)}" if is_namespaced else ""
        return f"{root}{place}/{plural}"


@asynccontextmanager
async def opened() -> AsyncIterator[Cluster]:
    """A server with TLS and RBAC, the chart's CRD, Prometheus Operator's, and the namespaces of the tests."""
    async with ApiServer(tls=True, tokens={_ADMINISTRATOR: ADMIN}) as api:
        assert api.tls is not None
        trust = ssl.create_default_context(cadata=api.tls.authority.decode())
        headers = {"Authorization": f"Bearer {_ADMINISTRATOR}"}
        async with httpx.AsyncClient(base_url=api.url, verify=trust, headers=headers, timeout=30) as client:
            cluster = Cluster(api, client)
            await cluster.install(definitions())
            names = (helm.NAMESPACE, "shop", "search")
            await cluster.install(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names
            )
            yield cluster


def definitions() -> list[Object]:
    """The chart's own CRD and those of Prometheus Operator."""
    ours = [yaml.safe_load(crd["data"]) for crd in helm.chart().crds]
    return [*ours, *json.loads(lzma.decompress(_MONITORING.read_bytes()))]
