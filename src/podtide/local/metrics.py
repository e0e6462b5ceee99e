"""Metrics pages of simulated pods: a real page's bytes with the values of chosen series put in.

`pods.PodFleet` renders one for every scrape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


class Work(Protocol):
    """What a pod knows of its load when it renders a page."""

    @property
    def share(self) -> float:
        """Its part of the workload's load now."""

    @property
    def served(self) -> float:
        """The integral of its share since it was ready: what a counter of served requests shows."""

    @property
    def age(self) -> float:
        """Seconds since it was ready."""


Value = Callable[[Work], float]
"""From a pod's work to what a series shows."""


def share(work: Work) -> float:
    """A gauge of the pod's part of the load."""
    return work.share


def served(work: Work) -> float:
    """A counter of what the pod has served."""
    return work.served


def fixed(value: float) -> Value:
    """The same value always."""
    return lambda work: value


@dataclass(frozen=True, slots=True)
class Template:
    """A page cut where values go."""

    texts: tuple[bytes, ...]
    """The text before each value, and the text after the last."""

    values: tuple[Value, ...]

    @classmethod
    def of(cls, page: bytes, series: Mapping[str, Value]) -> Template:
        """A page in which the named series show these values.

        The first series of a name shows the value, further ones of that name 0, so that their sum is the value.
        Raises `ValueError` for a name that the page has not.
        """
        texts, values = [], []
        at = 0
        seen = set()
        names = b"|".join(re.escape(name.encode()) for name in series)
        for found in re.finditer(
            rb"^(" + names + rb')(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?[ \t]+(\S+)', page, re.MULTILINE
        ):
            name = found[1].decode()
            texts.append(page[at : found.start(2)])
            values.append(fixed(0.0) if name in seen else series[name])
            seen.add(name)
            at = found.end(2)
        missing = series.keys() - seen
        if missing:
            raise ValueError(f"the page has no series {', '.join(sorted(missing))}")
        return cls((*texts, page[at:]), tuple(values))

    @classmethod
    def plain(cls, name: str, value: Value = share, kind: str = "gauge") -> Template:
        """A page of one series without labels, for tests."""
        page = f"# HELP {name} Load of this pod.\n# TYPE {name} {kind}\n{name} 0\n"
        return cls.of(page.encode(), {name: value})

    def render(self, work: Work) -> bytes:
        """The page of one pod now."""
        parts = [self.texts[0]]
        for value, text in zip(self.values, self.texts[1:], strict=True):
            parts += (_number(value(work)), text)
        return b"".join(parts)


def _number(value: float) -> bytes:
    return (str(int(value)) if value == int(value) else repr(value)).encode()
