"""The shortest inputs that together reach every line, from every line, that all inputs reach."""

import base64
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import podtide
from tests.fuzz import seeds, targets

LONGEST = 1024
"""Bytes of an input worth keeping: longer ones reach the same by repeating themselves."""
MOST = 64 * 1024
"""Bytes kept of one target."""
_SOURCE = podtide.__path__[0]

Step = tuple[str, int, int]


def keep(name: str, inputs: Sequence[bytes]) -> str:
    """Keep what reaches something that shorter inputs and the seeds do not; returns how much that is."""
    reached: set[Step] = set()
    for sample in seeds.SEEDS[name]:
        reached |= steps(targets.TARGETS[name], sample)
    chosen: list[bytes] = []
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        if len(data) <= LONGEST and sum(map(len, chosen)) + len(data) <= MOST:
            found = steps(targets.TARGETS[name], data)
            if found - reached:
                reached |= found
                chosen.append(data)
    seeds.KEPT.mkdir(exist_ok=True)
    text = "".join(f"{base64.b64encode(data).decode()}\n" for data in chosen)
    (seeds.KEPT / f"{name}.txt").write_text(text)
    return f"{len(chosen)} of {len(inputs)} inputs, {sum(map(len, chosen))} bytes"


def steps(target: Callable[[bytes], None], data: bytes) -> set[Step]:
    """Which line of ours followed which, while the target read this."""
    found: set[Step] = set()

    def enter(frame: FrameType, event: str, arg: Any) -> Callable[[FrameType, str, Any], Any] | None:
        name = frame.f_code.co_filename
        if not name.startswith(_SOURCE):
            return None
        before = frame.f_lineno

        def line(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal before
            found.add((name, before, frame.f_lineno))
            before = frame.f_lineno
            return line

        return line

    tracer = sys.gettrace()
    sys.settrace(enter)
    try:
        target(data)
    finally:
        sys.settrace(tracer)
    return found
