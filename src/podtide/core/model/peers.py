"""Servers outside the pods by host and port: which one a URL leads to, and whether an operator's list names it.

`api` refuses with it what may not receive the controller's own token, and `net.prepare` never sends it there.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def of(url: str) -> str:
    """`host:port` of a URL, the port also where the URL leaves it out. Raises ValueError for what has no host.

    >>> of("https://Thanos.monitoring/api"), of("http://[fd00::1]:9090")
    ('thanos.monitoring:443', '[fd00::1]:9090')
    """
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme)
    if not parts.hostname or port is None:
        raise ValueError("it has no host and port")
    return f"[{parts.hostname}]:{port}" if ":" in parts.hostname else f"{parts.hostname}:{port}"


def is_named(peer: str, names: Iterable[str]) -> bool:
    """Whether a `host:port` is among the names, each a `host:port` or a host of which every port is meant."""
    host = peer.rpartition(":")[0]
    return any(name.lower() in (peer, host) for name in names)
