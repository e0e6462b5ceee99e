"""Why a metric is not on a page, without looking at every page: `pods` and `endpoint` ask for each that lacks it."""

import math
from collections.abc import Callable

from podtide.core import select
from podtide.core.model.reading import Failure, Reason
from podtide.sources import verdict

PAUSE = 60.0
"""Seconds between two looks of one metric."""
MOST = 1024 * 1024
"""Bytes of a page that are looked over line by line, because the whole process waits for it."""
PER_SECOND = 100 * 1024
"""Bytes that are looked over in a second for all metrics together: a twentieth of a core, at 0.45 s for a MiB."""

PRECEDENCE = 10.0
"""Seconds that are left free for those who have not looked at all: longer than most intervals between two pages."""


class Turns:
    """When the process may look over another page."""

    __slots__ = ("_free",)

    def __init__(self) -> None:
        self._free = -math.inf

    def take(self, now: float, size: int, *, is_first: bool) -> bool:
        """Whether a page of this size is to be looked over now; the next one waits accordingly.

        Whose first look it is goes before those who only want to know again.
        """
        if now < self._free + (0.0 if is_first else PRECEDENCE):
            return False
        self._free = now + min(size, MOST) / PER_SECOND
        return True


class Looks:
    """What the last look at a page without the metric has found; it stands for all such pages until the next."""

    __slots__ = ("_at", "_failure", "_metric", "_now", "_turns")

    def __init__(self, metric: str, now: Callable[[], float], turns: Turns) -> None:
        """`now` tells seconds that only grow."""
        self._metric = metric
        self._now = now
        self._turns = turns
        self._at = -math.inf
        # Until it is this one's turn.
        self._failure = Failure(Reason.NO_METRIC, f"the page has no series named {metric}")

    def why(self, text: verdict.Text, content_type: str, engine: str) -> Failure:
        """The reason, with the names that are like the metric's or the line that breaks the page."""
        now = self._now()
        if now - self._at >= PAUSE and self._turns.take(now, len(text), is_first=self._at == -math.inf):
            self._at = now
            self._failure = select.missing(
                text, self._metric, engine=engine, openmetrics=verdict.is_openmetrics(content_type), most=MOST
            )
        return self._failure
