"""What a controller saw and decided, as lines of JSON: `telemetry.record` writes them, `sim.replay` reads them.

A `Begin` holds the object and all that was remembered; every tick after it holds what came in and what was decided. So
a replay may begin at any `Begin`, and a rotated file has one for every autoscaler in it. Secrets are named in objects
and never held; a password that somebody wrote into a URL is blotted out.
"""

import base64
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from podtide.api import summary
from podtide.api.settings import Deciding, Intervals, Settings
from podtide.core.model.decision import Applied, Decision
from podtide.core.model.reading import Reading
from podtide.core.model.view import PodView, TargetView

FORM = 1
_USERINFO = re.compile(rb"://[^/@\s\"\\]+@")
_KEPT = ("name", "namespace", "uid", "generation", "creationTimestamp")
_ANNOTATIONS = "autoscaling.aibrix.ai/"


class RecordingError(ValueError):
    """A recording that cannot be read; the text says which line, and why."""


@dataclass(frozen=True, slots=True)
class Begin:
    """An autoscaler as its decisions begin, or go on in a new file."""

    autoscaler: str
    """Namespace and name."""
    at: float
    manifest: Mapping[str, Any]
    deciding: Deciding
    intervals: Intervals
    memory: bytes
    """`Memory.snapshot()`."""

    @property
    def settings(self) -> Settings:
        """The controller's options, as far as an object's meaning depends on them."""
        return Settings(deciding=self.deciding, intervals=self.intervals)


@dataclass(frozen=True, slots=True)
class Tick:
    """One decision, and all it rests on."""

    autoscaler: str
    at: float
    view: TargetView
    readings: tuple[Reading, ...]
    decision: Mapping[str, Any]
    """As `summary.summarise` tells it."""
    applied: Applied


def begin(autoscaler: str, at: float, manifest: Mapping[str, Any], settings: Settings, memory: bytes) -> bytes:
    """The line that an autoscaler's part begins with."""
    metadata = manifest.get("metadata") or {}
    kept = {name: metadata[name] for name in _KEPT if metadata.get(name) is not None}
    kept["annotations"] = {
        name: value for name, value in (metadata.get("annotations") or {}).items() if _ANNOTATIONS in name
    }
    return _line(
        {
            "form": FORM,
            "kind": "begin",
            "autoscaler": autoscaler,
            "at": at,
            "manifest": {
                "apiVersion": manifest.get("apiVersion"),
                "kind": manifest.get("kind"),
                "metadata": kept,
                "spec": manifest.get("spec"),
            },
            "deciding": msgspec.to_builtins(settings.deciding),
            "intervals": msgspec.to_builtins(settings.intervals),
            "memory": base64.b64encode(memory).decode(),
        }
    )


def tick(
    at: float,
    view: TargetView,
    readings: Iterable[Reading],
    decision: Decision,
    applied: Applied,
    *,
    with_pods: bool,
) -> bytes:
    """The line of one tick. Without pods they are those of the line before."""
    seen = msgspec.to_builtins(view)
    pods = seen.pop("pods")
    return _line(
        {
            "kind": "tick",
            "autoscaler": str(decision.key),
            "at": at,
            "view": seen,
            **({"pods": pods} if with_pods else {}),
            "readings": [_plain(msgspec.to_builtins(reading)) for reading in readings],
            "decision": summary.summarise(decision),
            "applied": msgspec.to_builtins(applied),
        }
    )


def _line(data: Mapping[str, Any]) -> bytes:
    return _USERINFO.sub(b"://***@", msgspec.json.encode(data)) + b"\n"


def _plain(value: Any) -> Any:
    """Without infinities and NaN, which JSON does not have: they become text, and are read back from it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def read(lines: Iterable[bytes], name: str) -> Iterator[Begin | Tick]:
    """What a file holds. A last line that was cut off by a crash is left out. Raises RecordingError."""
    pods: dict[str, tuple[PodView, ...]] = {}
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            return
        try:
            entry = msgspec.json.decode(line)
            if entry["kind"] == "tick" and "view" in entry and "pods" not in entry and entry["autoscaler"] not in pods:
                # Somebody has cut off the beginning: what came before is not known.
                continue
            found = _begun(entry) if entry["kind"] == "begin" else _ticked(entry, pods)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, RecordingError):
                raise RecordingError(f"{name}:{number}: {error}") from None
            raise RecordingError(f"{name}:{number}: is no line of a recording: {error!r}") from error
        yield found


def _begun(entry: Mapping[str, Any]) -> Begin:
    if entry["form"] != FORM:
        raise RecordingError(f"is of form {entry['form']}; this podtide reads {FORM}: use the one that wrote it")
    return Begin(
        entry["autoscaler"],
        float(entry["at"]),
        entry["manifest"],
        msgspec.convert(entry["deciding"], Deciding, strict=False),
        msgspec.convert(entry["intervals"], Intervals, strict=False),
        base64.b64decode(entry["memory"]),
    )


def _ticked(entry: Mapping[str, Any], pods: dict[str, tuple[PodView, ...]]) -> Tick:
    name = entry["autoscaler"]
    if "pods" in entry:
        pods[name] = msgspec.convert(entry["pods"], tuple[PodView, ...], strict=False)
    view = msgspec.convert({**entry["view"], "pods": []}, TargetView, strict=False)
    return Tick(
        name,
        float(entry["at"]),
        replace(view, pods=pods[name]),
        msgspec.convert(entry["readings"], tuple[Reading, ...], strict=False),
        entry["decision"],
        msgspec.convert(entry["applied"], Applied),
    )
