"""Replays recorded exchanges against the embedded server and makes both sides comparable."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp

from podtide.local import access
from podtide.local.server import ApiServer

RECORDINGS = Path(__file__).parents[1] / "data/apiserver/recordings.json.gz"
_HTTP_AGENT = "python-httpx/0.28.1"


def exchanges() -> list[dict[str, Any]]:
    """Every recorded exchange, in order."""
    found: list[dict[str, Any]] = json.loads(gzip.decompress(RECORDINGS.read_bytes()))
    return found


@dataclass
class Answer:
    """What the embedded server answered to one recorded request."""

    status: int
    headers: dict[str, str]
    body: Any
    events: list[Any] = field(default_factory=list)
    broken_links: list[str] = field(default_factory=list)
    """uids, resourceVersions or continue tokens that were equal in the recording and are not here, or the reverse."""


class Links:
    """Which of our uids, resourceVersions and tokens stand for which recorded ones."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def translate(self, kind: str, recorded: str) -> str:
        """Our name for a recorded one; the recorded one itself where nothing is known."""
        return self._known.get((kind, recorded), recorded)

    def learn(self, recorded: Any, ours: Any, broken: list[str]) -> None:
        """Walks both answers side by side."""
        if isinstance(recorded, dict) and isinstance(ours, dict):
            for name, value in recorded.items():
                other = ours.get(name)
                if name in ("uid", "resourceVersion", "continue") and isinstance(value, str) and isinstance(other, str):
                    if value and self._known.setdefault((name, value), other) != other:
                        broken.append(f"{name} {value}: {self._known[name, value]} became {other}")
                elif name != "managedFields":
                    self.learn(value, other, broken)
        elif isinstance(recorded, list) and isinstance(ours, list):
            for one, other in zip(recorded, ours, strict=False):
                self.learn(one, other, broken)

    def body(self, body: Any) -> Any:
        """A recorded request body with our uids and resourceVersions."""
        if isinstance(body, dict):
            return {
                name: self.translate(name, value)
                if name in ("uid", "resourceVersion") and isinstance(value, str)
                else self.body(value)
                for name, value in body.items()
            }
        return [self.body(item) for item in body] if isinstance(body, list) else body

    def path(self, path: str) -> str:
        """A recorded path with our resourceVersions and continue tokens in its query."""
        parts = urlsplit(path)
        query = [(name, self.translate(name, value)) for name, value in parse_qsl(parts.query)]
        return f"{parts.path}?{urlencode(query)}" if query else parts.path


async def _during_watch(session: aiohttp.ClientSession) -> None:
    """The writes made while `watch-from-list` was open; the recording shows only what the watch saw of them."""
    pods = "/api/v1/namespaces/shop/pods"
    headers = {"Content-Type": "application/merge-patch+json"}
    for name, label, value in (("web-2", "x", "y"), ("web-3", "tier", "back"), ("web-4", "tier", "front")):
        patch = json.dumps({"metadata": {"labels": {label: value}}})
        (await session.patch(f"{pods}/{name}", data=patch, headers=headers)).raise_for_status()
    recorded = next(item for item in exchanges() if item["step"] == "create-pod-0")
    pod = {**recorded["request"]["body"]}
    pod["metadata"] = {**pod["metadata"], "name": "web-7"}
    (await session.post(pods, json=pod)).raise_for_status()
    (await session.delete(f"{pods}/web-7", json={"gracePeriodSeconds": 0})).raise_for_status()


async def _watch(response: aiohttp.ClientResponse, wanted: int) -> list[Any]:
    events = []
    async with asyncio.timeout(10):
        async for line in response.content:
            events.append(json.loads(line))
            if len(events) == wanted:
                break
    return events


async def replay() -> list[Answer]:
    """Every recorded exchange, in order, against one empty server."""
    answers = []
    links = Links()
    async with (
        ApiServer(tokens={"admin": access.ADMIN}) as api,
        aiohttp.ClientSession(api.url, headers={"User-Agent": _HTTP_AGENT, "Authorization": "Bearer admin"}) as session,
        aiohttp.ClientSession(api.url) as anonymous,
    ):
        for exchange in exchanges():
            step = exchange["step"]
            if step == "watch-expired-resource-version":
                api.store.compact()  # the recorded server was restarted here
            client = anonymous if step in ("anonymous-forbidden", "bad-token-unauthorized") else session
            answers.append(await _exchange(client, session, exchange, links))
    return answers


async def _exchange(
    client: aiohttp.ClientSession, session: aiohttp.ClientSession, exchange: dict[str, Any], links: Links
) -> Answer:
    request, recorded = exchange["request"], exchange["response"]
    body = request.get("body")
    data = None if body is None else json.dumps(links.body(body))
    events = recorded.get("watch_events")
    broken: list[str] = []
    async with client.request(
        request["method"], links.path(request["path"]), data=data, headers=request.get("headers") or {}
    ) as response:
        headers = {name.lower(): value for name, value in response.headers.items()}
        if events is not None and response.status == 200:
            if exchange["step"] == "watch-from-list":
                await _during_watch(session)
            seen = await _watch(response, len(events))
            links.learn(events, seen, broken)
            return Answer(response.status, headers, None, seen, broken)
        text = await response.text()
    try:
        ours = json.loads(text)
    except ValueError:
        ours = text
    links.learn(recorded.get("body"), ours, broken)
    return Answer(response.status, headers, ours, [], broken)


_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"2026-\d\d-(?!01T)\d\dT\d\d:\d\d:\d\dZ|2\d{3}-(?!01-01)\d\d-\d\dT\d\d:\d\d:\d\dZ")
_VERSION = re.compile(r'(\\*"resourceVersion\\*":\\*")\d+')
_AGE = re.compile(r"\d+[smhdy](\d+[smhdy])?$")
_EXPIRED = re.compile(r"too old resource version: \d+ \(\d+\)")


def normal(value: Any, name: str = "") -> Any:
    """An answer without what differs from run to run: uids, times, versions, managedFields, ages, build facts."""
    if isinstance(value, dict):
        kept = {key: normal(inner, key) for key, inner in value.items() if key not in ("managedFields", "description")}
        if name == "columnDefinitions":
            kept.pop("description", None)
        return kept
    if isinstance(value, list):
        return [_age(normal(item, name)) if name == "cells" else normal(item, name) for item in value]
    if not isinstance(value, str):
        return value
    if name in ("uid", "resourceVersion", "continue") and value:
        return f"<{name}>"
    value = _EXPIRED.sub("too old resource version: <old> (<now>)", value)
    value = _VERSION.sub(r"\1<rv>", value)
    return _TIME.sub("<time>", _UID.sub("<uid>", value))


def _age(cell: Any) -> Any:
    return "<age>" if isinstance(cell, str) and _AGE.match(cell) else cell
