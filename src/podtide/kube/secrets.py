"""Secrets and ConfigMaps by name, for TLS and credentials. Asked for one by one: the controller needs no right to
list or watch anybody's Secrets, only to get those that a PodAutoscaler of the same namespace names."""

import re
import time
from collections.abc import Mapping
from typing import TypeVar

from podtide.core.model.reading import Failure, Reason
from podtide.kube import errors, objects, resources
from podtide.kube.client import Client
from podtide.kube.resources import Resource

W = TypeVar("W", objects.KeyValues, objects.ConfigMap)

_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")
"""What the API server lets a Secret or ConfigMap be called, but for its length."""

FRESH = 30.0
"""Seconds for which an answer is used again, so that a changed Secret is seen within half a minute."""
KEPT = 600.0
"""Seconds after which what nobody has asked for any more is forgotten; whoever uses it asks twice a minute."""


class Secrets:
    """Contents of Secrets and ConfigMaps, kept in memory for a short while. Nothing of them is ever logged."""

    def __init__(self, client: Client, *, fresh: float = FRESH, kept: float = KEPT) -> None:
        self._client = client
        self._fresh = fresh
        self._kept = kept
        self._swept = time.monotonic()
        self._answers: dict[tuple[str, str, str], tuple[float, Mapping[str, bytes] | Failure]] = {}

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | Failure:
        """The values of a Secret by key, or why they cannot be had."""
        return await self._ask(resources.SECRETS, namespace, name)

    async def config_map(self, namespace: str, name: str) -> Mapping[str, bytes] | Failure:
        """The values of a ConfigMap by key, or why they cannot be had."""
        return await self._ask(resources.CONFIG_MAPS, namespace, name)

    def __len__(self) -> int:
        return len(self._answers)

    async def _ask(self, resource: Resource, namespace: str, name: str) -> Mapping[str, bytes] | Failure:
        wanted = (resource.plural, namespace, name)
        now = time.monotonic()
        at, answer = self._answers.get(wanted, (float("-inf"), None))
        if answer is not None and now - at < self._fresh:
            return answer
        if now - self._swept > self._kept / 2:
            # Secrets of autoscalers that have gone, or name others, are nothing to keep in memory.
            self._answers = {each: known for each, known in self._answers.items() if now - known[0] < self._kept}
            self._swept = now
        fresh = await self._get(resource, namespace, name)
        if isinstance(fresh, Failure) and fresh.reason is Reason.API and answer is not None:
            # The API server is away: what it said last is better than nothing.
            fresh = answer
        self._answers[wanted] = (time.monotonic(), fresh)
        return fresh

    async def _get(self, resource: Resource, namespace: str, name: str) -> Mapping[str, bytes] | Failure:
        if not _NAME.fullmatch(name):
            # A name such as `..` or `../../other/secrets/x` must not become a path that leads elsewhere.
            return Failure(Reason.CREDENTIALS, f"{resource.kind} {namespace}/{name}: this is no name; correct it")
        try:
            if resource is resources.SECRETS:
                return (await self._client.get(resource, namespace, name, into=objects.KeyValues)).data or {}
            found = await self._client.get(resource, namespace, name, into=objects.ConfigMap)
        except errors.NotFound:
            return Failure(
                Reason.CREDENTIALS, f"{resource.kind} {namespace}/{name} does not exist; create it or correct the name"
            )
        except errors.Forbidden:
            return Failure(
                Reason.CREDENTIALS,
                f"the controller may not get {resource.plural} in namespace {namespace}; grant it the verb get",
            )
        except errors.KubeError as error:
            return Failure(Reason.API, f"{resource.kind} {namespace}/{name}: {error}")
        return {key: text.encode() for key, text in (found.data or {}).items()} | (found.binaryData or {})
