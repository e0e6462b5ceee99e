"""A memory as bytes and back: compact, versioned and checked. `Memory` packs and unpacks here.

What a snapshot holds is plain data. JSON, so that a person can look into one; compressed, since it may live in an
object of the API server. Its size is bounded by the windows' lengths and by `PODS`.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from podtide.core.model.history import Recommendation, Scaling
from podtide.core.model.reading import Failure, Span

VERSION = 1
_MAGIC = b"podtide-memory\n"
_LARGEST = 64 * 1024 * 1024
"""Bytes that a snapshot may unpack to. One of 1,000 pods and windows of an hour is below a hundredth of it."""

PODS = 1000
"""The most pods whose values and counters are kept. A larger workload's are asked for again by the next reading."""


@dataclass(frozen=True, slots=True)
class SavedMetric:
    """A `MetricMemory`."""

    meaning: str
    asked: float | None
    at: float | None
    expected: int
    answered: int
    refilled: float | None
    total: float | None = None
    failure: Failure | None = None
    values: dict[str, float] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    windows: dict[str, dict[str, Any]] = field(default_factory=dict)
    counters: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """A `Memory`."""

    version: int
    since: float
    clock: float
    has_run: bool
    replicas: int | None
    changed: float | None
    crowded: float | None
    scaled_to_zero: bool | None
    metrics: dict[str, SavedMetric]
    states: dict[str, Any]
    failing: dict[str, float]
    recommendations: list[Recommendation]
    grown: list[Scaling]
    shrunk: list[Scaling]
    forecasts: dict[str, dict[str, Any]] = field(default_factory=dict)
    horizon: float | None = None
    left: float | None = None
    shadow: "Saved | None" = None


@dataclass(frozen=True, slots=True)
class Frozen:
    """An algorithm's state as plain data, until the algorithm that knows its type asks for it."""

    data: Any

    def thaw(self, kind: type[Any]) -> Any:
        """The state, or None where it is not one of this kind: the strategy or its format has changed."""
        try:
            return msgspec.convert(self.data, kind)
        except msgspec.ValidationError:
            return None


def plain(state: Any) -> Any:
    """An algorithm's state as plain data."""
    return state.data if isinstance(state, Frozen) else msgspec.to_builtins(state)


def few(by_pod: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping where it is small enough to keep, else nothing."""
    return dict(by_pod) if len(by_pod) <= PODS else {}


def pack(saved: Saved) -> bytes:
    """The bytes of a memory."""
    return _MAGIC + zlib.compress(msgspec.json.encode(saved))


def unpack(data: bytes) -> Saved:
    """What the bytes say. ValueError for damaged data or another version's."""
    if not data.startswith(_MAGIC):
        raise ValueError("not a memory snapshot: it does not begin as one")
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data[len(_MAGIC) :], _LARGEST)
        if not unpacker.eof:
            raise ValueError(f"memory snapshot is cut short or unpacks to more than {_LARGEST} bytes")
        version = msgspec.json.decode(text, type=_Version).version
        if version != VERSION:
            raise ValueError(f"memory snapshot of version {version}; this release reads version {VERSION}")
        return msgspec.json.decode(text, type=Saved)
    except (zlib.error, msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"memory snapshot is damaged: {error}") from error


@dataclass(frozen=True, slots=True)
class _Version:
    version: int
