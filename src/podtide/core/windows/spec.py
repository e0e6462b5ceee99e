"""What an algorithm wants averaged, and the window that does it: the algorithms ask, `Memory` builds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from podtide.core.windows.ring import Ring
from podtide.core.windows.weighted import Weighted

Window = Ring | Weighted


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """One window over one metric."""

    name: str
    """The key of `Signal.windows`."""
    length: float
    """Seconds."""
    granularity: float = 1.0
    """Seconds in a bucket."""
    weighted: bool = False
    """The newest counts most."""


def build(spec: WindowSpec) -> Window:
    """An empty window. A lost scrape, or an interval longer than a bucket, is never a load of zero in it."""
    kind = Weighted if spec.weighted else Ring
    return kind(spec.length, spec.granularity, gaps="skip")


def fits(window: Window, spec: WindowSpec) -> bool:
    """Whether a window, resized at most, can go on serving this spec (a user may switch to weighted ones)."""
    return isinstance(window, Weighted) is spec.weighted and window.granularity == spec.granularity


def snapshot(window: Window) -> dict[str, Any]:
    """JSON-able data from which `restore` makes a window that answers alike."""
    return {"kind": "weighted" if isinstance(window, Weighted) else "linear", **window.snapshot()}


def restore(data: Mapping[str, Any]) -> Window:
    """The window of a snapshot. ValueError for damaged data or another version's."""
    match data.get("kind"):
        case "weighted":
            return Weighted.restore(data)
        case "linear":
            return Ring.restore(data)
        case kind:
            raise ValueError(f"window snapshot of unknown kind {kind!r}")
