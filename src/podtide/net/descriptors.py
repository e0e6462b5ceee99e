"""File descriptors: every pod that is scraped keeps one. `cli` has the limit raised, `net.engine` keeps below it."""

import contextlib
import resource
import sys

_RESERVED = 128
"""For everything that is not scraped: the API server, Leases, files, the controller's own metrics and probes. Without
them a controller with too many pods would lose its Lease, and not only some of the pods."""
_ENOUGH = 1 << 20


def raise_limit() -> None:
    """As many as the system grants this process; shells and service managers often give it a thousand to begin with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with contextlib.suppress(OSError, ValueError):  # a system that says one limit and keeps another: then it stays
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def highest() -> int:
    """The highest descriptor that a scraped server's connection may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else max(soft - _RESERVED, soft // 2) - 1
