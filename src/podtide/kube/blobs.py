"""Byte strings by name, kept in ConfigMaps: as many as they need, since an object holds at most one MiB.

`control.keeper` keeps there what a shard's autoscalers remember. Parts are numbered from 0; the first that is missing
ends the list. A write carries the resourceVersion of the last read or write, so that of two writers one fails.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from podtide.kube import errors, objects, resources
from podtide.kube.client import Client

PART = 512 * 1024
"""Bytes in one ConfigMap. In base64 they are two thirds of a MiB, and the API server takes a whole one."""
MOST = 64
"""Parts that are read and written, 32 MiB in all."""


class Blobs:
    """One set of byte strings."""

    def __init__(self, client: Client, namespace: str, name: str, *, part: int = PART) -> None:
        """They are in the ConfigMaps `name`-0, `name`-1, …"""
        self._client = client
        self._namespace = namespace
        self._name = name
        self._part = part
        self._versions: list[str] = []
        """The resourceVersion of each part that there is."""

    async def load(self) -> dict[str, bytes]:
        """Everything that is kept.

        Raises:
            KubeError: it cannot be read.
        """
        found: dict[str, bytes] = {}
        self._versions = []
        while len(self._versions) < MOST:
            name = self._called(len(self._versions))
            try:
                part = await self._client.get(resources.CONFIG_MAPS, self._namespace, name, into=objects.ConfigMap)
            except errors.NotFound:
                break
            self._versions.append(part.metadata.resourceVersion)
            found |= part.binaryData or {}
        return found

    async def save(self, blobs: Mapping[str, bytes], *, permit: Callable[[], bool]) -> None:
        """Keep these and nothing else. `permit` is asked right before each write.

        Raises:
            Withheld: `permit` said no.
            Conflict: somebody else has written since; what there is must be loaded first.
            KubeError: it cannot be written.
        """
        parts = list(_packed(blobs, self._part))[:MOST]
        # A part too many is emptied: the right to delete is not needed for that.
        parts += [{} for _ in range(len(self._versions) - len(parts))]
        for number, part in enumerate(parts):
            await self._write(number, part, permit)

    async def _write(self, number: int, part: Mapping[str, bytes], permit: Callable[[], bool]) -> None:
        name = self._called(number)
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self._namespace},
            # msgspec writes bytes as base64, as Kubernetes does.
            "binaryData": msgspec.to_builtins(part),
        }
        if number < len(self._versions):
            body["metadata"]["resourceVersion"] = self._versions[number]
            kept = await self._client.replace(
                resources.CONFIG_MAPS, self._namespace, name, body, into=objects.Partial, permit=permit
            )
            self._versions[number] = kept.metadata.resourceVersion
        else:
            kept = await self._client.create(
                resources.CONFIG_MAPS, self._namespace, body, into=objects.Partial, permit=permit
            )
            self._versions.append(kept.metadata.resourceVersion)

    def _called(self, number: int) -> str:
        return f"{self._name}-{number}"


def _packed(blobs: Mapping[str, bytes], size: int) -> Iterable[dict[str, bytes]]:
    """The byte strings in parts of at most `size` bytes; one that is larger by itself is left out."""
    part: dict[str, bytes] = {}
    left = size
    for name, blob in sorted(blobs.items()):
        need = len(name) + len(blob)
        if need > size:
            continue
        if need > left:
            yield part
            part, left = {}, size
        part[name] = blob
        left -= need
    yield part
