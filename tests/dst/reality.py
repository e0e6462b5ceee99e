"""While a world runs, everything in this process that reads a clock or draws a number reads the world's.

Whatever reads real time or real chance would make a seed two histories, so it is replaced at the roots: `time`,
`random.Random()` without a seed, `uuid.uuid4`; and where a function has kept `time.monotonic` as a default.
"""

import contextlib
import random
import sys
import time
import types
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

_REAL = {time.time: "time", time.monotonic: "monotonic", time.perf_counter: "monotonic"}


@contextlib.contextmanager
def replaced(*, monotonic: Callable[[], float], wall: Callable[[], float], rng: random.Random) -> Iterator[None]:
    """Time and chance are these."""
    made = random.Random

    def drawn(seed: object = None) -> random.Random:
        return made(rng.getrandbits(64) if seed is None else seed)  # type: ignore[arg-type]  # as Random itself

    with contextlib.ExitStack() as stack:
        for name, with_ in (("time", wall), ("monotonic", monotonic), ("perf_counter", monotonic)):
            stack.enter_context(mock.patch.object(time, name, with_))
        stack.enter_context(mock.patch.object(time, "clock_gettime", lambda _: monotonic()))
        stack.enter_context(mock.patch.object(random, "Random", drawn))
        stack.enter_context(mock.patch.object(uuid, "uuid4", lambda: uuid.UUID(int=rng.getrandbits(128), version=4)))
        by_name = {"time": wall, "monotonic": monotonic}
        for function, name, real in _defaults():
            stack.enter_context(_default(function, name, by_name[_REAL[real]]))
        yield


_FOUND: list[tuple[Any, str, Any]] = []


def _defaults() -> list[tuple[Any, str, Any]]:
    """Functions of the product that keep a clock as the default of a keyword."""
    if not _FOUND:
        for module in [module for name, module in sys.modules.items() if name.startswith("podtide.")]:
            for thing in vars(module).values():
                for function in (thing, *(vars(thing).values() if isinstance(thing, type) else ())):
                    if isinstance(function, types.FunctionType) and function.__kwdefaults__:
                        for name, value in function.__kwdefaults__.items():
                            if isinstance(value, types.BuiltinFunctionType) and value in _REAL:
                                _FOUND.append((function, name, value))
    return _FOUND


@contextlib.contextmanager
def _default(function: Any, name: str, value: object) -> Iterator[None]:
    before = function.__kwdefaults__[name]
    function.__kwdefaults__[name] = value
    try:
        yield
    finally:
        function.__kwdefaults__[name] = before
