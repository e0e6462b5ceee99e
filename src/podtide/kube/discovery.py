"""Which path serves a kind, and whether it has a scale. Answers are kept; a kind unknown is asked for again later."""

import time

import msgspec

from podtide.kube import errors, resources
from podtide.kube.client import Client
from podtide.kube.resources import Resource

_ASK_AGAIN = 30.0
"""Seconds for which "there is no such kind" is believed: a CRD may be on its way."""


class _ApiResource(msgspec.Struct):
    name: str
    kind: str
    namespaced: bool = True


class _ApiResources(msgspec.Struct):
    resources: list[_ApiResource]


class UnknownKindError(errors.KubeError):
    """The API server serves no such kind."""


class Discovery:
    """`apiVersion` and `kind` → `Resource`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[tuple[str, str], Resource] = {
            (resource.api_version, resource.kind): resource for resource in resources.BUILT_IN
        }
        self._unknown: dict[tuple[str, str], float] = {}

    async def resource(self, api_version: str, kind: str) -> Resource:
        """The resource that serves a kind.

        Raises:
            UnknownKindError: the server does not have it; asked again only after half a minute.
            KubeError: the server could not be asked.
        """
        wanted = (api_version, kind)
        if wanted not in self._known and time.monotonic() - self._unknown.get(wanted, -_ASK_AGAIN) >= _ASK_AGAIN:
            await self._ask(api_version)
            if wanted not in self._known:
                self._unknown[wanted] = time.monotonic()
        try:
            return self._known[wanted]
        except KeyError:
            raise UnknownKindError(f"the API server serves no kind {kind!r} in {api_version!r}") from None

    async def _ask(self, api_version: str) -> None:
        group, _, version = api_version.rpartition("/")
        where = Resource(group, version, "", "")
        try:
            body = await self._client.request("GET", where, where.path().rstrip("/"))
        except errors.NotFound:
            return
        try:
            found = msgspec.json.decode(body, type=_ApiResources).resources
        except errors.UNREADABLE as error:
            raise errors.ServerError(500, "Malformed", f"{api_version} lists no resources: {error}") from error
        scalable = {item.name.removesuffix("/scale") for item in found if item.name.endswith("/scale")}
        for item in found:
            if "/" not in item.name:
                self._known[(api_version, item.kind)] = Resource(
                    group, version, item.name, item.kind, item.namespaced, has_scale=item.name in scalable
                )
