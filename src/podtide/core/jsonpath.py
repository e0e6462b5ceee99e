"""One number of a JSON page, found by a path such as `$.queue.shards[0]['depth']`. Sources call it for endpoints."""

import math
import re
from functools import lru_cache
from typing import Any

import msgspec

from podtide.core import jsonsize
from podtide.core.model.reading import Failure, Reason

Step = str | int

_STEP = re.compile(
    r"""\.([A-Za-z_][A-Za-z0-9_-]*)|\[(-?[0-9]+)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""", re.ASCII
)
_ESCAPED = re.compile(r"\\(.)")
# `++` takes digits once and for all; else a long row of them before a letter would cost the square of its length.
_NUMBER = re.compile(r"[+-]?(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)(?>(?:[eE][+-]?[0-9]++)?)", re.ASCII)
# Numbers beyond a double are legal JSON; one elsewhere on the page must not spoil the wanted one.
_DECODER = msgspec.json.Decoder(float_hook=float)
_LONG = 100
"""Characters of a path that a message shows."""
_SHOWN = 10
"""How many keys a message lists."""


@lru_cache(maxsize=256)
def steps(path: str) -> tuple[Step, ...]:
    """The keys and indexes of a path. ValueError, with the remedy, for what is no such path.

    `$` is the whole page, `.name` and `['any key']` a key, `[0]` an element, `[-1]` the last one. Wildcards, slices and
    filters are refused: one path is one number.
    """
    if not path.startswith("$"):
        raise ValueError(f'"{_brief(path)}" does not begin with $; write for example "$.queue.length"')
    found: list[Step] = []
    position = 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            rest = _brief(path[position:])
            raise ValueError(
                f'"{_brief(path)}" cannot be read from "{rest}" on; write .name, [0] or [\'any key\'] for each step'
            )
        name, index, single, double = step.groups()
        if index is not None:
            found.append(int(index))
        else:
            quoted = single if single is not None else double
            found.append(name if quoted is None else _ESCAPED.sub(r"\1", quoted))
        position = step.end()
    return tuple(found)


def _brief(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def value(page: bytes | bytearray | memoryview, path: str) -> float | Failure:
    """The finite number, or the number written as a string, at this path.

    Not JSON: `MalformedPage`. Too many values: `PageTooLarge`. A step that leads nowhere: `MetricNotFound`, with the
    keys there are. Anything but a finite number, true and null among it: `NotANumber`. ValueError for a path that
    `steps` refuses.
    """
    wanted = steps(path)
    text = page if isinstance(page, bytes) else bytes(page)
    if jsonsize.is_crowded(text):
        return Failure(Reason.TOO_LARGE, f"the JSON page has more than {jsonsize.MOST} values; serve a smaller one")
    try:
        node: Any = _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Failure(Reason.PARSE, f"the page is not JSON: {error}")
    walked = "$"
    for step in wanted:
        if not _leads(node, step):
            return Failure(Reason.NO_METRIC, f"{walked} has no {_shown(step)}; it is {_described(node)}")
        node = node[step]
        walked += _shown(step)
    return _number(node, path)


def _leads(node: object, step: Step) -> bool:
    if isinstance(step, str):
        return isinstance(node, dict) and step in node
    return isinstance(node, list) and -len(node) <= step < len(node)


def _number(node: object, path: str) -> float | Failure:
    number = math.nan
    if isinstance(node, str) and _NUMBER.fullmatch(node.strip()):
        number = float(node)
    elif isinstance(node, int | float) and not isinstance(node, bool):
        try:
            number = float(node)
        except OverflowError:
            number = math.inf
    if math.isfinite(number):
        return number
    return Failure(Reason.NOT_A_NUMBER, f"{path} is {_described(node)}")


def _shown(step: Step) -> str:
    return f"[{step}]" if isinstance(step, int) else f"['{step}']"


def _described(node: object) -> str:
    match node:
        case dict():
            keys = ", ".join(f'"{key}"' for key in list(node)[:_SHOWN])
            return f"an object with the keys {keys or 'none'}" + (", …" if len(node) > _SHOWN else "")
        case list():
            return f"a list of {len(node)}"
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[node]
        case str():
            return f'the text "{node[:40]}"'
        case _:
            return f"{node}"[:60]
