"""PodAutoscalers from a directory of YAML files, a mounted ConfigMap for one, for clusters without the CRD.

The directory is read again when any file in it changes; a file that cannot be read keeps what it said before.
"""

import hashlib
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from podtide.aio.clock import Clock
from podtide.api import decode
from podtide.api.settings import Settings
from podtide.control.feeds import base, documents
from podtide.control.feeds.base import Change, Remove, Seen, Upsert
from podtide.core.model.spec import Key
from podtide.kube.objects import Meta

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two looks. A mounted ConfigMap changes by a swap of links, which no event of a file shows."""


class FileFeed:
    """Every PodAutoscaler document of every `*.yaml`, `*.yml` and `*.json` file of a directory."""

    def __init__(self, directory: Path, settings: Settings, clock: Clock, *, every: float = EVERY) -> None:
        self._directory = directory
        self._settings = settings
        self._clock = clock
        self._every = every
        self._digests: dict[Path, bytes] = {}
        self._documents: dict[Path, list[Mapping[str, Any]]] = {}
        self._told: dict[Key, Mapping[str, Any]] = {}
        self._generation = 0
        self._synced = False
        self._complaints: dict[Path, str] = {}
        """What was last said of each path, so that it is said once and not with every look."""

    async def changes(self) -> AsyncIterator[Change]:
        """Every autoscaler, then every change of one."""
        while True:
            if self._read():
                for change in self._compare():
                    yield change
            self._synced = True
            await self._clock.sleep(self._every)

    def is_synced(self) -> bool:
        """Whether the directory has been read once."""
        return self._synced

    def seen(self, key: Key) -> Seen:
        """Files have no status."""
        return Seen()

    def _read(self) -> bool:
        """Read what has changed; whether anything has."""
        try:
            paths = sorted(path for path in self._directory.iterdir() if path.suffix in (".yaml", ".yml", ".json"))
        except OSError as error:
            why = f"{self._directory}: {error.strerror}; the autoscalers read before stay in force"
            self._complain(self._directory, why)
            return False
        self._complaints.pop(self._directory, None)
        changed = False
        for path in paths:
            changed |= self._read_file(path)
        for path in self._documents.keys() - set(paths):
            del self._documents[path], self._digests[path]
            self._complaints.pop(path, None)
            changed = True
        return changed

    def _read_file(self, path: Path) -> bool:
        try:
            content = path.read_bytes()
            digest = hashlib.sha256(content).digest()
            if self._digests.get(path) == digest:
                return False
            found = [item.value for item in documents.documents(content) if isinstance(item.value, Mapping)]
        except (OSError, documents.NotYaml) as error:
            self._complain(path, f"{path}: {error}; what it said before stays in force")
            return False
        self._complaints.pop(path, None)
        self._digests[path], self._documents[path] = digest, found
        return True

    def _compare(self) -> list[Change]:
        now: dict[Key, Mapping[str, Any]] = {}
        for path, found in self._documents.items():
            for document in found:
                if not decode.is_autoscaler(document):
                    continue
                key = _key(document)
                if key in now:
                    self._complain(path, f"{path}: {key} stands in another place too; the first counts")
                now.setdefault(key, document)
        changes: list[Change] = [Remove(key) for key in self._told if key not in now]
        changes += [self._upsert(key, document) for key, document in now.items() if self._told.get(key) != document]
        self._told = now
        return changes

    def _upsert(self, key: Key, document: Mapping[str, Any]) -> Upsert:
        self._generation += 1
        metadata = Meta(name=key.name, namespace=key.namespace, uid=f"file:{key}", generation=self._generation)
        place = {"namespace": key.namespace, "uid": metadata.uid, "generation": self._generation}
        named = {**document, "metadata": {**_metadata(document), **place}}
        return Upsert(key, metadata, base.read(key, named, self._settings))

    def _complain(self, path: Path, text: str) -> None:
        if text != self._complaints.get(path):
            log.error("%s", text)
        self._complaints[path] = text


def _metadata(document: Mapping[str, Any]) -> Mapping[str, Any]:
    found = document.get("metadata")
    return found if isinstance(found, Mapping) else {}


def _key(document: Mapping[str, Any]) -> Key:
    fields = _metadata(document)
    return Key(str(fields.get("namespace") or "default"), str(fields.get("name") or ""))
