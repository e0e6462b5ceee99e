"""Which path serves a kind, and whether it has a scale. Answers are kept; a kind unknown is asked for again later.

Groups, versions and kinds are words that objects of tenants say: what is no such word is never asked for, since it
would become a path, and of those that are nothing remains when their time is over.
"""

import re
import time

import msgspec

from podtide.kube import errors, resources
from podtide.kube.client import Client
from podtide.kube.resources import Resource

_ASK_AGAIN = 30.0
"""Seconds for which "there is no such kind" is believed: a CRD may be on its way."""
_REMEMBERED = 256
"""Groups in which kinds were sought in vain, above which those of old are forgotten."""
_LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_API_VERSION = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*/)?{_LABEL}")
"""A group and a version, as the API server lets them be called."""
_LONGEST = 253 + 1 + 63
_SHOWN = 60


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
        self._asked: dict[str, float] = {}
        """`apiVersion` → when its kinds were last listed."""

    def __len__(self) -> int:
        return len(self._asked)

    async def resource(self, api_version: str, kind: str) -> Resource:
        """The resource that serves a kind.

        Raises:
            UnknownKindError: the server does not have it; asked again only after half a minute.
            KubeError: the server could not be asked.
        """
        wanted = (api_version, kind)
        if wanted not in self._known and self._may_ask(api_version):
            await self._ask(api_version)
            self._asked[api_version] = time.monotonic()
        try:
            return self._known[wanted]
        except KeyError:
            raise UnknownKindError(
                f"the API server serves no kind {kind[:_SHOWN]!r} in {api_version[:_SHOWN]!r}"
            ) from None

    def _may_ask(self, api_version: str) -> bool:
        if len(api_version) > _LONGEST or not _API_VERSION.fullmatch(api_version):
            return False
        now = time.monotonic()
        if len(self._asked) > _REMEMBERED:
            self._asked = {asked: at for asked, at in self._asked.items() if now - at < _ASK_AGAIN}
        return now - self._asked.get(api_version, -_ASK_AGAIN) >= _ASK_AGAIN

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
