"""The credentials of a request, as headers. `net.access` composes them; nothing else in the program sees them."""

import base64
import re
from collections.abc import Mapping
from typing import Protocol

from podtide.core.model.reading import Failure, Reason
from podtide.core.model.spec import Auth, KeyRef

Headers = tuple[tuple[str, str], ...]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_NOT_OURS = frozenset(
    {"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that frame the exchange itself; `hostHeader` sets the host."""


class Credentials(Protocol):
    """Where Secrets and ConfigMaps come from; `kube.secrets` is one.

    Only ever asked for objects of the namespace of the autoscaler that names them. It is asked again every half
    minute while they are in use, so it answers from a watch or a cache.
    """

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | Failure:
        """The decoded data of a Secret."""
        ...

    async def config_map(self, namespace: str, name: str) -> Mapping[str, bytes] | Failure:
        """The data and the decoded binary data of a ConfigMap."""
        ...


class NoCredentials:
    """For where there is no cluster to hold Secrets."""

    async def secret(self, namespace: str, name: str) -> Failure:
        """Always a failure."""
        return Failure(Reason.CREDENTIALS, f"Secret {namespace}/{name}: there is no cluster to read it from")

    async def config_map(self, namespace: str, name: str) -> Failure:
        """Always a failure."""
        return Failure(Reason.CREDENTIALS, f"ConfigMap {namespace}/{name}: there is no cluster to read it from")


def one(kind: str, namespace: str, name: str, data: Mapping[str, bytes] | Failure, key: str) -> bytes | Failure:
    """One key of a Secret or ConfigMap, or a failure that names the object, the key and the keys there are."""
    if isinstance(data, Failure):
        return data
    if key in data:
        return data[key]
    there = ", ".join(sorted(data)) or "none"
    return Failure(Reason.CREDENTIALS, f"{kind} {namespace}/{name} has no key {key!r}; its keys: {there}")


async def headers(auth: Auth, namespace: str, source: Credentials, token: bytes | None) -> Headers | Failure:
    """The request headers these credentials make; `token` is the controller's own, where it may be sent."""
    found: list[tuple[str, str]] = []
    if token is not None:
        found.append(("Authorization", "Bearer " + token.decode("latin-1").strip()))
    if auth.bearer_token is not None:
        value = await _text(auth.bearer_token, namespace, source)
        if isinstance(value, Failure):
            return value
        found.append(("Authorization", f"Bearer {value}"))
    if auth.basic_auth_secret is not None:
        value = await _basic(auth.basic_auth_secret, namespace, source)
        if isinstance(value, Failure):
            return value
        found.append(("Authorization", value))
    for name, reference in auth.headers:
        value = await _text(reference, namespace, source)
        if isinstance(value, Failure):
            return value
        found.append((name, value))
    return _checked(tuple(found))


async def _text(reference: KeyRef, namespace: str, source: Credentials) -> str | Failure:
    data = await source.secret(namespace, reference.name)
    content = one("Secret", namespace, reference.name, data, reference.key)
    # Secrets made with `echo` end in a newline that nobody meant.
    return content if isinstance(content, Failure) else content.decode("latin-1").strip()


async def _basic(name: str, namespace: str, source: Credentials) -> str | Failure:
    data = await source.secret(namespace, name)
    user = one("Secret", namespace, name, data, "username")
    if isinstance(user, Failure):
        return user
    password = one("Secret", namespace, name, data, "password")
    if isinstance(password, Failure):
        return password
    return "Basic " + base64.b64encode(user.strip(b"\r\n") + b":" + password.strip(b"\r\n")).decode("ascii")


def _checked(found: Headers) -> Headers | Failure:
    seen: set[str] = set()
    for name, value in found:
        if not _NAME.fullmatch(name) or name.lower() in _NOT_OURS:
            return Failure(Reason.CREDENTIALS, f"{name!r} cannot be set as a header from a Secret")
        if not _VALUE.fullmatch(value):
            return Failure(Reason.CREDENTIALS, f"the value of header {name} has line breaks or control characters")
        if name.lower() in seen:
            return Failure(Reason.CREDENTIALS, f"header {name} is set twice; give one kind of `auth` that sets it")
        seen.add(name.lower())
    return found
