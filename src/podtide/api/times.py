"""Times as the API writes them: RFC 3339 to the second, in UTC."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=64)
def _stamp(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp(now: float) -> str:
    """`2026-01-02T03:04:05Z`."""
    # A fleet decides many times within a second, and this is the same text each time.
    return _stamp(int(now))


def seconds(text: object) -> float | None:
    """Seconds since 1970 of such a text; None where it is none."""
    try:
        return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None
