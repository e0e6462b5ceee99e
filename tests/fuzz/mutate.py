"""Changes that keep a sample's form: a fuzzer that flips bytes of JSON mostly finds out that it is no JSON any more."""

import copy
import json
import random
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, -0.0, 1e308, 2**31, 2**53 + 1, 2**63, 2**64, 10**30,
    "", " ", "0", "-1", "NaN", "Inf", "1e999", "9" * 40, "0x10", "١", "a\x00b", "é" * 300, "{}", "%zz", "..", "/",
    "0001-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "-1s", "1h-1s",
    [], {}, [[]], [None], {"": None}, ["a", "a"],
)  # fmt: skip
"""What somebody may have written where something else belongs."""

Place = tuple[Any, Any]
"""A list or object, and an index or a key of it."""


def document(data: bytes, rng: random.Random) -> bytes | None:
    """The sample with a few values of one of its lines changed; None where that line is no JSON."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    try:
        value = json.loads(lines[at])
    except (ValueError, RecursionError):
        return None
    holder = [value]
    for _ in range(rng.randint(1, 4)):
        _change(holder, rng)
    lines[at] = json.dumps(holder[0], ensure_ascii=False).encode("utf-8", "replace")
    return b"\n".join(lines)


def _change(holder: list[Any], rng: random.Random) -> None:
    found = _places(holder)
    where, key = rng.choice(found)
    other, another = rng.choice(found)
    match rng.randrange(6):
        case 0 | 1:
            where[key] = copy.deepcopy(rng.choice(ODD))
        case 2:
            # As a copy, since one of the two may hold the other.
            where[key] = copy.deepcopy(other[another])
        case 3 if isinstance(where, dict):
            del where[key]
        case 4 if isinstance(where, dict):
            where[str(rng.choice(ODD))] = where.pop(key)
        case _:
            where[key] = str(where[key]) if rng.random() < 0.5 else [where[key], copy.deepcopy(where[key])]


def _places(value: Any) -> list[Place]:
    """Every place within the value."""
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        return []
    return [(value, key) for key, _ in inner] + [place for _, part in inner for place in _places(part)]
