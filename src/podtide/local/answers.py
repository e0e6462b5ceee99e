"""HTTP answers: JSON and text.

Everything that answers a request makes its answer here.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from aiohttp import web

from podtide.local.refusals import Object

JSON = "application/json"


def json(
    body: Object | bytes, code: int = 200, headers: Iterable[tuple[str, str]] = (), media: str = JSON
) -> web.Response:
    """A JSON answer, from an object or from bytes that are JSON already."""
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return web.Response(body=data, status=code, headers=[*headers, ("Content-Type", media)])


def text(body: str, code: int = 200) -> web.Response:
    """A plain text answer."""
    return web.Response(text=body, status=code)


def no_page() -> web.Response:
    """What a real server says to a path that no group or version stands behind: a 404 that is no Status."""
    return text("404 page not found\n", 404)
